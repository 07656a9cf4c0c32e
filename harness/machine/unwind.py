# SPDX-License-Identifier: Apache-2.0
"""Backtraces of the TSM after its death: its stack is still in memory, and its ELF knows frames.

The firmware prints where the TSM was; the way up follows the call frame information in
.debug_frame (DWARF 5, section 6.4), which tells for each address where the caller's stack and
return address are.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_BANNER = re.compile(r"^OpenSBI v\d", re.MULTILINE)
_PLACE = re.compile(r"tsmd: TSM (\w+) at: mepc=0x([0-9a-f]+) ra=0x([0-9a-f]+) sp=0x([0-9a-f]+)")
# Numbers of registers in DWARF for RISC-V.
_RA, _SP, _FP = 1, 2, 8
_LONGEST = 64


class Memory(Protocol):
    """Physical memory of the machine."""

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes at a physical address; ValueError when it is not memory."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the TSM was when it died: the registers that a backtrace begins with.

    `kind` is the firmware's word: fault, panic or hang, or left of a hart that was inside when
    the TSM died on another one.
    """

    kind: str
    pc: int
    ra: int
    sp: int


def places(uart: str) -> list[Place]:
    """Return every place that the firmware has printed, in order."""
    return [
        Place(kind, int(pc, 16), int(ra, 16), int(sp, 16))
        for kind, pc, ra, sp in _PLACE.findall(uart)
    ]


def last_death(uart: str) -> list[Place]:
    """Return where the TSM died in the last boot, and behind it where the other harts left it.

    A TSM dies once in a boot. The harts that leave do not wait for the report of the one that
    found it dead, so their lines may come before it.
    """
    found = places(_BANNER.split(uart)[-1])
    deaths = [place for place in found if place.kind != "left"]
    return [*deaths[-1:], *(place for place in found if place.kind == "left")] if deaths else []


_Rows = list[dict[Any, Any]]


def _frame(entry: Any) -> tuple[int, int, _Rows]:
    """Return first address, end and rows of a frame description entry."""
    start = entry.header["initial_location"]
    return start, start + entry.header["address_range"], entry.get_decoded().table


class Unwinder:
    """Walks the stack of the image in one ELF file; it runs where it was linked."""

    def __init__(self, elf: Path) -> None:
        from elftools.elf.elffile import ELFFile

        with elf.open("rb") as file:
            image = ELFFile(file)
            dwarf: Any = image.get_dwarf_info() if image.has_dwarf_info() else None
            entries = dwarf.CFI_entries() if dwarf is not None and dwarf.has_CFI() else []
            # Between the frames there are entries that several of them share.
            frames = [entry for entry in entries if "initial_location" in entry.header]
            self._frames = sorted(map(_frame, frames), key=lambda frame: frame[0])

    def backtrace(self, place: Place, memory: Memory) -> list[int]:
        """Return the addresses of the calls, innermost first.

        The first is where it happened, the others are those of call instructions' ends. It ends
        where the frame information does: at the image's entry.
        """
        found = [place.pc]
        pc, ra, sp = place.pc, place.ra, place.sp
        if self._rules(pc) is None:
            # A jump to where no code is: the caller's frame is still the current one.
            pc, ra = ra, 0
            found.append(pc)
        while len(found) < _LONGEST:
            # A return address is behind its call, which may be the last of a function.
            inside = pc if pc == place.pc else pc - 1
            step = self._step(inside, ra, sp, memory)
            if step is None:
                break
            pc, sp = step
            ra = 0
            found.append(pc)
        return found

    def _step(self, pc: int, ra: int, sp: int, memory: Memory) -> tuple[int, int] | None:
        """Return the caller's pc and sp, or None at the end of the way."""
        rules = self._rules(pc)
        size = self._frame_size(pc, rules) if rules is not None else None
        if rules is None or size is None:
            return None
        frame = sp + size
        rule = rules.get(_RA)
        if rule is not None and rule.type == "OFFSET":
            try:
                (ra,) = struct.unpack("<Q", memory.read(frame + rule.arg, 8))
            except ValueError:
                return None
        return (ra, frame) if ra and frame >= sp else None

    def _frame_size(self, pc: int, rules: dict[Any, Any]) -> int | None:
        """Return how far the caller's stack is above the stack pointer, in bytes.

        Code that is not optimised counts from its frame pointer, which the firmware does not
        print. Its stack pointer stays where the function's first instructions have put it, as
        nothing in the image has a size that only the run knows.
        """
        if rules["cfa"].reg == _SP:
            return int(rules["cfa"].offset)
        if rules["cfa"].reg != _FP:
            return None
        sizes = [row["cfa"].offset for row in self._rows(pc) if row["cfa"].reg == _SP]
        return max(sizes, default=None)

    def _rules(self, pc: int) -> dict[Any, Any] | None:
        """Return the row of the frame table that holds at an address."""
        rows = [row for row in self._rows(pc) if row["pc"] <= pc]
        return rows[-1] if rows else None

    def _rows(self, pc: int) -> _Rows:
        """Return the frame table of the function at an address."""
        index = bisect_right(self._frames, pc, key=lambda frame: frame[0]) - 1
        if index < 0 or pc >= self._frames[index][1]:
            return []
        return self._frames[index][2]
