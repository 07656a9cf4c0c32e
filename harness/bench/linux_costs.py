# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest costs its host in exits and domain switches, counted by whoever makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.host.results import JsonObject, number

TOUCH = "touch"
# What the workload `touch` touches (guest-images/tvm/work/bench.c), MiB
TOUCH_MIB = 48
# 2 MiB are to cost no more than one exit for memory, with the calls that serve it.
DEMAND_LIMIT = 1.0
_BLOCK_MIB = 2
_NAMES = {"kvm": "KVM guest", "tvm": "TVM"}


@dataclass(frozen=True, slots=True)
class Costs:
    """What a guest needed of its host, from launch to its end.

    Exits of its vCPUs, those for the host's own interrupts too; domain switches, as the VMM knows
    them; touches of memory that was not there and that the VMM served; and what M-mode has
    recorded meanwhile: domain switches, and changes of who owns memory.
    """

    exits: int
    switches: int = 0
    demands: int = 0
    recorded: int = 0

    def without(self, other: Costs) -> Costs:
        """Return what is more than in `other`."""
        return Costs(
            self.exits - other.exits,
            self.switches - other.switches,
            self.demands - other.demands,
            self.recorded - other.recorded,
        )


# Of what is no guest
NOTHING = Costs(0)


def costs_of(kind: str, events: Mapping[str, JsonObject]) -> Costs:
    """Return what a guest's VMM has reported.

    Args:
        kind: `tvm` or `kvm`, the tool.
        events: the last event of each kind.
    """
    if kind == "kvm":
        # The kernel counts, also what it has served alone.
        return Costs(number(events.get("exit", {}), "all_exits"))
    end = events.get("vm", {})
    found = end.get("exits")
    exits = (sum(found) if isinstance(found, list) else 0) + number(end, "interrupts")
    # Each run of the vCPU and each call for memory goes to the other domain and comes back.
    return Costs(exits, 2 * (exits + number(end, "demand_calls")), number(end, "demands"))


def demands_per_block(more: Costs) -> float:
    """Return how many exits for memory `touch` needed for each 2 MiB; `more`: than without it."""
    return more.demands * _BLOCK_MIB / TOUCH_MIB


def touch_lines(more: Mapping[str, Costs], instructions: Mapping[str, int]) -> Sequence[str]:
    """Return what is printed of a first touch.

    Args:
        more: by kind of guest, what it costs beyond the same guest without the touch.
        instructions: those of the workload, by kind.
    """
    title = f"first touch of {TOUCH_MIB} MiB, for each MiB:"
    switches = {kind: cost.switches for kind, cost in more.items()}
    return cost_lines(title, more, instructions, switches, TOUCH_MIB)


def cost_lines(
    title: str,
    more: Mapping[str, Costs],
    instructions: Mapping[str, int],
    switches: Mapping[str, int],
    count: int,
) -> Sequence[str]:
    """Return what is printed of something that a guest has done several times.

    Args:
        title: the first line.
        more: by kind of guest, what it costs beyond the same guest without it.
        instructions: by kind.
        switches: domain switches by kind, from whoever has counted them.
        count: how many times it was done.
    """
    lines = [title]
    for kind, name in _NAMES.items():
        lines.append(
            f"  {name:<12}{instructions[kind] / count:>11,.0f} instructions"
            f"{more[kind].exits / count:>9.2f} exits{switches[kind] / count:>9.2f} domain switches"
        )
    return lines
