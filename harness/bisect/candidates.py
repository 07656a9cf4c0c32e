# SPDX-License-Identifier: Apache-2.0
"""What can have changed the outcome: the commits between the ends, and which contains which.

A candidate is what git takes for one: an ancestor of the new end (itself included) that is no
ancestor of an old end. Sets of candidates are Python integers, bit i is candidate i.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from harness.bisect.dag import Dag
from harness.bisect.problems import UnrelatedHistories, WrongOrder


def bits(mask: int) -> Iterator[int]:
    """Return the numbers of the bits that are set, lowest first."""
    # Text is the fastest way through a long integer: one pass, no arithmetic on long numbers.
    text = bin(mask)[:1:-1]
    found = text.find("1")
    while found >= 0:
        yield found
        found = text.find("1", found + 1)


class Candidates:
    """The commits between old ends and the new end.

    Attributes:
        commits: the candidates, oldest first (parents before children); their numbers are their
            places. The new end is the last.
        starts: the old ends that the new end descends from; for an old end on a branch of its own
            the merge bases. What all candidates are compared with.
        nodes: what can be tested, `commits` and then `starts`.
        contained: for each node the set of candidates that it contains, itself included.
        since: for each node the set of starts that it descends from; bit i is `starts[i]`.
    """

    def __init__(
        self, dag: Dag, old: Sequence[str], new: str, *, first_parent: bool = False
    ) -> None:
        """Find the candidates.

        Args:
            dag: the history, at least `old...new` with its boundary.
            old: the older ends, at least one.
            new: the newer end.
            first_parent: follow only first parents from the new end, so that a merge stands for
                all that it brought in.

        Raises:
            DagError: an end is not in the history.
            UnrelatedHistories: an old end shares no ancestor with the new one.
            WrongOrder: the new end is an old end or an ancestor of one.
        """
        graph = dag.first_parents() if first_parent else dag
        known = dag.ancestors(old)
        if new in known:
            raise WrongOrder(
                f"{new} is an ancestor of {' or '.join(old)}, or the same: nothing is in between",
                "exchange the ends, or look for what fixed it (--find-fix)",
            )
        reached = graph.ancestors([new])
        self.commits = tuple(c for c in dag.parents if c in reached and c not in known)
        self.starts = _starts(dag, old, new)
        self.nodes = self.commits + self.starts
        self.index = {commit: number for number, commit in enumerate(self.nodes)}
        self.parents = {c: graph.parents[c] for c in self.commits}
        self.contained = self._contained()
        self.since = self._since(dag)
        self._sums = self._ways_to_sum()

    def __len__(self) -> int:
        return len(self.commits)

    def _contained(self) -> list[int]:
        masks: list[int] = []
        for number, commit in enumerate(self.commits):
            mask = 1 << number
            for parent in self._parents_inside(commit):
                mask |= masks[parent]
            masks.append(mask)
        return masks + [0] * len(self.starts)

    def _parents_inside(self, commit: str) -> list[int]:
        # A start is a parent as well, but it contains no candidate.
        found = (self.index.get(parent, len(self)) for parent in self.parents[commit])
        return [number for number in found if number < len(self)]

    def _since(self, dag: Dag) -> list[int]:
        marks: dict[str, int] = {commit: 1 << i for i, commit in enumerate(self.starts)}
        for commit, parents in dag.parents.items():
            for parent in parents:
                if parent in marks:
                    marks[commit] = marks.get(commit, 0) | marks[parent]
        return [marks.get(commit, 0) for commit in self.nodes]

    def _ways_to_sum(self) -> list[tuple[int, tuple[int, ...]]]:
        """For each candidate: the parent that contains most, and what the other parents add.

        So the sum over what a commit contains takes one addition on a line; what a merge brings
        in is counted once, so all sums together take about as many additions as there are commits.
        """
        ways: list[tuple[int, tuple[int, ...]]] = []
        for number, commit in enumerate(self.commits):
            inside = self._parents_inside(commit)
            main = max(inside, key=lambda i: self.contained[i].bit_count(), default=-1)
            covered = self.contained[main] if inside else 0
            rest = self.contained[number] & ~covered & ~(1 << number)
            ways.append((main, tuple(bits(rest)) if rest else ()))
        return ways

    def sums(self, weights: Sequence[float]) -> list[float]:
        """Return for each node the sum of the weights of the candidates that it contains.

        With weights of 1 these are the numbers that git bisect calls weights.
        """
        found: list[float] = []
        add = found.append
        for (main, rest), weight in zip(self._sums, weights, strict=False):
            total = weight if main < 0 else weight + found[main]
            for number in rest:
                total += weights[number]
            add(total)
        return found + [0.0] * len(self.starts)

    @cached_property
    def containing(self) -> list[int]:
        """For each candidate the set of candidates that contain it, itself included."""
        masks = [1 << number for number in range(len(self))]
        for number in range(len(self) - 1, -1, -1):
            for parent in self._parents_inside(self.commits[number]):
                masks[parent] |= masks[number]
        return masks

    @cached_property
    def neighbours(self) -> list[list[int]]:
        """For each candidate its parents and children among the candidates."""
        near: list[list[int]] = [[] for _ in self.commits]
        for number, commit in enumerate(self.commits):
            for parent in self._parents_inside(commit):
                near[number].append(parent)
                near[parent].append(number)
        return near


def _starts(dag: Dag, old: Sequence[str], new: str) -> tuple[str, ...]:
    behind = dag.ancestors([new])
    found: dict[str, None] = {}
    for end in old:
        bases = (end,) if end in behind else dag.merge_bases(end, new)
        if not bases:
            raise UnrelatedHistories(
                f"{end} and {new} have no common ancestor",
                "name two commits of one history",
            )
        found |= dict.fromkeys(bases)
    return tuple(found)
