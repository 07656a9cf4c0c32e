# SPDX-License-Identifier: Apache-2.0
"""Being asked to end, as something that can be waited for.

A night writes down everything that happens. An exception that comes in the middle of that would
lose a run or count it twice, so signals do not raise here: they finish a future.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Stops:
    """`asked` is done when somebody asks to end, with the signal's number; `again` at a second."""

    asked: Future[int] = field(default_factory=Future)
    again: Future[int] = field(default_factory=Future)

    def ask(self, number: int) -> None:
        """Ask to end, once more if it was asked already."""
        for future in (self.asked, self.again):
            if not future.done():
                future.set_result(number)
                return


@contextmanager
def listening() -> Iterator[Stops]:
    """Give what signals finish inside the `with` block; ignored ones (nohup) stay ignored."""
    stops = Stops()
    before: dict[signal.Signals, Any] = {}

    def heard(number: int, frame: object) -> None:
        # The main thread may hold the very lock that the future needs.
        threading.Thread(target=stops.ask, args=(number,), name="signal").start()

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, heard)
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
