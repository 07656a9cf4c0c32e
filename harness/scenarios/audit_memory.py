# SPDX-License-Identifier: Apache-2.0
"""What the audit's two sides have written down, read from the machine's memory."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from harness.errors import ConfigError
from harness.machine.ram import GuestRam
from harness.machine.symbols import ElfSymbols, Symbol
from harness.scenarios.audit_table import MAX_CSRS, Table
from harness.trace.ring import Memory

CALLS = ("fill", "guest", "settings", "fault")
GO = (1).to_bytes(8, "little")
_LCOFI = 1 << 13
_SIE = 0x104
NUMBERS = 4096
_V_BYTES = 4096
_SNAPSHOT = struct.Struct(f"<32Q33Q8Q4Q{_V_BYTES}s{MAX_CSRS}Q")
_SETTINGS = struct.Struct("<3q1Q2q16x")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one side saw at one moment.

    Args:
        valid: it was written.
        gpr: x0 to x31.
        fp: f0 to f31 and fcsr; empty without FP.
        vector: vstart, vl, vtype, vcsr; empty without vectors.
        vregs: the vector registers.
        csrs: by number, those that the hart has.
        guest_cause: why the TSM's guest stopped.
        henvcfg_mask: all that henvcfg could hold.
        counter: two samples of the host's programmable counter.
        records: how many control transfer records hold something.
    """

    valid: bool
    gpr: tuple[int, ...]
    fp: tuple[int, ...]
    vector: tuple[int, ...]
    vregs: bytes
    csrs: Mapping[int, int]
    guest_cause: int = 0
    henvcfg_mask: int = 0
    counter: tuple[int, int] = (0, 0)
    records: int = 0


@dataclass(frozen=True, slots=True)
class Crossing:
    """One call and its return: the host before, the TSM at its entry and full, the host after.

    With `lcofi_taken` the host has changed mideleg: M-mode keeps that interrupt from it.
    """

    hart: int
    call: str
    before: Snapshot
    seen: Snapshot
    filled: Snapshot
    after: Snapshot
    lcofi_taken: bool = False

    @property
    def where(self) -> str:
        """The crossing for people."""
        return f"hart {self.hart}, call '{self.call}'"


class Settings(NamedTuple):
    """How the host's changes of M-mode's settings, and the set-up call, went.

    Errors of the calls (0: done), but `counter` is the CSR of a programmable counter or 0.
    """

    adue: int
    misaligned: int
    set_up: int
    counter: int
    sse: int
    shadow_stack: int


@dataclass(frozen=True, slots=True)
class HartRecord:
    """What is known of one hart.

    `died_at` is the CSR that the TSM was about to touch when it was stopped, or 0.
    """

    hart: int
    answers: frozenset[int]
    settings: Settings
    died_at: int
    crossings: tuple[Crossing, ...]


class AuditMemory:
    """Knows where the two sides write.

    Args:
        host, tsm: their ELF files.
        table: names the CSRs in the snapshots.
    """

    def __init__(self, host: Path, tsm: Path, table: Table) -> None:
        self._host = ElfSymbols(host)
        self._tsm = ElfSymbols(tsm)
        self._table = table

    @property
    def entry(self) -> int:
        """Address of the TSM's call entry."""
        return self._tsm.object("audit_tsm_call").address

    def plan_place(self) -> Symbol:
        """Return where the plan goes in the host's image."""
        return self._host.object("audit_plan")

    def let_die(self, ram: GuestRam) -> None:
        """Let the host make the call in which the TSM dies."""
        ram.write(self.go_place().address, GO)

    def go_place(self) -> Symbol:
        """Return the word that lets the host make that call, in its image."""
        return self._host.object("audit_go")

    def in_host(self, address: int) -> str:
        """Return the host's symbol at an address with the offset from it, or nothing."""
        return self._host.describe(address) or ""

    def boot_henvcfg(self, memory: Memory) -> int:
        """Return what henvcfg could hold before the host ran."""
        symbol = self._tsm.object("audit_boot_henvcfg")
        return int.from_bytes(memory.read(symbol.address, 8), "little")

    def hart(self, memory: Memory, hart: int) -> HartRecord:
        """Return everything about one hart."""
        probe = _part(memory, self._host.object("audit_probe"), hart, NUMBERS)
        answers = frozenset(number for number in range(NUMBERS) if probe[number])
        settings = _part(memory, self._host.object("audit_settings"), hart, _SETTINGS.size)
        current = _part(memory, self._tsm.object("audit_current"), hart, 8)
        crossings = tuple(
            Crossing(hart, call, *self._snapshots(memory, hart, index, answers))
            for index, call in enumerate(CALLS)
        )
        return HartRecord(
            hart,
            answers,
            Settings(*_SETTINGS.unpack(settings)),
            int.from_bytes(current, "little"),
            _with_lcofi(crossings),
        )

    def _snapshots(
        self, memory: Memory, hart: int, call: int, answers: frozenset[int]
    ) -> tuple[Snapshot, Snapshot, Snapshot, Snapshot]:
        places = (
            self._host.object("audit_before"),
            self._tsm.object("audit_seen"),
            self._tsm.object("audit_filled"),
            self._host.object("audit_after"),
        )
        index = hart * len(CALLS) + call
        parts = (_part(memory, place, index, _SNAPSHOT.size) for place in places)
        before, seen, filled, after = (
            decode_snapshot(part, self._table, answers) for part in parts
        )
        return before, seen, filled, after


def _with_lcofi(crossings: tuple[Crossing, ...]) -> tuple[Crossing, ...]:
    """Note from when on the host could not enable LCOFI any more though it could before.

    What a hart has not written yet, or never will, is all zeros and says nothing.
    """
    could = bool(crossings[0].before.csrs.get(_SIE, 0) & _LCOFI)

    def taken(one: Crossing) -> bool:
        return could and one.before.valid and not one.before.csrs.get(_SIE, 0) & _LCOFI

    return tuple(replace(one, lcofi_taken=taken(one)) for one in crossings)


def _part(memory: Memory, symbol: Symbol, index: int, size: int) -> bytes:
    if symbol.size % size or symbol.size < (index + 1) * size:
        raise ConfigError(
            f"{symbol.name} has {symbol.size} bytes, which are no array of {size}",
            "firmware/audit/audit.h and the harness are of different versions",
        )
    return memory.read(symbol.address + index * size, size)


def decode_snapshot(data: bytes, table: Table, answers: frozenset[int]) -> Snapshot:
    """Return a `struct snapshot` of firmware/audit/audit.h."""
    fields = _SNAPSHOT.unpack(data)
    have, valid, guest_cause, henvcfg_mask, first, second, records = fields[65:72]
    values = zip(table.csrs, fields[78:], strict=False)
    return Snapshot(
        valid=bool(valid),
        gpr=fields[:32],
        fp=fields[32:65] if have & 1 else (),
        vector=fields[73:77] if have & 2 else (),
        vregs=fields[77] if have & 2 else b"",
        csrs={csr.number: value for csr, value in values if csr.number in answers},
        guest_cause=guest_cause,
        henvcfg_mask=henvcfg_mask,
        counter=(first, second),
        records=records,
    )
