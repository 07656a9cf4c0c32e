# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect` names the commit, whatever the regression is like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.bench.history import History
from harness.bisect.journal import Bisection, load_bisection
from tests.system.conftest import teecall
from tests.system.histories import REGRESSIONS, history

NIGHT = bool(os.environ.get("TEECALL_NIGHTLY"))
COMMITS = 64 if NIGHT else 8
# By day one failure of the bad end is taken for a sure one, which saves five boots of it.
SURE = () if NIGHT else ("--failure-rate", "100%")


def bisect(made: History, out: Path, *options: str) -> Bisection:
    """Search a history to its answer, and return what the journal has of it."""
    ends = ["--repo", str(made.repo), "--good", made.good, "--bad", made.bad]
    words = ["--component", "opensbi", *ends, "--out", str(out), "-j", "2", *options]
    done = teecall("bisect", *words)
    assert done.returncode == 0, done.stdout
    return load_bisection(out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hang", "value", "trap", "call", "cost"])
def test_each_kind_of_regression_is_named(kind: str, tmp_path: Path) -> None:
    made = history(tmp_path, kind, COMMITS, COMMITS * 5 // 8)
    options = [
        *REGRESSIONS[kind].options,
        *(() if "--metric" in REGRESSIONS[kind].options else SURE),
    ]
    (answer,) = bisect(made, tmp_path / "out", *options).answers
    assert answer.culprits == (made.culprit,)
    assert answer.conclusive and answer.confidence > 0.98


@pytest.mark.slow
def test_failure_on_one_of_three_boots_is_named(tmp_path: Path) -> None:
    commits = 16 if NIGHT else 4
    made = history(tmp_path, "flaky", commits, commits - 1)
    found = bisect(made, tmp_path / "out", *REGRESSIONS["flaky"].options)
    (answer,) = found.answers
    assert answer.culprits == (made.culprit,)
    assert answer.confidence > 0.98
    assert 0.1 < answer.failure_rate < 0.7
    # The culprit's parent was believed only after luck was no explanation any more.
    parent = answer.described[made.culprit].parents[0]
    passes = sum(s.candidate == parent and s.outcome == "GOOD" for s in found.steps())
    assert passes >= 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unbuildable", "possible"),
    [((4, 5, 7), (4, 5, 6))] + ([((5, 6, 7), (5, 6, 7, 8))] if NIGHT else []),
)
def test_unbuildable_commits_around_the_culprit_remain_possible(
    unbuildable: tuple[int, ...], possible: tuple[int, ...], tmp_path: Path
) -> None:
    made = history(tmp_path, "trap", 10, 6, unbuildable)
    found = bisect(made, tmp_path / "out", *SURE)
    (answer,) = found.answers
    commits = {number: made.commits[number - 1] for number in range(1, 11)}
    assert answer.culprits == tuple(commits[number] for number in possible)
    assert made.culprit in answer.culprits
    assert set(answer.skipped) == {commits[n] for n in unbuildable} & set(answer.culprits)
    # What does not build is never judged.
    judged = {step.candidate for step in found.steps() if step.outcome in ("GOOD", "BAD")}
    assert not judged & {commits[number] for number in unbuildable}
