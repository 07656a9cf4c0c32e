# SPDX-License-Identifier: Apache-2.0
"""The search for failures that show every time: answers, numbers of steps, ends, skips."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bisect.candidates import Candidates
from harness.bisect.dag import Dag
from harness.bisect.oracle import Observation, Outcome
from harness.bisect.plan import Options, Purpose
from harness.bisect.problems import (
    BadEndPasses,
    EndsSwapped,
    EndUntestable,
    GoodEndFails,
    InfraPersists,
    SearchProblem,
)
from harness.bisect.search import Search
from tests.unit.histories import NIGHTLY, Failure, dags, line, rounds, search_for

EXAMPLES = 1000 if NIGHTLY else 60
# Of the good end, and of the bad one when the search itself meets no failure.
ENDS = Options().end_failures + 1


def found(search: Search) -> tuple[str, ...]:
    answer = search.answer()
    assert answer is not None, search.problem
    assert answer.conclusive
    assert answer.confidence >= 0.99
    return answer.culprits


def indistinguishable(dag: Dag, culprit: str, skipped: set[str]) -> set[str]:
    """The reference: candidates that are in exactly the same testable commits as the culprit."""
    commits = list(dag.parents)
    candidates = Candidates(dag, [commits[0]], commits[-1]).commits
    testable = [commit for commit in candidates if commit not in skipped]
    inside = {commit: dag.ancestors([commit]) for commit in testable}

    def row(candidate: str) -> list[bool]:
        return [candidate in inside[commit] for commit in testable]

    return {candidate for candidate in candidates if row(candidate) == row(culprit)}


@settings(max_examples=EXAMPLES, deadline=None)
@given(dag=dags(), data=st.data(), slots=st.integers(1, 4), fixed=st.booleans())
def test_the_culprit_or_what_skips_leave_of_it(
    dag: Dag, data: st.DataObject, slots: int, fixed: bool
) -> None:
    commits = list(dag.parents)
    culprit = data.draw(st.sampled_from(commits[1:]))
    skipped = set(data.draw(st.lists(st.sampled_from(commits[1:]), unique=True))) - {commits[-1]}
    failure = Failure(dag, culprit, skipped=skipped, fixed=fixed)
    search = search_for(failure, slots=slots)
    assert set(found(search)) == indistinguishable(dag, culprit, skipped)
    answer = search.answer()
    assert answer is not None
    assert set(answer.skipped) == set(answer.culprits) & skipped
    # What was skipped is not built a second time, also when it was asked for in the same round.
    for commit in skipped:
        assert failure.boots.count(commit) <= 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64, 100, 1000, 4097])
def test_steps_of_a_sure_failure(size: int) -> None:
    dag = line(size)
    places = {1, 2, size // 3, size // 2, size - 1, size} & set(range(1, size + 1))
    for place in places:
        failure = Failure(dag, f"c{place}")
        search = Search(dag, ["c0"], f"c{size}")
        done = [trial for (trial,) in rounds(search, failure)]
        assert found(search) == (f"c{place}",)
        at_ends = [trial for trial in done if trial.commit in ("c0", f"c{size}")]
        after = [trial.commit for trial in done if trial not in at_ends]
        # One of each, the retests where one is the answer, and the failures not met on the way.
        assert 2 <= len(at_ends) <= ENDS + 2
        bound = math.ceil(math.log2(size))
        # A step is a commit to test; the re-test of the culprit and of its parent are two.
        splits = len(dict.fromkeys(after))
        assert splits <= bound + 2
        assert len(after) == search.progress.steps <= bound + 3
        # Distinct commits, thus builds, with both ends.
        assert len(set(failure.boots)) <= bound + 2


@pytest.mark.parametrize("slots", [2, 3, 4, 8])
def test_rounds_with_several_slots(slots: int) -> None:
    for place in (1, 17, 333, 500, 999, 1000):
        search = Search(line(1000), ["c0"], "c1000")
        done = rounds(search, Failure(line(1000), f"c{place}"), slots)
        assert found(search) == (f"c{place}",)
        searching = [r for r in done if r[0].purpose is Purpose.SEARCH]
        assert len(searching) <= math.ceil(math.log(1000, slots + 1)) + 1


def test_the_culprit_and_its_parents_are_tested_again() -> None:
    failure = Failure(line(20), "c7")
    search_for(failure)
    assert failure.boots.count("c7") == 2
    assert failure.boots.count("c6") == 3


def test_a_sure_failure_is_searched_while_its_end_is_still_owed_trials() -> None:
    search = Search(line(64), ["c0"], "c64")
    failure = Failure(line(64), "c40")
    first: list[Purpose] = []
    for _ in range(3):
        (trial,) = search.next(1)
        first.append(trial.purpose)
        search.observe(trial.commit, failure(trial.commit))
    assert first == [Purpose.BAD_END, Purpose.GOOD_END, Purpose.SEARCH]
    done = [trial.purpose for (trial,) in rounds(search, failure)]
    # One failure is the end's, most are met on the way; the rest come before the retests.
    owed = Options().end_failures - 1
    assert 0 < done.count(Purpose.BAD_END) < owed
    assert done.index(Purpose.BAD_END) < done.index(Purpose.RETEST)
    assert search.answer() is not None
    assert search.next() == []


def test_an_end_that_has_passed_once_is_tried_before_the_search() -> None:
    search = Search(line(64), ["c0"], "c64")
    for commit, outcome in (("c64", Outcome.BAD), ("c0", Outcome.GOOD), ("c64", Outcome.GOOD)):
        search.observe(commit, outcome)
    for _ in range(2 * Options().end_failures - 1):
        (trial,) = search.next(1)
        assert trial.purpose is Purpose.BAD_END
        search.observe(trial.commit, Outcome.BAD)
    assert search.next(1)[0].purpose is Purpose.SEARCH


def test_an_end_that_passes_late_makes_the_answer_wait() -> None:
    """A failure that shows rarely, and seemed sure at first, is not named by its first guess."""
    search = Search(line(16), ["c0"], "c16")
    failure = Failure(line(16), "c5", rate=0.3, seed=11)
    for commit, outcome in (("c16", Outcome.BAD), ("c0", Outcome.GOOD), ("c16", Outcome.BAD)):
        search.observe(commit, outcome)
    rounds(search, failure)
    assert found(search) == ("c5",)


def test_no_answer_while_an_end_is_owed_trials() -> None:
    good, bad = ("c0", Outcome.GOOD), ("c1", Outcome.BAD)
    search = observed(Search(line(1), ["c0"], "c1"), bad, good, bad, good, good)
    for _ in range(Options().end_failures - 2):
        assert search.answer() is None
        assert [trial.purpose for trial in search.next(1)] == [Purpose.BAD_END]
        observed(search, bad)
    assert found(search) == ("c1",)


def test_what_was_judged_once_is_told_apart_though_it_is_skipped_later() -> None:
    """The culprit fails as it should, and in another way when it is tested again."""
    search = Search(line(16), ["c0"], "c16")
    failure = Failure(line(16), "c7")

    def boot(commit: str) -> Outcome:
        outcome = failure(commit)
        return Outcome.SKIP if commit == "c7" and failure.boots.count("c7") > 1 else outcome

    rounds(search, boot)
    assert found(search) == ("c7",)
    answer = search.answer()
    assert answer is not None
    assert answer.skipped == ()
    # It is not tried for ever.
    assert failure.boots.count("c7") == 2


def test_a_parent_that_fails_at_last_reopens_the_search() -> None:
    # The failure seems sure, but c12 passes once; the culprit is c9.
    search = Search(line(16), ["c0"], "c16")
    passed: list[str] = []

    def boot(commit: str) -> Outcome:
        if commit == "c12" and not passed:
            passed.append(commit)
            return Outcome.GOOD
        return Outcome.BAD if int(commit[1:]) >= 9 else Outcome.GOOD

    # The first trial after the ends is the middle; make it the commit that lies.
    for trial in ["c16"] * 6 + ["c0"]:
        search.observe(trial, boot(trial))
    search.observe("c12", boot("c12"))
    assert search.progress.sure
    rounds(search, boot)
    assert found(search) == ("c9",)
    assert not search.progress.sure


@settings(max_examples=EXAMPLES, deadline=None)
@given(dag=dags(), data=st.data(), cut=st.floats(0, 1))
def test_an_interrupted_search_goes_on(dag: Dag, data: st.DataObject, cut: float) -> None:
    commits = list(dag.parents)
    failure = Failure(dag, data.draw(st.sampled_from(commits[1:])))
    whole = search_for(failure)
    seen = whole.observations
    part = seen[: round(cut * len(seen))]
    again = Search(dag, [commits[0]], commits[-1], observations=part)
    rounds(again, failure)
    assert again.observations == seen
    assert again.answer() == whole.answer()
    shuffled = list(seen)
    random.Random(0).shuffle(shuffled)
    assert Search(dag, [commits[0]], commits[-1], observations=shuffled).answer() == whole.answer()


@settings(max_examples=EXAMPLES, deadline=None)
@given(dag=dags(40), data=st.data())
def test_only_candidates_and_starts_are_tested(dag: Dag, data: st.DataObject) -> None:
    commits = list(dag.parents)
    good = data.draw(st.sampled_from(commits[:-1]))
    between = dag.ancestors([commits[-1]]) - dag.ancestors([good])
    culprit = data.draw(st.sampled_from([c for c in commits if c in between]))
    failure = Failure(dag, culprit)
    search = Search(dag, [good], commits[-1])
    rounds(search, failure)
    assert found(search) == (culprit,)
    assert set(failure.boots) <= between | {good}


def test_trials_that_run_are_not_asked_for_again() -> None:
    search = Search(line(100), ["c0"], "c100")
    first = [trial.commit for trial in search.next(4)]
    assert first.count("c0") == 1
    assert search.next(2, first) != []
    everything = ["c100"] * Options().end_failures + ["c0"]
    assert search.next(4, everything) == []
    for commit in everything:
        search.observe(commit, Outcome.BAD if commit == "c100" else Outcome.GOOD)
    (one,) = search.next(1)
    (other,) = search.next(1, [one.commit])
    assert one.commit != other.commit


def test_what_is_built_ahead_is_what_comes_next() -> None:
    for place in (1, 40, 77, 128):
        search = Search(line(128), ["c0"], "c128")
        failure = Failure(line(128), f"c{place}")
        ahead = search.speculate(3)
        while not search.ended:
            (trial,) = search.next(1)
            if trial.purpose is Purpose.SEARCH:
                assert trial.commit in ahead
                ahead = search.speculate(2, [trial.commit])
            search.observe(trial.commit, failure(trial.commit))


@pytest.mark.parametrize("place", [1, 40, 133, 197])
@pytest.mark.parametrize("slots", [1, 2])
def test_what_is_built_ahead_is_what_comes_next_whatever_else_runs(place: int, slots: int) -> None:
    """An end that is tested once more in another slot does not move the next commit."""
    search = Search(line(197), ["c0"], "c197")
    failure = Failure(line(197), f"c{place}")
    ahead = search.speculate(2 * slots, ["c197", "c0"], slots)
    search.observe("c197", Outcome.BAD)
    search.observe("c0", Outcome.GOOD)
    running = ["c197"]
    while not search.ended:
        trials = search.next(slots, running)
        commits = [trial.commit for trial in trials]
        if trials and trials[0].purpose is Purpose.SEARCH:
            assert set(commits) <= set(ahead)
            ahead = search.speculate(2 * 3**slots, [*running, *commits], slots)
        elif not trials:
            commits, running = running, []
        for commit in commits:
            search.observe(commit, failure(commit))


def observed(search: Search, *seen: tuple[str, Outcome]) -> Search:
    for commit, outcome in seen:
        search.observe(commit, outcome)
    return search


def test_wrong_ends() -> None:
    good, bad = ("c0", Outcome.GOOD), ("c9", Outcome.BAD)
    good_fails, bad_passes = ("c0", Outcome.BAD), ("c9", Outcome.GOOD)
    cases: list[tuple[list[tuple[str, Outcome]], type[Exception] | None]] = [
        ([bad, good], None),
        ([bad, good_fails], GoodEndFails),
        ([good, *[bad_passes] * 13], BadEndPasses),
        ([good, *[bad_passes] * 12], None),
        ([good_fails, *[bad_passes] * 13], EndsSwapped),
        # Which of the two it is depends on the other end, so nothing is said before.
        ([good_fails], None),
        ([bad_passes] * 13, None),
        ([good, ("c9", Outcome.SKIP)], EndUntestable),
        ([bad, *[("c0", Outcome.INFRA)] * 3], InfraPersists),
        ([bad, *[("c0", Outcome.INFRA)] * 2, good, ("c0", Outcome.INFRA)], None),
    ]
    for seen, kind in cases:
        search = observed(Search(line(9), ["c0"], "c9"), *seen)
        assert type(search.problem) is (kind or type(None)), seen
        assert (search.next(1) == []) is (kind is not None)
        assert search.answer() is None


def test_a_good_end_on_another_branch_needs_its_merge_base() -> None:
    # base - fix (good), base - x - y (bad): the failure is older than both.
    dag = Dag.of([("base", []), ("fix", ["base"]), ("x", ["base"]), ("y", ["x"])])
    search = Search(dag, ["fix"], "y")
    outcomes = {"base": Outcome.BAD, "fix": Outcome.GOOD, "x": Outcome.BAD, "y": Outcome.BAD}
    rounds(search, outcomes.__getitem__)
    assert isinstance(search.problem, GoodEndFails)
    assert "base" in str(search.problem)
    outcomes["base"] = Outcome.GOOD
    search = Search(dag, ["fix"], "y")
    rounds(search, outcomes.__getitem__)
    assert found(search) == ("x",)


def test_find_fix_has_one_good_end() -> None:
    with pytest.raises(SearchProblem):
        Search(line(5), ["c4", "c5"], "c0", Options(find_fix=True))


def test_first_parent_names_the_merge() -> None:
    dag = Dag.of(
        [("a", []), ("s1", ["a"]), ("s2", ["s1"]), ("b", ["a"]), ("m", ["b", "s2"]), ("z", ["m"])]
    )
    for first_parent, expected in ((False, "s1"), (True, "m")):
        failure = Failure(dag, "s1")
        search = Search(dag, ["a"], "z", Options(first_parent=first_parent))
        rounds(search, failure)
        assert found(search) == (expected,)


def test_infra_is_never_a_verdict() -> None:
    calls: list[str] = []
    failure = Failure(line(50), "c31")

    def boot(commit: str) -> Outcome:
        calls.append(commit)
        return Outcome.INFRA if len(calls) % 2 else failure(commit)

    search = Search(line(50), ["c0"], "c50")
    rounds(search, boot)
    assert found(search) == ("c31",)
    judged = [seen for seen in search.observations if seen.outcome is not Outcome.INFRA]
    assert judged == list(search_for(Failure(line(50), "c31")).observations)


def test_the_state_is_the_observations() -> None:
    search = search_for(Failure(line(9), "c4"))
    assert search.observations[0] == Observation("c9", Outcome.BAD)
    assert search.progress.remaining == 1
    assert search.progress.expected == 0
    fresh = Search(line(64), ["c0"], "c64")
    assert fresh.progress.remaining == 64
    # Ends, six halvings, and the tests at the end.
    assert fresh.progress.expected == ENDS + 6 + 3
    assert fresh.next(0) == []


def test_an_answer_in_time_is_marked_as_unsure() -> None:
    search = search_for(Failure(line(500), "c100"), Options(max_trials=10))
    answer = search.answer()
    assert answer is not None
    assert not answer.conclusive
    assert answer.trials == 10
    assert answer.confidence < 0.5
