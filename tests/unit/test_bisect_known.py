# SPDX-License-Identifier: Apache-2.0
"""Trials of earlier bisections: taken once each, and only where they are worth a new one."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from harness.bisect.journal import BeginRecord, Journal, JudgeRecord, load_bisection
from harness.bisect.known import Known
from harness.errors import InfraError
from harness.verdict import Verdict
from tests.unit.test_bisect_loop import (
    COMMITS,
    CULPRIT,
    FakeHands,
    answer_of,
    begin,
    run_of,
    search_in,
    usual,
)


class Boots(FakeHands):
    """Leaves evidence."""

    def begin(self, candidate: str, folder: Path) -> Future[Any]:
        """Run it."""
        folder.mkdir(parents=True)
        return super().begin(candidate, folder)

    @property
    def runs(self) -> int:
        """How many trials were made."""
        return sum(what == "run" for what, _ in self.log)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A bisection that has its answer."""
    hands = Boots()
    assert answer_of(search_in(tmp_path / "one", hands)).culprits == (COMMITS[CULPRIT],)
    assert hands.runs == len(load_bisection(tmp_path / "one").steps())
    return tmp_path / "one"


@pytest.mark.parametrize("slots", [1, 2])
def test_what_an_answer_stood_on_is_all_that_is_asked_for(
    slots: int, first: Path, tmp_path: Path
) -> None:
    again = Boots(slots=slots)
    hints = COMMITS[CULPRIT - 1 : CULPRIT + 1]
    loop = search_in(tmp_path / "two", again, earlier=[first], hints=hints)
    assert answer_of(loop).culprits == (COMMITS[CULPRIT],)
    assert again.runs == 0
    built = {commit for what, commit in again.log if what == "build"}
    assert built == {COMMITS[0], COMMITS[-1], *hints}


def test_a_hint_of_which_nothing_is_known_is_no_step(tmp_path: Path) -> None:
    hands = Boots()
    hint = COMMITS[1]
    assert answer_of(search_in(tmp_path, hands, hints=[hint])).culprits == (COMMITS[CULPRIT],)
    assert ("build", hint) in hands.log and ("run", hint) not in hands.log


def test_a_repeated_bisection_boots_nothing(first: Path, tmp_path: Path) -> None:
    again = Boots()
    loop = search_in(tmp_path / "two", again, earlier=[first])
    assert answer_of(loop).culprits == (COMMITS[CULPRIT],)
    assert again.runs == 0
    steps = load_bisection(tmp_path / "two").steps()
    assert {step.known for step in steps} == {"one"}
    # Each trial stands for one: the same luck does not count twice.
    assert len({step.evidence for step in steps}) == len(steps)
    assert all(Path(step.evidence or "").is_dir() for step in steps)
    # Nothing is built that nobody asked for: it would stand before what is.
    assert not any(build.ahead for build in load_bisection(tmp_path / "two").builds)
    # What was taken is not handed on: the third search takes it from the first.
    third = search_in(tmp_path / "three", Boots(), earlier=[tmp_path / "two", first])
    taken = load_bisection(tmp_path / "three").steps()
    assert {step.known for step in taken} == {"one"}
    assert answer_of(third).culprits == (COMMITS[CULPRIT],)


def test_a_repeated_bisection_that_goes_on_takes_nothing_twice(first: Path, tmp_path: Path) -> None:
    search_in(tmp_path / "two", Boots(), earlier=[first])
    second = load_bisection(tmp_path / "two")
    steps = second.steps()
    begun = begin("two")
    left = Known(begun, [first], steps[:4])
    taken = {step.evidence for step in steps[:4]}
    identities = [step.identity for step in load_bisection(first).steps()]
    offered = []
    for identity in identities:
        while (step := left.take(identity)) is not None:
            offered.append(step.evidence)
    assert len(offered) == len(identities) - len(taken)
    assert not taken & set(offered)


@pytest.mark.parametrize(
    "begun",
    [
        begin("two", fresh=True),
        begin("two", program="another"),
        begin("two", judge=JudgeRecord(scenario="audit")),
        begin("two", judge=JudgeRecord(script="./try")),
        begin("one"),
    ],
    ids=["fresh", "program", "judge", "script", "itself"],
)
def test_another_question_has_no_answers(first: Path, begun: BeginRecord) -> None:
    identity = load_bisection(first).steps()[0].identity
    assert Known(begin("two"), [first]).take(identity) is not None
    assert Known(begun, [first]).take(identity) is None


def test_a_script_is_never_known(tmp_path: Path) -> None:
    script = JudgeRecord(script="./try")
    folder = tmp_path / "one"
    with Journal(folder) as journal:
        journal.write(begin("one", judge=script))
        for step in load_bisection_of_runs(tmp_path):
            journal.write(step)
    assert Known(begin("two", judge=script), [folder]).take(COMMITS[-1]) is None


def load_bisection_of_runs(tmp_path: Path) -> list[Any]:
    """Return the steps of a bisection by runs, with evidence where a script would have it."""
    search_in(tmp_path / "runs", Boots())
    shutil.copytree(tmp_path / "runs" / "runs", tmp_path / "one" / "runs", dirs_exist_ok=True)
    return list(load_bisection(tmp_path / "runs").steps())


def test_another_machine_or_lost_evidence_is_tried_again(first: Path, tmp_path: Path) -> None:
    other = Boots(identity=lambda number: f"other {number}")
    search_in(tmp_path / "two", other, earlier=[first])
    assert other.runs == len(load_bisection(tmp_path / "two").steps())
    shutil.rmtree(first / "runs")
    lost = Boots()
    search_in(tmp_path / "three", lost, earlier=[first])
    assert lost.runs == len(load_bisection(tmp_path / "three").steps())


def test_what_the_environment_spoilt_is_not_known(tmp_path: Path) -> None:
    left = [InfraError("the disk burns")]

    def show(number: int) -> Any:
        return left.pop() if number == CULPRIT and left else usual(number)

    search_in(tmp_path / "one", Boots(show))
    again = Boots()
    loop = search_in(tmp_path / "two", again, earlier=[tmp_path / "one"])
    assert answer_of(loop).culprits == (COMMITS[CULPRIT],)
    assert again.runs == 0
    assert not any(
        step.verdict is Verdict.INFRA for step in load_bisection(tmp_path / "two").steps()
    )


def test_a_known_run_is_judged_anew(tmp_path: Path) -> None:
    """Another failure was looked for then: what counted there is skipped here."""

    def other(number: int) -> Any:
        return run_of(Verdict.FAIL, "FAIL y") if number >= CULPRIT else run_of(Verdict.PASS)

    search_in(tmp_path / "one", Boots(other))
    # The bad end fails as usual now: it is another machine.
    hands = Boots(usual, identity=lambda n: "new" if n == len(COMMITS) - 1 else str(n))
    search_in(tmp_path / "two", hands, earlier=[tmp_path / "one"])
    taken = [step for step in load_bisection(tmp_path / "two").steps() if step.known]
    assert "another failure: FAIL y" in {step.why.partition(": ")[2] for step in taken}
