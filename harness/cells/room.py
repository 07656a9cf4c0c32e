# SPDX-License-Identifier: Apache-2.0
"""How much goes on at once: cores and memory of the workstation that runs are started on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.cells.cell import Need

_KIB = 1 << 10
_MIB = 1 << 20
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


class Room(Protocol):
    """Says whether one more run may begin."""

    def fits(self, need: Need, running: Sequence[Need]) -> bool:
        """Tell whether a run that takes `need` may begin beside those that go on."""


@dataclass(frozen=True, slots=True)
class LocalRoom:
    """The room of this workstation.

    Args:
        jobs: runs at once; each takes one of them, and more when it keeps more cores busy.
        free_mib: memory in MiB that nobody uses at the start of the first run.
    """

    jobs: int
    free_mib: int

    def fits(self, need: Need, running: Sequence[Need]) -> bool:
        """Tell whether a run may begin; one always may, else nothing would ever happen."""
        if not running:
            return True
        cores = sum(self._share(other) for other in running) + self._share(need)
        memory = sum(other.memory_mib for other in running) + need.memory_mib
        return cores <= self.jobs and memory <= self.free_mib

    def _share(self, need: Need) -> int:
        return min(need.cores, self.jobs)


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def free_memory_mib(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int:
    """Return the memory in MiB that can be used without swapping, container limits included.

    Args:
        meminfo: the kernel's table.
        cgroup: the folder of this process's control group, as a container sees it.
    """
    free = _available(meminfo)
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):
        return free // _MIB
    if limit.isdigit():
        free = min(free, max(0, int(limit) - used))
    return free // _MIB


def _available(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * _KIB
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
