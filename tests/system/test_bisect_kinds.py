# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect` names the commit, whatever the regression is like."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from harness.bench.history import History
from harness.bisect.journal import Bisection, load_bisection
from harness.bisect.oracle import JUDGED, Outcome
from tests.system.conftest import teecall
from tests.system.histories import REGRESSIONS, bisect_words, history

NIGHT = bool(os.environ.get("TEECALL_NIGHTLY"))
COMMITS = 64 if NIGHT else 8
# By day one failure of the bad end is taken for a sure one, which saves five boots of it.
SURE = () if NIGHT else ("--failure-rate", "100%")
# How likely a check of chance may fail with nothing wrong.
FALSE_ALARM = 1e-6


def bisect(made: History, out: Path, kind: str, *options: str) -> Bisection:
    """Search a history to its answer, and return what the journal has of it."""
    words = [*bisect_words(made, kind), "--out", str(out), "-j", "2", *options]
    done = teecall("bisect", *words)
    assert done.returncode == 0, done.stdout
    return load_bisection(out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hang", "value", "trap", "call", "cost", "driver", "tsm"])
def test_each_kind_of_regression_is_named(kind: str, tmp_path: Path) -> None:
    made = history(tmp_path, kind, COMMITS, COMMITS * 5 // 8)
    options = [
        *REGRESSIONS[kind].options,
        *(() if "--metric" in REGRESSIONS[kind].options else SURE),
    ]
    found = bisect(made, tmp_path / "out", kind, *options)
    (answer,) = found.answers
    assert answer.culprits == (made.culprit,)
    assert answer.conclusive and answer.confidence > 0.98
    # Each commit is another machine, so each verdict is of a machine that ran.
    assert not any(step.same_as for step in found.steps())
    machines = {step.candidate: step.identity for step in found.steps()}
    assert len(set(machines.values())) == len(machines) >= 4


def likely(failed: int, trials: int, rate: float) -> float:
    """Return how likely a number of failures is, or one as far from the rate or farther."""
    chances = [
        math.comb(trials, n) * rate**n * (1 - rate) ** (trials - n) for n in range(trials + 1)
    ]
    tail = chances[failed:] if failed > trials * rate else chances[: failed + 1]
    return min(1.0, 2 * sum(tail))


def test_a_number_of_failures_is_likely_or_not() -> None:
    assert likely(4, 12, 1 / 3) == 1
    assert likely(8, 12, 1 / 3) == pytest.approx(0.0374, rel=0.01)
    assert likely(40, 40, 1 / 3) < FALSE_ALARM > likely(0, 40, 1 / 3)
    assert sum(likely(n, 1, 0.5) for n in (0, 1)) == 2


@pytest.mark.slow
def test_failure_on_one_of_three_boots_is_named(tmp_path: Path) -> None:
    commits = 16 if NIGHT else 4
    made = history(tmp_path, "flaky", commits, commits - 1)
    found = bisect(made, tmp_path / "out", "flaky", *REGRESSIONS["flaky"].options)
    (answer,) = found.answers
    steps = [step for step in found.steps() if step.outcome in JUDGED]
    # The search is right in all but 1 % of the cases; what is never wrong is what it has seen.
    first = made.commits.index(made.culprit)
    having = {*made.commits[first:]}
    drawn = [step.outcome is Outcome.BAD for step in steps if step.candidate in having]
    assert likely(sum(drawn), len(drawn), 1 / 3) > FALSE_ALARM, drawn
    assert not any(s.outcome is Outcome.BAD for s in steps if s.candidate not in having)
    # Once in a hundred searches the culprit's child may be named: then its parent has passed so
    # often that luck was hardly an explanation.
    (named,) = answer.culprits
    assert named in having and answer.confidence > 0.98
    (parent,) = answer.described[named].parents
    passes = sum(s.candidate == parent and s.outcome is Outcome.GOOD for s in steps)
    fails = sum(s.candidate == parent and s.outcome is Outcome.BAD for s in steps)
    assert passes >= 3 and not fails


@pytest.mark.slow
def test_equal_builds_share_a_verdict(tmp_path: Path) -> None:
    made = history(tmp_path, "trap", 12, 8, notes=1)
    found = bisect(made, tmp_path / "out", "trap", *SURE)
    assert [answer.culprits for answer in found.answers] == [(made.culprit,)]
    identities = {step.candidate: step.identity for step in found.steps()}
    assert len(set(identities.values())) == 2
    shared = [step for step in found.steps() if step.same_as]
    assert shared
    first = made.commits.index(made.culprit)
    for step in shared:
        assert step.same_as and identities[step.candidate] == identities[step.same_as]
        bad = step.candidate in made.commits[first:]
        assert step.outcome is (Outcome.BAD if bad else Outcome.GOOD)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unbuildable", "possible"),
    [((4, 5, 7), (4, 5, 6))] + ([((5, 6, 7), (5, 6, 7, 8))] if NIGHT else []),
)
def test_unbuildable_commits_around_the_culprit_remain_possible(
    unbuildable: tuple[int, ...], possible: tuple[int, ...], tmp_path: Path
) -> None:
    made = history(tmp_path, "trap", 10, 6, unbuildable)
    found = bisect(made, tmp_path / "out", "trap", *SURE)
    (answer,) = found.answers
    commits = {number: made.commits[number - 1] for number in range(1, 11)}
    assert answer.culprits == tuple(commits[number] for number in possible)
    assert made.culprit in answer.culprits
    assert set(answer.skipped) == {commits[n] for n in unbuildable} & set(answer.culprits)
    # What does not build is never judged.
    judged = {step.candidate for step in found.steps() if step.outcome in ("GOOD", "BAD")}
    assert not judged & {commits[number] for number in unbuildable}
