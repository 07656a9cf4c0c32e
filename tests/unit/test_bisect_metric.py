# SPDX-License-Identifier: Apache-2.0
"""When a number is worse than at the good end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bisect.metric import Metric, more_baseline, part
from harness.bisect.oracle import Outcome
from harness.bisect.search import Search
from harness.errors import UsageError
from tests.unit.histories import NIGHTLY, line, rounds

RUNS = 2000 if NIGHTLY else 200


@settings(deadline=None)
@given(value=st.integers(1, 10**6), percent=st.integers(1, 50))
def test_a_number_without_noise_has_a_sharp_limit(value: int, percent: int) -> None:
    base = [100.0 * value] * 3
    limit = float(value * percent)
    cost = Metric(worse_by=percent / 100)
    assert cost.judge(base, [base[0] + limit + 1]) is Outcome.BAD
    assert cost.judge(base, [base[0] + limit - 1]) is Outcome.GOOD
    assert cost.judge(base, [base[0] - 10 * limit]) is Outcome.GOOD
    speed = Metric(worse_by=percent / 100, higher_is_worse=False)
    assert speed.judge(base, [base[0] - limit - 1]) is Outcome.BAD
    assert speed.judge(base, [base[0] - limit + 1]) is Outcome.GOOD


def test_how_many_runs_the_good_end_gets() -> None:
    assert more_baseline([]) == 3
    assert more_baseline([7.0, 7.0, 7.0]) == 0
    assert more_baseline([7.0, 7.1]) == 3


def judged(metric: Metric, mean: float, rng: random.Random) -> tuple[Outcome, int]:
    baseline = [rng.gauss(100, 2) for _ in range(5)]
    values: list[float] = []
    outcome = None
    while outcome is None:
        values.append(rng.gauss(mean, 2))
        outcome = metric.judge(baseline, values)
    return outcome, len(values)


@pytest.mark.parametrize(
    ("mean", "higher", "expected"),
    [(100, True, Outcome.GOOD), (105, True, Outcome.BAD), (95, False, Outcome.BAD)],
)
def test_noise_is_judged_to_the_stated_error(mean: float, higher: bool, expected: Outcome) -> None:
    rng = random.Random(1)
    metric = Metric(worse_by=0.05, higher_is_worse=higher, error=0.01)
    results = [judged(metric, mean, rng) for _ in range(RUNS)]
    wrong = sum(outcome is not expected for outcome, _ in results)
    # The limit of 50 runs and the baseline's own spread are in it.
    assert wrong <= 0.02 * RUNS
    assert sum(runs for _, runs in results) / RUNS <= 15


def test_noise_larger_than_the_difference_ends_all_the_same() -> None:
    metric = Metric(worse_by=0.01, most=20)
    baseline = [90.0, 110.0, 95.0, 105.0, 100.0]
    rng = random.Random(0)
    values = [rng.gauss(100, 10) for _ in range(20)]
    assert metric.judge(baseline, values[:19]) is None
    assert metric.judge(baseline, values) in (Outcome.GOOD, Outcome.BAD)


def test_a_number_leads_the_search() -> None:
    metric = Metric(worse_by=0.05)

    def cost(commit: str) -> float:
        # It creeps up by 1 %, which is no culprit, and jumps by 6 % at c33.
        number = int(commit[1:])
        return 10_000 + number + (600 if number >= 33 else 0)

    def boot(commit: str) -> Outcome:
        outcome = metric.judge([cost("c0")] * 3, [cost(commit)])
        assert outcome is not None
        return outcome

    search = Search(line(100), ["c0"], "c100")
    rounds(search, boot)
    answer = search.answer()
    assert answer is not None
    assert answer.culprits == ("c33",)


def test_the_part_as_users_write_it() -> None:
    assert part("5%") == part("0.05") == part(" 5.0 % ") == 0.05
    for text in ("0", "-5%", "five", "0%", "5%%"):
        with pytest.raises(UsageError):
            part(text)
