# SPDX-License-Identifier: Apache-2.0
"""The loop of a bisection and its journal: what is lost by a crash, and what never is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.bisect.dag import Dag
from harness.bisect.journal import (
    JOURNAL_FILE,
    BeginRecord,
    Bisection,
    InfraRecord,
    Journal,
    JudgeRecord,
    OptionsRecord,
    Record,
    SkipRecord,
    TreeRecord,
    load_bisection,
)
from harness.bisect.judge import ScriptRan, judge_run, judge_script, reference_of
from harness.bisect.known import PROGRAM, Known
from harness.bisect.labour import Ran
from harness.bisect.loop import Loop
from harness.bisect.oracle import Outcome
from harness.bisect.plan import Answer, Options, Purpose, Trial
from harness.bisect.search import Search
from harness.bisect.subject_build import BuiltCandidate
from harness.errors import BuildError, InfraError, StoreError, UsageError
from harness.night.stops import Stops
from harness.report.record import CheckRecord, RunRecord
from harness.verdict import Verdict

COMMITS = [f"c{number:02}" for number in range(20)]
CULPRIT = 13


def run_of(verdict: Verdict, signature: str | None = None, check: str = "teardown") -> RunRecord:
    """Return a run with one check."""
    return RunRecord(
        dt="",
        id="",
        label="",
        scenario="smoke",
        verdict=verdict,
        exit_code=0,
        started="",
        duration_s=1.0,
        signature=signature,
        title=signature,
        checks=(CheckRecord(name=check, verdict=verdict),),
    )


def usual(number: int) -> RunRecord:
    """Fail from the culprit on."""
    return run_of(Verdict.FAIL, "FAIL x") if number >= CULPRIT else run_of(Verdict.PASS)


@dataclass
class FakeHands:
    """Does all at once; `log` has what was done."""

    show: Callable[[int], RunRecord | Exception] = usual
    unbuildable: frozenset[int] = frozenset()
    identity: Callable[[int], str] = str
    slots: int = 1
    log: list[tuple[str, str]] = field(default_factory=list)
    on_begin: Callable[[], None] = lambda: None
    ended: bool = False
    built: tuple[str, ...] = ()

    def build(self, candidate: str, *, ahead: bool = False) -> Future[BuiltCandidate]:
        """Build it."""
        self.log.append(("build", candidate))
        number = COMMITS.index(candidate)
        future: Future[BuiltCandidate] = Future()
        if number in self.unbuildable:
            future.set_result(BuiltCandidate(None, error=BuildError("it is broken")))
        else:
            identity = self.identity(number)
            future.set_result(BuiltCandidate(None, identity=identity, built=self.built))
        return future

    def begin(self, candidate: str, folder: Path) -> Future[Any]:
        """Run it."""
        self.log.append(("run", candidate))
        self.on_begin()
        future: Future[Any] = Future()
        shown = self.show(COMMITS.index(candidate))
        if isinstance(shown, Exception):
            future.set_exception(shown)
        else:
            future.set_result(shown)
        return future

    def take(self, future: Future[Any], candidate: str) -> Ran:
        """Return the run."""
        found: Ran = future.result()
        return found

    def end(self) -> None:
        """Note that it was asked to end."""
        self.ended = True


def begin(
    name: str = "x",
    program: str = "p",
    *,
    fresh: bool = False,
    judge: JudgeRecord = JudgeRecord(),  # noqa: B008 (frozen)
) -> BeginRecord:
    """Return the first line of a journal."""
    tree = TreeRecord(component="opensbi", good=("c00",), bad="c19")
    return BeginRecord(
        dt="",
        version=1,
        id=name,
        command="",
        trees=(tree,),
        judge=judge,
        options=OptionsRecord(fresh=fresh),
        versions={PROGRAM: program},
    )


def search_in(
    folder: Path,
    hands: FakeHands,
    judge: JudgeRecord = JudgeRecord(),  # noqa: B008 (frozen)
    seen: Callable[[Record], None] = lambda record: None,
    stops: Stops | None = None,
    earlier: Sequence[Path] = (),
    hints: Sequence[str] = (),
) -> Loop:
    """Search in a folder, or go on there."""
    past: Bisection | None = None
    with Journal(folder, seen) as journal:
        if journal.path.stat().st_size:
            past = load_bisection(folder)
        else:
            journal.write(begin(folder.name))
        observed = past.observations("first") if past else []
        search = Search(Dag.line(COMMITS), [COMMITS[0]], COMMITS[-1], Options(), observed)
        steps = past.steps("first") if past else ()
        known = Known(load_bisection(folder).begin, earlier, steps)
        stops = stops or Stops()
        loop = Loop("first", search, judge, hands, journal, stops, folder, past=steps, known=known)
        loop.hints = list(hints)
        loop.run()
    return loop


def answer_of(loop: Loop) -> Answer:
    """Return the answer, or fail with the problem."""
    assert loop.search.problem is None, loop.search.problem
    assert isinstance(loop.search, Search)
    found = loop.search.answer()
    assert found is not None
    return found


def test_culprit_is_found_and_the_next_build_is_made_while_a_trial_runs(tmp_path: Path) -> None:
    hands = FakeHands()
    assert answer_of(search_in(tmp_path, hands)).culprits == (COMMITS[CULPRIT],)
    ahead = [build for build in load_bisection(tmp_path).builds if build.ahead]
    assert ahead
    assert len([entry for entry in hands.log if entry[0] == "build"]) == len(
        {entry[1] for entry in hands.log if entry[0] == "build"}
    )


@pytest.mark.parametrize(("built", "most"), [(("opensbi",), 1), ((), 2)])
def test_two_slots_search_two_commits_at_once_only_where_builds_cost_nothing(
    built: tuple[str, ...], most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []
    hints_for = Loop._hints_for

    def asked(loop: Loop, trials: list[Trial]) -> list[Trial]:
        between = [t for t in [*loop._begun, *trials] if t.purpose is Purpose.SEARCH]
        together.append(len(between))
        return hints_for(loop, trials)

    monkeypatch.setattr(Loop, "_hints_for", asked)
    hands = FakeHands(slots=2, built=built)
    assert answer_of(search_in(tmp_path, hands)).culprits == (COMMITS[CULPRIT],)
    assert max(together) == most


def test_unbuildable_commits_and_other_failures_are_gone_around(tmp_path: Path) -> None:
    def show(number: int) -> RunRecord:
        return run_of(Verdict.CRASH, "CRASH y", "boot") if number == 11 else usual(number)

    hands = FakeHands(show, unbuildable=frozenset({9, 10}))
    found = answer_of(search_in(tmp_path, hands))
    assert found.culprits == (COMMITS[CULPRIT],)
    skipped = [step for step in load_bisection(tmp_path).steps() if isinstance(step, SkipRecord)]
    assert {step.stage for step in skipped} <= {"build", "boot"}
    assert not any(entry == ("run", COMMITS[9]) for entry in hands.log)


def test_another_bug_is_not_taken_for_this_one() -> None:
    bad = run_of(Verdict.FAIL, "FAIL x")
    other = run_of(Verdict.FAIL, "FAIL other")
    first = msgspec.convert(
        {
            "event": "trial",
            "dt": "",
            "leg": "first",
            "candidate": "c19",
            "purpose": "",
            "outcome": "BAD",
            "signature": "FAIL x",
            "run": msgspec.to_builtins(bad),
        },
        Record,
    )
    reference = reference_of([first])
    assert judge_run(bad, JudgeRecord(), reference).outcome is Outcome.BAD
    assert judge_run(other, JudgeRecord(), reference).outcome is Outcome.SKIP
    assert judge_run(other, JudgeRecord(any_failure=True), reference).outcome is Outcome.BAD
    no_boot = run_of(Verdict.FAIL, "FAIL other", "boot")
    judged = judge_run(no_boot, JudgeRecord(any_failure=True), reference)
    assert (judged.outcome, judged.stage) == (Outcome.SKIP, "boot")


def test_only_the_named_check_counts() -> None:
    judge = JudgeRecord(check="launch")
    assert judge_run(run_of(Verdict.FAIL, "a", "teardown"), judge, None).outcome is Outcome.SKIP
    assert judge_run(run_of(Verdict.FAIL, "a", "launch"), judge, None).outcome is Outcome.BAD
    with pytest.raises(UsageError, match="no such check"):
        judge_run(run_of(Verdict.PASS), judge, None)


def test_infra_is_tried_again_and_never_judged(tmp_path: Path) -> None:
    left = [InfraError("the disk burns"), InfraError("the disk burns")]

    def show(number: int) -> RunRecord | Exception:
        return left.pop() if number == CULPRIT and left else usual(number)

    found = answer_of(search_in(tmp_path, FakeHands(show)))
    assert found.culprits == (COMMITS[CULPRIT],)
    infra = [step for step in load_bisection(tmp_path).steps() if isinstance(step, InfraRecord)]
    assert len(infra) == 2


def test_bad_end_that_passes_and_good_end_that_fails_are_problems(tmp_path: Path) -> None:
    never = search_in(tmp_path / "a", FakeHands(lambda number: run_of(Verdict.PASS)))
    assert "should fail" in str(never.search.problem)
    always = search_in(tmp_path / "b", FakeHands(lambda number: run_of(Verdict.FAIL, "x")))
    assert "should pass" in str(always.search.problem)


def test_same_machine_is_not_run_twice(tmp_path: Path) -> None:
    hands = FakeHands(identity=lambda number: "old" if number < CULPRIT else "new")
    assert answer_of(search_in(tmp_path, hands)).culprits == (COMMITS[CULPRIT],)
    shared = [step for step in load_bisection(tmp_path).steps() if step.same_as]
    assert shared
    assert all(step.purpose == "search" for step in shared)


class _PowerCut(BaseException):
    pass


@pytest.mark.parametrize("torn", [False, True])
def test_killed_after_any_record_it_goes_on_without_a_step_twice(
    tmp_path: Path, torn: bool
) -> None:
    whole = FakeHands()
    expected = answer_of(search_in(tmp_path / "whole", whole))
    records = len(load_bisection(tmp_path / "whole").records)
    for kill in range(2, records):
        folder = tmp_path / f"{kill}"
        count = 0

        def cut(record: Record, kill: int = kill) -> None:
            nonlocal count
            count += 1
            if count == kill:
                raise _PowerCut

        first = FakeHands()
        with pytest.raises(_PowerCut):
            search_in(folder, first, seen=cut)
        if torn:
            with (folder / JOURNAL_FILE).open("ab") as file:
                # Longer than all that follows: nothing of it may stay behind that.
                file.write(b'{"event":"trial","dt":"' + b"2" * 100_000)
        done = [step.candidate for step in load_bisection(folder).steps()]
        assert len(done) < len(load_bisection(tmp_path / "whole").steps()) or kill == records - 1
        second = FakeHands()
        assert answer_of(search_in(folder, second)) == expected
        runs = [c for what, c in second.log if what == "run"]
        # What had ended is not run again: both parts together have as many steps as the whole.
        assert len(done) + len(runs) == len(load_bisection(tmp_path / "whole").steps())
        assert load_bisection(folder).damaged == 0


def test_asked_to_end_it_ends_and_goes_on_later(tmp_path: Path) -> None:
    stops = Stops()
    hands = FakeHands()
    hands.on_begin = lambda: stops.ask(2) if len(hands.log) > 12 else None
    loop = search_in(tmp_path, hands, stops=stops)
    assert loop.interrupted == 130
    assert not loop.search.ended
    assert answer_of(search_in(tmp_path, FakeHands())).culprits == (COMMITS[CULPRIT],)


def test_only_one_process_goes_on(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(UsageError, match="another teecall"):
        Journal(tmp_path)


def test_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    with Journal(tmp_path) as journal:
        journal.write(begin())
        real = os.write

        def short(file: int, data: bytes) -> int:
            if len(data) < 30:
                raise OSError(errno.ENOSPC, "full")
            return real(file, data[:-20])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", short)
            with pytest.raises(StoreError):
                journal.write(begin())
        journal.write(begin())
    found = load_bisection(tmp_path)
    assert (len(found.records), found.damaged) == (2, 0)


def test_script_speaks_the_exit_codes_of_git_bisect_run() -> None:
    def outcome(code: int | None) -> Outcome:
        return judge_script(ScriptRan(code, (), 1.0), 5).outcome

    assert outcome(0) is Outcome.GOOD
    assert outcome(125) is Outcome.SKIP
    assert outcome(1) is outcome(127) is Outcome.BAD
    assert outcome(None) is Outcome.SKIP
    for code in (128, 255, -11):
        with pytest.raises(UsageError, match="ends the search"):
            outcome(code)
