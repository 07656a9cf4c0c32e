# SPDX-License-Identifier: Apache-2.0
"""Which world each hart was in, from QEMU's log of traps: evidence that no firmware can forge.

A guest of KVM and a TVM that run the same image at the same addresses trap at the same places.
What follows tells them apart: the hart goes on in the TSM after a trap of the TVM, and in the
host's kernel after one of the KVM guest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from harness.trace.interrupts import Trap

KVM = "KVM guest"
TVM = "TVM"
# Where the host's kernel and its user space are is not known; M-mode and devices are below.
_RAM = 0x80000000


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay of a hart in a guest; `line` is that of its last trap in the log."""

    hart: int
    world: str
    line: int


def stays(traps: Iterable[Trap], guest: range, tsm: range) -> list[Stay]:
    """Return the stays in guests that the log shows, in the order of their ends.

    Args:
        traps: QEMU's log.
        guest: virtual addresses at which both guests run, which nothing else uses.
        tsm: addresses of the TSM.
    """
    found: list[Stay] = []
    open_at: dict[int, Trap] = {}
    for trap in traps:
        if trap.pc in guest:
            open_at[trap.hart] = trap
        elif trap.hart in open_at and not _of_firmware(trap, guest, tsm):
            world = TVM if trap.pc in tsm else KVM
            found.append(Stay(trap.hart, world, open_at.pop(trap.hart).line))
    return found


def _of_firmware(trap: Trap, guest: range, tsm: range) -> bool:
    """Tell whether M-mode was interrupted or called by another hart: who runs below goes on.

    Such a call may come while the TSM serves a TVM that it then goes back to.
    """
    return trap.is_machine_interrupt or (_RAM <= trap.pc < guest.start and trap.pc not in tsm)


def switches(found: Iterable[Stay], hart: int) -> int:
    """Count how often a hart went from one world's guest to the other's."""
    worlds = [stay.world for stay in found if stay.hart == hart]
    return sum(one != other for one, other in pairwise(worlds))


def overlaps(found: Iterable[Stay], kvm_hart: int, tvm_hart: int) -> int:
    """Count how often the KVM guest on one hart and the TVM on another took turns in the log."""
    wanted = {(kvm_hart, KVM), (tvm_hart, TVM)}
    turns = [(stay.hart, stay.world) for stay in found if (stay.hart, stay.world) in wanted]
    return sum(one != other for one, other in pairwise(turns))
