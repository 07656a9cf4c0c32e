# SPDX-License-Identifier: Apache-2.0
"""The registers of all harts, from what QEMU's monitor prints."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HART = re.compile(r"^CPU#(\d+)$", re.MULTILINE)
_NAMED = ("pc", "x1/ra", "mepc", "sepc", "vsepc", "mcause", "scause", "vscause")


@dataclass(frozen=True, slots=True)
class HartState:
    """The registers of one hart that say where it was."""

    hart: int
    virtual: bool
    registers: dict[str, int]


def parse_registers(text: str) -> list[HartState]:
    """Return the harts in the output of QEMU's `info registers -a`."""
    parts = _HART.split(text)[1:]
    harts = []
    for number, block in zip(parts[::2], parts[1::2], strict=True):
        registers = {}
        for name in _NAMED:
            match = re.search(rf"(?:^|\s){re.escape(name)}\s+([0-9a-f]+)", block)
            if match:
                registers[name] = int(match[1], 16)
        virtual = re.search(r"^ ?V\s*=\s*1", block, re.MULTILINE) is not None
        harts.append(HartState(int(number), virtual, registers))
    return harts
