# SPDX-License-Identifier: Apache-2.0
"""Which of two changed trees broke it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.bisect.axes import (
    BAD,
    GOOD,
    ONLY_FIRST,
    ONLY_SECOND,
    Blame,
    Corner,
    Corners,
    Leg,
    legs,
)
from harness.bisect.oracle import Outcome
from harness.bisect.plan import Options
from harness.bisect.problems import (
    BadEndPasses,
    EndsSwapped,
    EndUntestable,
    GoodEndFails,
    InfraPersists,
)

RULES: dict[Blame, Callable[[Corner], bool]] = {
    Blame.FIRST: lambda corner: corner.first,
    Blame.SECOND: lambda corner: corner.second,
    Blame.BOTH: lambda corner: corner.first and corner.second,
    Blame.EITHER: lambda corner: corner.first or corner.second,
}


def decide(boot: Callable[[Corner], Outcome], slots: int) -> tuple[Corners, list[Corner]]:
    corners = Corners()
    done: list[Corner] = []
    while corners.problem is None and not corners.decided:
        found = corners.next(slots)
        assert 0 < len(found) <= slots
        for corner in found:
            corners.observe(corner, boot(corner))
        done += found
        assert len(done) < 1000
    return corners, done


@pytest.mark.parametrize("slots", [1, 3, 8])
@pytest.mark.parametrize("blame", list(Blame))
@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_each_way_to_break(blame: Blame, rate: float, slots: int) -> None:
    rng = random.Random(7)

    def boot(corner: Corner) -> Outcome:
        return Outcome.BAD if RULES[blame](corner) and rng.random() < rate else Outcome.GOOD

    corners, done = decide(boot, slots)
    assert corners.answer() is blame
    if rate == 1:
        # The bad corner as often as a search's bad end, every other one once.
        assert sorted(set(done)) == sorted({GOOD, BAD, ONLY_FIRST, ONLY_SECOND})
        assert len(done) == Options().end_failures + 3


def test_the_searches_that_follow() -> None:
    assert legs(Blame.FIRST) == (Leg(True, False),)
    assert legs(Blame.SECOND) == (Leg(False, False),)
    # Where both are needed the other tree must be at its bad end, or nothing would ever fail.
    for blame in Blame:
        for leg in legs(blame):
            ends = [
                RULES[blame](
                    Corner(moved, leg.other_bad) if leg.first else Corner(leg.other_bad, moved)
                )
                for moved in (False, True)
            ]
            assert ends == [False, True]


@pytest.mark.parametrize(
    ("good", "bad", "kind"),
    [
        (Outcome.BAD, Outcome.BAD, GoodEndFails),
        (Outcome.GOOD, Outcome.GOOD, BadEndPasses),
        (Outcome.BAD, Outcome.GOOD, EndsSwapped),
        (Outcome.SKIP, Outcome.BAD, EndUntestable),
        (Outcome.GOOD, Outcome.SKIP, EndUntestable),
        (Outcome.GOOD, Outcome.INFRA, InfraPersists),
    ],
)
def test_wrong_ends(good: Outcome, bad: Outcome, kind: type[Exception]) -> None:
    outcomes = {GOOD: good, BAD: bad, ONLY_FIRST: Outcome.GOOD, ONLY_SECOND: Outcome.GOOD}
    corners, _ = decide(outcomes.__getitem__, 2)
    assert type(corners.problem) is kind
    assert corners.answer() is None
    assert corners.next(1) == []


def test_trees_that_do_not_go_together() -> None:
    outcomes = {GOOD: Outcome.GOOD, BAD: Outcome.BAD, ONLY_FIRST: Outcome.SKIP}
    for other, expected in ((Outcome.BAD, Blame.SECOND), (Outcome.GOOD, None)):
        corners, _ = decide((outcomes | {ONLY_SECOND: other}).__getitem__, 1)
        assert corners.decided
        assert corners.answer() is expected
    corners, _ = decide((outcomes | {ONLY_SECOND: Outcome.SKIP}).__getitem__, 1)
    assert corners.answer() is None
