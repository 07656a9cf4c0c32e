# SPDX-License-Identifier: Apache-2.0
"""What a round trip to a virtio device costs: reads of a disk, one sector each, past all caches."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from harness.bench.linux_costs import Costs, cost_lines

DISK = "disk"
DISK_PATH = "/tmp/vda"
# As the workload `disk` has them (guest-images/tvm/work/disk.c)
READS = 256
_SECTORS = 64
_SECTOR = 512
# A TVM is to leave its vCPU for a read no more often than a plain guest: for each of the driver's 7
# accesses to registers (notification; two claims, the second of which finds nothing; status;
# acknowledgement; whether the interrupt is enabled; completion), and now and then for a timer.
EXITS_LIMIT = 1.05
# Each exit is two domain switches; what M-mode records is what the VMM counts, up to a timer or so.
COUNTS_LIMIT = 1.01


def disk_content() -> bytes:
    """Return a disk on which each sector says which one it is: the first has 1."""
    return b"".join(struct.pack("<Q", 1 + at).ljust(_SECTOR, b"\0") for at in range(_SECTORS))


def disk_lines(more: Mapping[str, Costs], instructions: Mapping[str, int]) -> Sequence[str]:
    """Return what is printed of the reads; domain switches are those that M-mode has recorded.

    Args:
        more: by kind of guest, what it costs beyond the same guest with the disk and no reads.
        instructions: those of the workload, by kind.
    """
    title = f"read of a sector by virtio-blk, each of {READS}:"
    recorded = {kind: cost.recorded for kind, cost in more.items()}
    return cost_lines(title, more, instructions, recorded, READS)


def disk_ratios(
    more: Mapping[str, Costs], instructions: Mapping[str, int]
) -> Sequence[tuple[str, float, float | None]]:
    """Return name, value and limit (None: there is none) of what is compared.

    Args:
        more: as for `disk_lines`.
        instructions: as for `disk_lines`.
    """
    ours, plain = more["tvm"], more["kvm"]
    low, high = sorted((ours.recorded, ours.switches))
    return (
        ("disk: exits of a read, TVM / KVM guest", _quotient(ours.exits, plain.exits), EXITS_LIMIT),
        ("disk: switches, of M-mode's count and VMM's", _quotient(high, low), COUNTS_LIMIT),
        ("disk: TVM / KVM guest", _quotient(instructions["tvm"], instructions["kvm"]), None),
    )


def _quotient(one: int, other: int) -> float:
    """Return a quotient; of nothing that was counted nothing is within a limit."""
    return one / other if other > 0 else float("inf")
