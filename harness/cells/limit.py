# SPDX-License-Identifier: Apache-2.0
"""The time that a whole run may take, kept inside of the process that holds it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.errors import DeadlineExceeded, Interrupted

# For the evidence of a run that was too long, before it is interrupted, and then killed.
_AFTER_S = 30.0


@dataclass
class Limit:
    """The time of a run. `error` is set when it is over.

    Args:
        seconds: how long.
    """

    seconds: float
    error: DeadlineExceeded | None = None
    _rings: int = 0

    def ring(self, number: int, frame: object) -> None:
        """Raise the error; what caught it and went on is interrupted, and then killed."""
        self._rings += 1
        if self._rings == 1:
            self.error = DeadlineExceeded(
                f"the run took longer than {self.seconds:g} s",
                "raise limits.run_s of the suite's entry",
            )
            raise self.error
        if self._rings == 2:
            raise Interrupted(number)
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def limited(limit_s: float | None) -> Iterator[Limit | None]:
    """Let what goes on inside the `with` block end by DeadlineExceeded when it takes too long.

    The alarm interrupts whatever the main thread waits for. That may be a place where every error
    only means "not yet", so a block that ends well may have been too long: see `Limit.error`. One
    that goes on for half a minute is interrupted as by a signal, and after another killed.

    Args:
        limit_s: in seconds; None for no limit. Outside of a main thread there is none either.
    """
    if limit_s is None or threading.current_thread() is not threading.main_thread():
        yield None
        return
    limit = Limit(limit_s)
    before = signal.signal(signal.SIGALRM, limit.ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AFTER_S)
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
