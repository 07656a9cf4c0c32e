# SPDX-License-Identifier: Apache-2.0
"""The moments at which a VMM is killed follow from the seed, and meet all stages of its guest."""

from __future__ import annotations

import pytest

from harness.scenarios.runner import CheckFailed
from harness.scenarios.teardown_moments import (
    BOOTING,
    HALF_BUILT,
    USERSPACE,
    Span,
    check_spread,
    shares_of,
)


def test_a_seed_gives_its_moments_again() -> None:
    found = shares_of(b"a", 50)
    assert found == shares_of(b"a", 50) != shares_of(b"b", 50)
    assert len(found) == 50 and min(found) >= 0.0 and max(found) < 1.0
    assert Span(400.0, BOOTING).moment(0.5) == 200


def test_a_span_ends_where_the_stage_was_met() -> None:
    span = Span(400000.0, BOOTING)
    span.learn(300000, USERSPACE)
    assert span.microseconds == 300000
    span.learn(200000, BOOTING)
    assert span.microseconds == 200000
    span.learn(150000, HALF_BUILT)
    assert span.microseconds == pytest.approx(240000)
    # One that was met at once does not stay without a length.
    span.learn(0, BOOTING)
    assert span.microseconds > 0


@pytest.mark.parametrize("wrong_by", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("seed", [b"a", b"b", b"c"])
def test_moments_meet_all_stages_however_wrong_the_first_guess_was(
    wrong_by: float, seed: bytes
) -> None:
    launch, userspace = 250_000, 1_500_000
    spans = Span(launch * wrong_by, BOOTING), Span(userspace * wrong_by, USERSPACE)
    stages = []
    for turn, share in enumerate(shares_of(seed, 50)):
        delay = spans[turn % 2].moment(share)
        stage = HALF_BUILT if delay < launch else BOOTING if delay < userspace else USERSPACE
        spans[turn % 2].learn(delay, stage)
        stages.append(stage)
    check_spread(stages)


def test_many_kills_that_met_one_stage_show_nothing() -> None:
    # As it was with a guess from a guest that was watched
    with pytest.raises(CheckFailed, match="1 half built, 0 booting, 49 in its userspace"):
        check_spread([HALF_BUILT] + 49 * [USERSPACE])
    with pytest.raises(CheckFailed):
        check_spread(49 * [HALF_BUILT] + [BOOTING])
    check_spread(20 * [HALF_BUILT] + 20 * [BOOTING] + 10 * [USERSPACE])
    # Few kills have to meet each once, or more are done.
    with pytest.raises(CheckFailed, match="3 half built, 0 booting"):
        check_spread(3 * [HALF_BUILT])
    check_spread([HALF_BUILT, USERSPACE, BOOTING])
