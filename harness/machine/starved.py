# SPDX-License-Identifier: Apache-2.0
"""Whether a machine is silent because QEMU was given no processor.

The load when teecall starts scales its limits (`slowness`), but a workstation may become crowded
later, or give QEMU a small share (cgroups(7)) while its load says nothing of it. The kernel counts
for how long each thread could have run and did not (proc(5), Documentation/scheduler/sched-stats).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

# Above this share of the time, a hart that had work has waited most of it. Two machines of two
# harts that spin on two processors wait for half of it.
_STARVED = 2 / 3
# A machine that really hangs, its harts in a loop, on a workstation that stays crowded, is found
# out in so many times its limit and one more.
_MOST = 3


def waited_s(pid: int) -> dict[str, float]:
    """Return for how many seconds each thread of a process has waited for a processor so far.

    Empty where the process is gone, or its kernel keeps no such statistics.
    """
    found = {}
    with contextlib.suppress(OSError, IndexError, ValueError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            _, nanoseconds, _ = (thread / "schedstat").read_text(encoding="ascii").split()
            found[thread.name] = int(nanoseconds) / 1e9
    return found


class Starved:
    """Excuses the silence of a machine that had no processor, a few times on end.

    Args:
        waited: seconds that each of its threads has waited so far.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        waited: Callable[[], dict[str, float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waited = waited
        self._clock = clock
        self._at = clock()
        self._before: dict[str, float] = {}
        self._said = 0
        self._left = _MOST

    def excuses(self, said: int) -> bool:
        """Tell whether the time since the last call does not count.

        Args:
            said: bytes that the machine has said so far; any more are a new silence.
        """
        now, waits = self._clock(), self._waited()
        period = now - self._at
        longest = max(
            (wait - self._before.get(name, 0.0) for name, wait in waits.items()), default=0
        )
        self._at, self._before = now, waits
        if said != self._said:
            self._said, self._left = said, _MOST
        if longest < _STARVED * period or not self._left:
            return False
        self._left -= 1
        return True
