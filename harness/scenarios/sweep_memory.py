# SPDX-License-Identifier: Apache-2.0
"""What the sweep's payload is told and writes down, as firmware/sweep/sweep.h lays it out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from harness.errors import ConfigError
from harness.machine.ram import GuestRam
from harness.machine.symbols import ElfSymbols, Symbol
from harness.trace.ring import Memory

_MAGIC = 0x5045455753
_PLAN = struct.Struct("<10Q")
_HEAD = struct.Struct("<5Q")
_RECORD = struct.Struct("<12Qq11QqQQQ")
_DELAY = struct.Struct("<24s4Qq")
_BATCH = 48
_DELAYS = 16


class Operation(IntEnum):
    """What the host does while something arrives (enum operation)."""

    NULL = 0
    CONVERT = 1
    RECLAIM = 2
    SPIN = 3
    EXIT = 4
    GLOBAL_FENCE = 5
    LOCAL_FENCE = 6


class Arrival(IntEnum):
    """What arrives (enum arrival)."""

    TIMER_TAKEN = 0
    TIMER_PENDING = 1
    IPI = 2
    FENCE = 3
    HFENCE_GVMA = 4
    HFENCE_VVMA = 5


class Plan(NamedTuple):
    """What the payload is told (struct plan without its magic).

    Args:
        mode: 0 sweeps, 1 measures delays.
        step, first: ticks from one deadline to the next, and of the first behind the start.
        pool_base, pool_pages: the confidential pool.
        harts: of the machine.
        measured_pages, large_pages: of the add_tvm_measured_pages that is seen through, and of
            the largest, which is given up.
        source: plain memory for them.
    """

    mode: int
    step: int
    first: int
    pool_base: int
    pool_pages: int
    harts: int
    measured_pages: int = 0
    large_pages: int = 0
    source: int = 0

    def encoded(self) -> bytes:
        """Return `struct plan`."""
        return _PLAN.pack(_MAGIC, *self)


class Point(NamedTuple):
    """One point of arrival: `struct record`, times in ticks."""

    operation: int
    arrival: int
    k: int
    start: int
    deadline: int
    call: int
    end: int
    ecall_pc: int
    taken: int
    taken_pc: int
    taken_at: int
    taken_cause: int
    error: int
    value: int
    scause: int
    stval: int
    sip: int
    wrong_gprs: int
    wrong_csrs: int
    runs: int
    report: int
    expected: int
    sent: int
    sent_end: int
    sent_error: int
    stimecmp: int
    sip_at: int
    fences: int

    @property
    def name(self) -> str:
        """The point for people."""
        operation, arrival = Operation(self.operation).name, Arrival(self.arrival).name
        return f"{operation.lower()}, {arrival.lower().replace('_', ' ')}, k={self.k}"


@dataclass(frozen=True, slots=True)
class Delay:
    """What a large call did to the host's tick; times in ticks."""

    name: str
    pages: int
    ticks: int
    max_delay: int
    duration: int
    error: int


class SweepMemory:
    """Knows where the payload reads and writes.

    Args:
        elf: the payload's ELF file.
    """

    def __init__(self, elf: Path) -> None:
        self._elf = ElfSymbols(elf)

    def plan_place(self) -> Symbol:
        """Return where the plan goes in the image."""
        return self._elf.object("sweep_plan")

    def batch(self, memory: Memory) -> list[Point]:
        """Return the points of the batch that the payload has handed over.

        Raises:
            ConfigError: the memory holds something else.
        """
        place = self._elf.object("sweep_mailbox")
        magic, _, _, count, _ = _HEAD.unpack(memory.read(place.address, _HEAD.size))
        if magic != _MAGIC or count > _BATCH or place.size != _HEAD.size + _BATCH * _RECORD.size:
            raise ConfigError(
                "the sweep's mailbox is not what it should be",
                "firmware/sweep/sweep.h and the harness are of different versions",
            )
        data = memory.read(place.address + _HEAD.size, count * _RECORD.size)
        return [Point(*fields) for fields in _RECORD.iter_unpack(data)]

    def hart(self, memory: Memory) -> int:
        """Return the hart that makes the calls."""
        place = self._elf.object("sweep_mailbox").address
        return int.from_bytes(memory.read(place + 32, 8), "little")

    def taken(self, memory: GuestRam) -> None:
        """Tell the payload that its batch was read."""
        place = self._elf.object("sweep_mailbox").address
        memory.write(place + 16, memory.read(place + 8, 8))

    def delays(self, memory: Memory) -> list[Delay]:
        """Return what the large calls did to the host's tick."""
        place = self._elf.object("sweep_delays")
        count = int.from_bytes(memory.read(place.address, 8), "little")
        if count > _DELAYS or place.size != 8 + _DELAYS * _DELAY.size:
            raise ConfigError(
                "the sweep's delays are not what they should be",
                "firmware/sweep/sweep.h and the harness are of different versions",
            )
        data = memory.read(place.address + 8, count * _DELAY.size)
        return [
            Delay(name.rstrip(b"\0").decode(), *rest) for name, *rest in _DELAY.iter_unpack(data)
        ]
