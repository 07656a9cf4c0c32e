# SPDX-License-Identifier: Apache-2.0
"""Histories, culprits and failures to search, and the loop that a caller of `Search` has."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from hypothesis import strategies as st

from harness.bisect.dag import Dag
from harness.bisect.oracle import Outcome
from harness.bisect.plan import Options, Trial
from harness.bisect.search import Search

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
# A search that needs more is stuck.
ENDLESS = 3000


def line(candidates: int) -> Dag:
    """Return a history without branches: the good end c0 and so many candidates."""
    return Dag.line([f"c{i}" for i in range(candidates + 1)])


@st.composite
def dags(draw: st.DrawFn, most: int = 24) -> Dag:
    """Histories with merges in which c0 is an ancestor of all, and the last a descendant of all."""
    size = draw(st.integers(2, most))
    edges: list[tuple[str, list[str]]] = [("c0", [])]
    tips = {0}
    for i in range(1, size - 1):
        # Recent parents make long lines, as real histories have them.
        parents = draw(
            st.lists(st.integers(max(0, i - 5), i - 1), min_size=1, max_size=3, unique=True)
        )
        tips = tips - set(parents) | {i}
        edges.append((f"c{i}", [f"c{p}" for p in parents]))
    edges.append((f"c{size - 1}", [f"c{tip}" for tip in sorted(tips)]))
    return Dag.of(edges)


def holding(dag: Dag, culprit: str) -> set[str]:
    """Return the commits that contain the culprit."""
    found: set[str] = set()
    for commit, parents in dag.parents.items():
        if commit == culprit or found.intersection(parents):
            found.add(commit)
    return found


@dataclass
class Failure:
    """A failure that came with a commit and shows at a rate."""

    dag: Dag
    culprit: str
    rate: float = 1.0
    skipped: Collection[str] = ()
    fixed: bool = False
    seed: int = 0
    boots: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.holding = holding(self.dag, self.culprit)
        self.random = random.Random(self.seed)

    def __call__(self, commit: str) -> Outcome:
        self.boots.append(commit)
        if commit in self.skipped:
            return Outcome.SKIP
        has = (commit in self.holding) is not self.fixed
        return Outcome.BAD if has and self.random.random() < self.rate else Outcome.GOOD


def search_for(failure: Failure, options: Options | None = None, slots: int = 1) -> Search:
    """Search from the oldest to the newest commit until it ends."""
    commits = list(failure.dag.parents)
    good, bad = (commits[-1], commits[0]) if failure.fixed else (commits[0], commits[-1])
    search = Search(failure.dag, [good], bad, options or Options(find_fix=failure.fixed))
    rounds(search, failure, slots)
    return search


def rounds(
    search: Search, boot: Callable[[str], Outcome], slots: int = 1
) -> list[tuple[Trial, ...]]:
    """Do all trials that the search asks for, so many at once; return what each round tested."""
    done: list[tuple[Trial, ...]] = []
    while not search.ended:
        trials = search.next(slots)
        assert 0 < len(trials) <= slots
        for trial in trials:
            search.observe(trial.commit, boot(trial.commit))
        done.append(tuple(trials))
        assert len(done) < ENDLESS
    return done
