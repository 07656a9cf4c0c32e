# SPDX-License-Identifier: Apache-2.0
"""What the payload of `teecall bench tsm` has measured, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression

from harness.bench.samples import Sample
from harness.errors import MachineError

# Of a launch, what comes behind it.
_AFTERWARDS = frozenset({"destroy", "reclaim"})
# What the first conversion costs more is no part of the others.
_WARM_UP = "first"
PAGES_A_MIB = 256


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through costs: instructions = fixed + per_unit * units."""

    fixed: float
    per_unit: float
    # How far the cost that fits worst is from the line, as a share of that cost.
    worst: float


def fitted(costs: Mapping[int, int]) -> Line:
    """Return the line that fits costs best, by least squares.

    Args:
        costs: instructions by size, two sizes at least.
    """
    line = linear_regression(list(costs), list(costs.values()))
    worst = max(
        abs(line.intercept + line.slope * size - cost) / cost for size, cost in costs.items()
    )
    return Line(line.intercept, line.slope, worst)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the bytes of a 4 KiB page cost without any TSM, in instructions.

    `words` is zeroing it by stores, `blocks` by cbo.zero; None where harts do not have it.
    """

    copy: int
    hash: int
    words: int
    blocks: int | None

    @property
    def zero(self) -> int:
        """The cheapest way to zero a page that the machine has."""
        return self.words if self.blocks is None else min(self.words, self.blocks)


class Costs:
    """The costs of all calls, which every round agrees on.

    Args:
        samples: what the payload has measured.

    Raises:
        MachineError: two rounds of the same calls differ.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._costs: dict[tuple[str, int], int] = {}
        for sample in samples:
            if not sample.name.startswith(f"{_WARM_UP}."):
                self._add(sample)

    def _add(self, sample: Sample) -> None:
        key = sample.name, sample.ranges
        cost = sample.after - sample.before
        if self._costs.setdefault(key, cost) != cost:
            raise MachineError(
                f"two rounds of `{sample.name}` ({sample.ranges}) do not cost the same:"
                f" {self._costs[key]} and {cost} instructions",
                "something beside the code has an influence: qemu.extra_args?",
            )

    def cost(self, name: str, count: int) -> int:
        """Return what a call has cost, the reads of instret taken off.

        Raises:
            MachineError: it was not measured.
        """
        try:
            return self._costs[name, count] - self._costs["nothing", 0]
        except KeyError:
            raise MachineError(
                f"the payload has not measured `{name}` ({count})", "see uart.log"
            ) from None

    def counts(self, name: str) -> list[int]:
        """Return the MiB or TVMs for which a call was measured, in order."""
        return sorted(count for each, count in self._costs if each == name)

    def launch(self, kind: str, mib: int) -> int:
        """Return what a TVM with so much memory has cost, up to where its vCPU could run.

        Args:
            kind: `measured` or `zero`.
            mib: its size.
        """
        calls = self._calls(kind, mib)
        return sum(self.cost(f"{kind}.{call}", mib) for call in calls - _AFTERWARDS)

    def release(self, kind: str, mib: int) -> int:
        """Return what it has cost to destroy that TVM and to reclaim its memory."""
        return sum(self.cost(f"{kind}.{call}", mib) for call in sorted(_AFTERWARDS))

    def create(self, live: int) -> int:
        """Return what a small TVM has cost that made `live` of them."""
        calls = self._calls("live", live) - _AFTERWARDS
        return sum(self.cost(f"live.{call}", live) for call in calls)

    def _calls(self, kind: str, count: int) -> set[str]:
        found = (name.partition(".") for name, each in self._costs if each == count and "." in name)
        return {call for first, _, call in found if first == kind}

    def parts(self) -> Parts:
        """Return what a page's bytes cost."""
        nothing = self._part("nothing")
        has_blocks = ("part.blocks", 0) in self._costs
        return Parts(
            copy=self._part("copy") - nothing,
            hash=self._part("hash") - nothing,
            words=self._part("words") - nothing,
            blocks=self._part("blocks") - nothing if has_blocks else None,
        )

    def _part(self, name: str) -> int:
        return self.cost(f"part.{name}", 0)
