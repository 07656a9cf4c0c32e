# SPDX-License-Identifier: Apache-2.0
"""The machine's memory: an anonymous file that QEMU maps and the harness reads.

It can be read while the machine runs and after QEMU has died, and it needs no name in any
folder, so that nothing stays behind.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from types import TracebackType

from harness.errors import InfraError

RAM_BASE = 0x80000000


class GuestRam:
    """Physical memory of the machine.

    Args:
        size: bytes of memory from RAM_BASE on.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.fd = os.memfd_create("teecall-ram")
        try:
            os.ftruncate(self.fd, size)
            self._map = mmap.mmap(self.fd, size)
        except (OSError, ValueError) as error:
            os.close(self.fd)
            raise InfraError(
                f"cannot map {size >> 20} MiB for the machine's memory: {error}",
                "lower machine.memory_mib",
            ) from error

    def contains(self, address: int, size: int) -> bool:
        """Tell whether a physical range lies in memory."""
        return address >= RAM_BASE and address + size <= RAM_BASE + self.size

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes at a physical address.

        Raises:
            ValueError: the range is not memory.
        """
        if not self.contains(address, size):
            raise ValueError(f"{address:#x}+{size:#x} is not in memory")
        offset = address - RAM_BASE
        return self._map[offset : offset + size]

    def write(self, address: int, data: bytes) -> None:
        """Write to a physical address, for a payload that waits for it.

        Raises:
            ValueError: the range is not memory.
        """
        if not self.contains(address, len(data)):
            raise ValueError(f"{address:#x}+{len(data):#x} is not in memory")
        offset = address - RAM_BASE
        self._map[offset : offset + len(data)] = data

    def find(self, pattern: bytes) -> list[int]:
        """Return the physical addresses at which `pattern` (not all zeros) is in memory.

        Only memory that was ever written is looked at, so that none is taken for it.
        """
        found: list[int] = []
        for start, end in self._written():
            at = self._map.find(pattern, start, end)
            while at >= 0:
                found.append(RAM_BASE + at)
                at = self._map.find(pattern, at + 1, end)
        return found

    def _written(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges of offsets that have memory behind them (lseek(2), SEEK_DATA)."""
        at = 0
        while at < self.size:
            try:
                start = os.lseek(self.fd, at, os.SEEK_DATA)
            except OSError:
                return
            at = os.lseek(self.fd, start, os.SEEK_HOLE)
            yield start, at

    def close(self) -> None:
        """Give the memory back.

        The kernel frees hundreds of megabytes page by page; a thread waits for that, and the
        interpreter's end for the thread.
        """
        threading.Thread(target=self._free, name="ram").start()

    def _free(self) -> None:
        self._map.close()
        os.close(self.fd)

    def __enter__(self) -> GuestRam:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
