# SPDX-License-Identifier: Apache-2.0
"""QEMU's own log of traps (`-d int`): evidence that no firmware can forge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LINE = re.compile(
    r"riscv_cpu_do_interrupt: hart:(\d+), async:([01]), cause:([0-9a-fA-F]+), "
    r"epc:0x([0-9a-fA-F]+), tval:0x([0-9a-fA-F]+), desc=(\S+)"
)
# Machine-level software, timer and external interrupts (Privileged spec, table of mcause).
_OF_MACHINE = frozenset({3, 7, 11})
CAUSE_ECALL_HS = 9
CAUSE_ECALL_VS = 10


@dataclass(frozen=True, slots=True)
class Trap:
    """One trap or interrupt that a hart took; `line` is its line in the log, from 1."""

    hart: int
    interrupt: bool
    cause: int
    pc: int
    value: int
    name: str
    line: int

    def is_ecall(self, cause: int) -> bool:
        """Tell whether this is the ecall with exception code `cause`."""
        return not self.interrupt and self.cause == cause

    @property
    def is_machine_interrupt(self) -> bool:
        """Whether M-mode alone was called, which goes back to where it came from."""
        return self.interrupt and self.cause in _OF_MACHINE


def parse_interrupts(lines: Iterable[str]) -> list[Trap]:
    """Return the traps in a log; lines of other kinds are passed over."""
    found = []
    for number, line in enumerate(lines, 1):
        match = _LINE.search(line)
        if match:
            hart, is_async, cause, pc, value, name = match.groups()
            found.append(
                Trap(
                    int(hart),
                    is_async == "1",
                    int(cause, 16),
                    int(pc, 16),
                    int(value, 16),
                    name,
                    number,
                )
            )
    return found
