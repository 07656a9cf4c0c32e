# SPDX-License-Identifier: Apache-2.0
"""Time limits that follow the machine: progress extends them, a slow workstation scales them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from harness.errors import DeadlineExceeded, MachineHang

# Seconds that the probe below takes on the machine that the default timeouts were chosen on.
_REFERENCE_PROBE_S = 0.0025
# Even an idle, fast workstation gets the configured time; a crowded one at most this many times.
_SLOWEST = 16.0


@cache
def slowness() -> float:
    """Return by how much this workstation is slower than the reference, at least 1.

    A short computation is timed (a few milliseconds, once per process) and the load of the
    moment counts too: on a crowded machine the emulator gets its share late.
    """
    started = time.perf_counter()
    digest = b"teecall"
    for _ in range(4000):
        digest = hashlib.sha256(digest).digest()
    probe = (time.perf_counter() - started) / _REFERENCE_PROBE_S
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(_SLOWEST, max(1.0, probe) * max(1.0, crowd))


@dataclass
class Deadline:
    """One limit handed down through every wait of a step.

    Args:
        what: the step, as it reads in an error ("booting the host").
        stall_s: seconds without any sign of life after which the step hangs.
        total_s: seconds after which the step ends even though the machine is alive.
        clock: monotonic seconds; tests pass their own.
    """

    what: str
    stall_s: float
    total_s: float
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.started = self.clock()
        self._last_progress = self.started
        self._seen = 0

    def progress(self, total_bytes: int) -> None:
        """Note how much the machine has said so far; more than before is a sign of life."""
        if total_bytes != self._seen:
            self._seen = total_bytes
            self._last_progress = self.clock()

    def remaining(self) -> float:
        """Return the seconds until this deadline could expire, never negative."""
        now = self.clock()
        stall = self._last_progress + self.stall_s - now
        total = self.started + self.total_s - now
        return max(0.0, min(stall, total))

    def check(self, excuse: Callable[[], bool] | None = None) -> None:
        """Raise MachineHang or DeadlineExceeded when the time is over.

        Args:
            excuse: is asked first; it raises an error when the machine is not to blame, and
                returns True when the time so far does not count.
        """
        now = self.clock()
        late = now - self.started >= self.total_s or now - self._last_progress >= self.stall_s
        if late and excuse is not None and excuse():
            self.started = self._last_progress = self.clock()
            return
        if now - self.started >= self.total_s:
            raise DeadlineExceeded(
                f"{self.what}: not done after {self.total_s:.0f} s, though the machine is alive",
                "raise the limit with --set timeouts.…, or look why it takes so long",
            )
        if now - self._last_progress >= self.stall_s:
            raise MachineHang(
                f"{self.what}: no sign of life for {self.stall_s:.0f} s",
                "see where the harts are in registers.txt of the run folder",
            )


def scaled(what: str, seconds: float, *, ceiling: float = 4.0) -> Deadline:
    """Return a deadline for `what`: silence of `seconds`, or `ceiling` times that in all.

    Both are scaled by `slowness()`.
    """
    stall = seconds * slowness()
    return Deadline(what, stall, stall * ceiling)
