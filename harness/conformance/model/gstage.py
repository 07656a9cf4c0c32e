# SPDX-License-Identifier: Apache-2.0
"""A TVM's guest-physical memory: regions, leaves and page tables (cove.md 3.4, rules.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from harness.conformance.calls import PAGE

SIZES = (PAGE, PAGE << 9, PAGE << 18)


class Kind(StrEnum):
    """Kind of a region, or of a part of one that the guest has asked to change."""

    CONFIDENTIAL = "confidential"
    SHARED = "shared"
    TO_SHARED = "confidential, about to be shared"
    TO_CONFIDENTIAL = "shared, about to be confidential"


@dataclass
class Leaf:
    """A mapping of one page of any size; `blocked` is the fence version of its invalidation."""

    page: int
    size: int
    kind: Kind
    blocked: int | None = None


@dataclass
class GStage:
    """Regions as (start, end, kind), leaves by address, the tables that exist, free tables."""

    regions: list[tuple[int, int, Kind]] = field(default_factory=list)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    tables: set[tuple[int, int]] = field(default_factory=set)
    free_tables: int = 0

    def overlaps(self, start: int, end: int) -> bool:
        """True when a region has a byte of the range."""
        return any(start < high and low < end for low, high, _ in self.regions)

    def inside(self, start: int, end: int, kinds: frozenset[Kind]) -> bool:
        """True when each byte of the range is in a region of one of the kinds."""
        at = start
        for low, high, kind in sorted(self.regions):
            if kind in kinds and low <= at < high:
                at = high
        return at >= end

    def kind_at(self, gpa: int) -> Kind | None:
        """Return the kind of the region at an address."""
        return next((kind for low, high, kind in self.regions if low <= gpa < high), None)

    def change(self, start: int, end: int, kind: Kind) -> None:
        """Make the range, which is in regions, one of another kind."""
        parts = []
        for low, high, old in self.regions:
            parts += [(low, min(high, start), old), (max(low, end), high, old)]
        self.regions = [part for part in parts if part[0] < part[1]]
        self.regions.append((start, end, kind))

    def leaf_at(self, gpa: int) -> Leaf | None:
        """Return the leaf that maps an address."""
        for size in SIZES:
            leaf = self.leaves.get(gpa & ~(size - 1))
            if leaf is not None and leaf.size >= size:
                return leaf
        return None

    def empty(self, start: int, end: int) -> bool:
        """True when nothing is mapped in the range."""
        if self.leaf_at(start) is not None:
            return False
        return not any(start <= gpa < end for gpa in self.leaves)

    def has_table(self, start: int, size: int, end: int) -> bool:
        """True when a page table is where a leaf of this size would be."""
        level = SIZES.index(size)
        return level > 0 and any((level, gpa) in self.tables for gpa in range(start, end, size))

    def missing_tables(self, start: int, end: int, size: int) -> set[tuple[int, int]]:
        """Return the tables that leaves of this size need and that are not there.

        A table is named by its level, that of the leaf that could be in its place (1: 2 MiB, 2:
        1 GiB, 3: 512 GiB), and by its address. The directory of four pages is always there.
        """
        wanted = set()
        for level in range(SIZES.index(size) + 1, 4):
            span = PAGE << 9 * level
            wanted |= {(level, gpa) for gpa in range(start & ~(span - 1), end, span)}
        return wanted - self.tables

    def take_tables(self, wanted: set[tuple[int, int]]) -> None:
        """Put free pages to use as tables."""
        self.tables |= wanted
        self.free_tables -= len(wanted)

    def whole_leaves(self, start: int, end: int) -> list[tuple[int, Leaf]] | None:
        """Return the leaves of which the range is made; None when it cuts one or has a hole."""
        found = []
        at = start
        while at < end:
            leaf = self.leaves.get(at)
            if leaf is None or at + leaf.size > end:
                return None
            found.append((at, leaf))
            at += leaf.size
        return found
