# SPDX-License-Identifier: Apache-2.0
"""The time that a whole run may take, kept inside of the process that holds it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import DeadlineExceeded

# For the evidence of a run that was too long; what does not come to its end then is killed.
_AFTER_S = 60.0


@contextmanager
def limited(limit_s: float | None) -> Iterator[None]:
    """Let what goes on inside the `with` block end by DeadlineExceeded when it takes too long.

    The alarm interrupts whatever the main thread waits for. A block that goes on for another
    minute all the same loses its process.

    Args:
        limit_s: in seconds; None for no limit. Outside of a main thread there is none either.
    """
    if limit_s is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(number: int, frame: object) -> None:
        signal.signal(signal.SIGALRM, _kill)
        raise DeadlineExceeded(
            f"the run took longer than {limit_s:g} s", "raise limits.run_s of the suite's entry"
        )

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, limit_s, _AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _kill(number: int, frame: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
