# SPDX-License-Identifier: Apache-2.0
"""Physical pages and the host's fence (cove.md 3.1 to 3.3, rdsm-tsm.md 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from harness.conformance.calls import PAGE


class PageState(StrEnum):
    """Who has a page; any page that is not named is the host's."""

    HOST = "host"
    CONVERTING = "converting"
    UNASSIGNED = "unassigned"
    STATE = "TVM state"
    TABLE = "page table"
    VCPU = "vCPU state"
    DATA = "TVM data"


@dataclass
class Fence:
    """Versions of translations: a page settles when every hart has left the version it has."""

    harts: int
    counts_caller: bool
    current: int = 0
    seen: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen = [0] * self.harts

    @property
    def in_progress(self) -> bool:
        """True until every hart has made its local fence."""
        return min(self.seen) < self.current

    def begin(self, hart: int) -> None:
        """A global fence."""
        self.current += 1
        if self.counts_caller:
            self.seen[hart] = self.current

    def local(self, hart: int) -> None:
        """A hart's local fence."""
        self.seen[hart] = self.current

    def settled(self, version: int) -> bool:
        """True when no hart can know a translation of that version any more."""
        return version < min(self.seen)


@dataclass
class Pages:
    """The pool's pages by address.

    What the host sees: `content` is a word that fills the page, `first` the first word of one
    whose rest nobody knows, `words` are words by address that the host has written; unknown if
    absent. What a TVM sees: `inside` is a word that fills the
    page, `programs` are the pages that hold the guest's program.
    """

    pool: range
    fence: Fence
    entries: int | None
    states: dict[int, PageState] = field(default_factory=dict)
    versions: dict[int, int] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    shared: Counter[int] = field(default_factory=Counter)
    pinned: set[int] = field(default_factory=set)
    content: dict[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    words: dict[int, dict[int, int]] = field(default_factory=dict)
    inside: dict[int, int] = field(default_factory=dict)
    programs: dict[int, bool] = field(default_factory=dict)

    def state(self, page: int) -> PageState:
        """Return the state of a page; one that is fenced is unassigned."""
        state = self.states.get(page, PageState.HOST)
        if state is PageState.CONVERTING and self.fence.settled(self.versions[page]):
            return PageState.UNASSIGNED
        return state

    def all_in(self, pages: Iterable[int], state: PageState) -> bool:
        """True when all pages are the pool's and in the state."""
        # Most of the time that a script takes to write goes by here.
        pool, states = self.pool, self.states
        for page in pages:
            if page not in pool:
                return False
            found = states.get(page, PageState.HOST)
            if found is PageState.CONVERTING:
                found = self.state(page)
            if found is not state:
                return False
        return True

    def host_range(self, address: int, size: int) -> bool:
        """True when all bytes are the host's own, as far as the pool is concerned."""
        first = address & ~(PAGE - 1)
        return self.all_in(range(first, address + size, PAGE), PageState.HOST)

    def assign(self, pages: Iterable[int], state: PageState, owner: int) -> None:
        """Give unassigned pages to a TVM."""
        for page in pages:
            self.states[page] = state
            self.owners[page] = owner
            self.versions.pop(page, None)

    def unassign(self, page: int) -> None:
        """Take a confidential page from its TVM."""
        self.states[page] = PageState.UNASSIGNED
        self.owners.pop(page, None)

    def convert(self, pages: Iterable[int]) -> None:
        """Make pages confidential."""
        for page in pages:
            self.states[page] = PageState.CONVERTING
            self.versions[page] = self.fence.current
            self.forget(page)

    def forget(self, page: int) -> None:
        """What was in the page is not known any more."""
        for known in (self.content, self.first, self.inside, self.programs):
            known.pop(page, None)
        self.words.pop(page, None)

    def reclaim(self, pages: Iterable[int]) -> None:
        """Give pages back to the host, empty."""
        for page in pages:
            if self.states.pop(page, None) is not None:
                self.forget(page)
                self.content[page] = 0
            self.versions.pop(page, None)

    def fits(self, *, more: range = range(0), less: range = range(0)) -> bool:
        """True when the machine can isolate what is confidential then."""
        if self.entries is None:
            return True
        pages = (set(self.states) | set(more)) - set(less)
        return isolation_cost(pages) <= self.entries


def isolation_cost(pages: Iterable[int]) -> int:
    """Return the entries for a set of pages: one a NAPOT range, two for any other."""
    cost, start, end = 0, -1, -1
    for page in [*sorted(pages), -1]:
        if page == end:
            end += PAGE
            continue
        if start >= 0:
            size = end - start
            cost += 1 if size & (size - 1) == 0 and start % size == 0 else 2
        start, end = page, page + PAGE
    return cost
