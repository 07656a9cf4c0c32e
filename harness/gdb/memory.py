# SPDX-License-Identifier: Apache-2.0
"""Physical memory and the firmware's objects, read through gdb."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import gdb

from harness.errors import ConfigError
from harness.machine.symbols import Symbol


@contextlib.contextmanager
def physical() -> Iterator[None]:
    """Let gdb read physical addresses inside the `with` block.

    Firmware and TSM run at physical addresses, which the host's page tables do not map; the
    packets are QEMU's own (docs/system/gdb.rst).
    """
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        yield
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


class PhysicalMemory:
    """The machine's memory."""

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes at a physical address; ValueError when it is not memory."""
        with physical():
            try:
                return bytes(gdb.selected_inferior().read_memory(address, size))
            except gdb.MemoryError as error:
                raise ValueError(f"{address:#x}+{size:#x} cannot be read: {error}") from error


class GdbSymbols:
    """The objects that gdb knows, at the addresses where it has loaded their images."""

    def object(self, name: str) -> Symbol:
        """Return the object called `name`; ConfigError when no image has it."""
        try:
            value = gdb.parse_and_eval(name)
        except gdb.error as error:
            raise ConfigError(
                f"no image has {name}: {error}", "debug a machine that runs teecall's firmware"
            ) from error
        return Symbol(name, int(value.address), int(value.type.sizeof))
