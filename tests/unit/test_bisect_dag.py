# SPDX-License-Identifier: Apache-2.0
"""Histories, and what lies between two commits, compared with git itself."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings

from harness.bisect.belief import Belief
from harness.bisect.candidates import Candidates, bits
from harness.bisect.choose import Known, choose
from harness.bisect.dag import Dag
from harness.bisect.oracle import Model, Outcome
from harness.bisect.problems import DagError, UnrelatedHistories, WrongOrder
from harness.bisect.search import Search
from tests.unit.histories import NIGHTLY, Failure, dags, line, rounds

DIAMOND = Dag.of([("d", ["b", "c"]), ("b", ["a"]), ("c", ["a"]), ("a", [])])


class Repository:
    """A git repository whose commits are empty and form a random history."""

    def __init__(self, folder: Path, seed: int, size: int) -> None:
        self.folder = folder
        self("init", "-q", ".")
        tree = self("write-tree")
        rng = random.Random(seed)
        self.ids: list[str] = []
        for number in range(size):
            recent = self.ids[-4:]
            parents = rng.sample(recent, min(len(recent), rng.choice((1, 1, 1, 2, 3))))
            flags = [word for parent in parents for word in ("-p", parent)]
            self.ids.append(self("commit-tree", tree, *flags, "-m", f"commit {number}"))
        # git bisect wants a branch to come back to.
        self("update-ref", "HEAD", self.ids[-1])
        self.dag = Dag.from_rev_list(self("rev-list", "--parents", *self.ids))

    def __call__(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "a" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "a@example.com" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_DATE": "1700000000 +0000" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder, env=environment, text=True, capture_output=True, check=False,
        )  # fmt: skip
        # git bisect answers by status 2 that only skipped commits are left.
        assert done.returncode in (0, 2), done.stderr
        return done.stdout.strip()

    def bisect(self, good: str, bad: str, outcomes: dict[str, str]) -> set[str]:
        """Return what git bisect finds: the first bad commit, or all that it can be."""
        said = self("bisect", "start", "--no-checkout", bad, good)
        while "first bad commit" not in said:
            commit = self("rev-parse", "--verify", "BISECT_HEAD")
            said = self("bisect", outcomes[commit])
        self("bisect", "reset")
        if "any of" not in said:
            return {said.split()[0]}
        return {word for word in said.split() if len(word) == 40}


SEEDS = range(12 if NIGHTLY else 3)


@pytest.mark.parametrize("seed", SEEDS)
def test_git_agrees(tmp_path: Path, seed: int) -> None:
    repository = Repository(tmp_path, seed, 30)
    dag, ids = repository.dag, repository.ids
    rng = random.Random(seed)
    for _ in range(6):
        one, other = rng.sample(ids, 2)
        expected = repository("merge-base", "--all", one, other).split()
        assert sorted(dag.merge_bases(one, other)) == sorted(expected)
    good, bad = ids[2], ids[-1]
    candidates = Candidates(dag, [good], bad)
    assert sorted(candidates.commits) == sorted(repository("rev-list", bad, f"^{good}").split())
    weights = candidates.sums([1.0] * len(candidates))
    for row in repository("rev-list", "--bisect-all", bad, f"^{good}").splitlines():
        commit, distance = row.split()[0], int(row.split("dist=")[1].split(")")[0].split(",")[0])
        weight = weights[candidates.index[commit]]
        assert min(weight, len(candidates) - weight) == distance
    chain = Candidates(dag, [good], bad, first_parent=True)
    expected = repository("rev-list", "--first-parent", bad, f"^{good}").split()
    assert list(chain.commits) == expected[::-1]


@pytest.mark.parametrize("seed", SEEDS)
def test_git_bisect_names_the_same_commits(tmp_path: Path, seed: int) -> None:
    repository = Repository(tmp_path, 100 + seed, 24)
    dag, ids = repository.dag, repository.ids
    rng = random.Random(seed)
    good, bad = ids[0], ids[-1]
    between = Candidates(dag, [good], bad).commits
    for skips in (0, 0, len(between) // 2):
        culprit = rng.choice(between)
        skipped = set(rng.sample(between[:-1], min(skips, len(between) - 1)))
        failure = Failure(dag, culprit, skipped=skipped)
        words = {Outcome.GOOD: "good", Outcome.BAD: "bad", Outcome.SKIP: "skip"}
        by_git = repository.bisect(good, bad, {commit: words[failure(commit)] for commit in ids})
        search = Search(dag, [good], bad)
        rounds(search, failure)
        answer = search.answer()
        assert answer is not None
        assert culprit in answer.culprits
        # Commits on other branches can tell apart what git calls undecided; never the reverse.
        assert set(answer.culprits) <= by_git


def test_a_history_is_ordered_and_checked() -> None:
    assert next(iter(DIAMOND.parents)) == "a"
    assert list(DIAMOND.parents)[-1] == "d"
    assert DIAMOND.first_parents().ancestors(["d"]) == {"a", "b", "d"}
    with pytest.raises(DagError, match="twice"):
        Dag.of([("a", []), ("a", [])])
    with pytest.raises(DagError, match="own ancestor"):
        Dag.of([("a", ["b"]), ("b", ["a"])])
    with pytest.raises(DagError, match="not in the history"):
        DIAMOND.ancestors(["z"])
    assert Dag.from_rev_list("c b\n-b a\n").parents == {"b": (), "c": ("b",)}


def test_wrong_ends_are_told() -> None:
    with pytest.raises(WrongOrder):
        Candidates(DIAMOND, ["d"], "a")
    with pytest.raises(WrongOrder):
        Candidates(DIAMOND, ["d"], "d")
    with pytest.raises(UnrelatedHistories):
        Candidates(Dag.of([("a", []), ("b", [])]), ["a"], "b")
    # Of two branches: what is on the new one, from where they part.
    sides = Candidates(DIAMOND, ["b"], "c")
    assert (sides.commits, sides.starts) == (("c",), ("a",))


@settings(deadline=None)
@given(dag=dags())
def test_what_contains_what(dag: Dag) -> None:
    commits = list(dag.parents)
    candidates = Candidates(dag, [commits[0]], commits[-1])
    weights = [float(2 + i * i) for i in range(len(candidates))]
    sums = candidates.sums(weights)
    for number, commit in enumerate(candidates.commits):
        inside = {candidates.commits[i] for i in bits(candidates.contained[number])}
        assert inside == dag.ancestors([commit]) - {commits[0]}
        assert sums[number] == sum(weights[candidates.index[c]] for c in inside)
        holders = {candidates.commits[i] for i in bits(candidates.containing[number])}
        assert holders == {c for c in candidates.commits if commit in dag.ancestors([c])}


def chosen(candidates: Candidates, slots: int, known: Known | None = None) -> list[int]:
    belief = Belief(candidates, Model())
    belief.observe(len(candidates) - 1, Outcome.BAD)
    belief.observe(len(candidates), Outcome.GOOD)
    return choose(belief, known or Known(), slots)


@settings(deadline=None)
@given(dag=dags())
def test_the_middle_is_git_s(dag: Dag) -> None:
    commits = list(dag.parents)
    candidates = Candidates(dag, [commits[0]], commits[-1])
    if len(candidates) == 1:
        return
    size = len(candidates)
    best = max(min(w, size - w) for w in candidates.sums([1.0] * size))
    (node,) = chosen(candidates, 1)
    weight = candidates.contained[node].bit_count()
    assert min(weight, size - weight) == best


@pytest.mark.parametrize("slots", [2, 3, 5])
def test_several_at_once_split_evenly(slots: int) -> None:
    nodes = sorted(chosen(Candidates(line(60), ["c0"], "c60"), slots))
    assert len(nodes) == slots
    edges = [-1, *nodes, 59]
    parts = [b - a for a, b in itertools.pairwise(edges)]
    assert max(parts) <= 60 / (slots + 1) + 2


def test_parallel_branches_are_tested_at_once() -> None:
    # Two branches of 16 commits: the best pair is the two middles, which no order of one line has.
    edges: list[tuple[str, list[str]]] = [("base", [])]
    for side in "ab":
        tips = ["base", *(f"{side}{i}" for i in range(16))]
        edges += [(tip, [before]) for before, tip in itertools.pairwise(tips)]
    edges.append(("end", ["a15", "b15"]))
    candidates = Candidates(Dag.of(edges), ["base"], "end")
    masks = [candidates.contained[node] for node in chosen(candidates, 3)]
    cells: dict[tuple[int, ...], int] = {}
    for number in range(len(candidates)):
        key = tuple(mask >> number & 1 for mask in masks)
        cells[key] = cells.get(key, 0) + 1
    assert len(cells) == 4
    assert max(cells.values()) <= 11


def test_a_skip_sends_the_next_trial_away() -> None:
    candidates = Candidates(line(64), ["c0"], "c64")
    (middle,) = chosen(candidates, 1)
    skipped: set[int] = {middle}
    steps = []
    for _ in range(4):
        (node,) = chosen(candidates, 1, Known(skipped=frozenset(skipped)))
        steps.append(min(abs(node - other) for other in skipped))
        skipped.add(node)
    assert min(steps[:2]) >= 4
    assert not skipped & {middle - 1, middle + 1}
