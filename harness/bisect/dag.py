# SPDX-License-Identifier: Apache-2.0
"""A history as plain values: commits and their parents.

Values that are no commits (QEMU binaries, numbers of a configuration) are a history too, one
without branches: `Dag.line`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.bisect.problems import DagError


@dataclass(frozen=True, slots=True)
class Dag:
    """Commits with their parents, in an order in which parents come before their children.

    Make one with `of`, `line` or `from_rev_list`, which find that order.
    """

    parents: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, edges: Iterable[tuple[str, Sequence[str]]]) -> Dag:
        """Return the history of these commits.

        Args:
            edges: each commit with its parents, first parent first, in any order. Parents that are
                no commits of their own here lie outside: a part of a history is a history.

        Raises:
            DagError: a commit is there twice, or is its own ancestor.
        """
        given: dict[str, tuple[str, ...]] = {}
        for commit, parents in edges:
            if commit in given:
                raise DagError(f"commit {commit} is in the history twice")
            given[commit] = tuple(dict.fromkeys(parents))
        inside = {c: tuple(p for p in parents if p in given) for c, parents in given.items()}
        return cls({commit: inside[commit] for commit in _parents_first(inside)})

    @classmethod
    def line(cls, values: Sequence[str]) -> Dag:
        """Return the history in which each value is the child of the one before it."""
        return cls.of([(v, values[i - 1 : i] if i else ()) for i, v in enumerate(values)])

    @classmethod
    def from_rev_list(cls, text: str) -> Dag:
        """Return the history that `git rev-list --parents [--boundary]` has printed.

        For a search `good...bad` with `--boundary` is enough: it has the merge bases.
        """
        rows = (line.lstrip("-").split() for line in text.splitlines() if line.strip())
        return cls.of([(row[0], row[1:]) for row in rows])

    def as_rev_list(self) -> str:
        """Return the history as `from_rev_list` reads it, parents before their children."""
        return "".join(" ".join((c, *parents)) + "\n" for c, parents in self.parents.items())

    def ancestors(self, commits: Iterable[str]) -> set[str]:
        """Return the commits and all their ancestors.

        Raises:
            DagError: a commit is not in the history.
        """
        found: set[str] = set()
        waiting = list(commits)
        while waiting:
            commit = waiting.pop()
            if commit in found:
                continue
            if commit not in self.parents:
                raise DagError(f"commit {commit} is not in the history given")
            found.add(commit)
            waiting += self.parents[commit]
        return found

    def first_parents(self) -> Dag:
        """Return the history without what merges brought in: only first parents."""
        return Dag({commit: parents[:1] for commit, parents in self.parents.items()})

    def merge_bases(self, one: str, other: str) -> tuple[str, ...]:
        """Return the best common ancestors, as `git merge-base --all` does; oldest first."""
        common = self.ancestors([one]) & self.ancestors([other])
        # The set has all ancestors of its members, so one that is nobody's parent is a newest.
        inner = {parent for commit in common for parent in self.parents[commit]}
        return tuple(commit for commit in self.parents if commit in common - inner)


def _parents_first(parents: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Kahn's order; among commits that are free it keeps the order of the input."""
    children: dict[str, list[str]] = {commit: [] for commit in parents}
    missing = Counter({commit: len(of) for commit, of in parents.items()})
    for commit, of in parents.items():
        for parent in of:
            children[parent].append(commit)
    order = [commit for commit in parents if not missing[commit]]
    for commit in order:
        for child in children[commit]:
            missing[child] -= 1
            if not missing[child]:
                order.append(child)
    if len(order) != len(parents):
        stuck = next(commit for commit in parents if missing[commit])
        raise DagError(f"commit {stuck} is its own ancestor, or a descendant of one that is")
    return order
