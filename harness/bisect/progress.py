# SPDX-License-Identifier: Apache-2.0
"""How far a search is, and how far it has to go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.bisect.belief import Posterior
from harness.bisect.oracle import capacity

# Trials that the culprit and its parent get at the end, on a line.
_RETESTS = 3


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the search is.

    Attributes:
        remaining: candidates that are still likely: at most this many, but for `error`.
        expected: trials that are expected to be needed still.
        trials: verdicts so far.
        steps: those of them that came after the ends were verified.
        failure_rate: as estimated.
        sure: whether the failure is taken for one that shows in every trial.
    """

    remaining: int
    expected: int
    trials: int
    steps: int
    failure_rate: float
    sure: bool


def remaining(posterior: Posterior, candidates: int, error: float) -> int:
    """Return how many of the candidates are left: possible, or likely but for `error`."""
    if posterior.deterministic:
        return _covering(posterior.left[:candidates], 0.0)
    return _covering(posterior.weights[:candidates], error)


def expected_if_sure(left: int, retests: int) -> int:
    """Return how many trials a sure failure still takes.

    Args:
        left: candidates that are possible.
        retests: trials that the likeliest culprit and its parents lack.
    """
    return math.ceil(math.log2(max(left, 1))) + (min(retests, _RETESTS) if left <= 1 else _RETESTS)


def expected_if_flaky(posterior: Posterior, confidence: float, error: float) -> int:
    """Return how many trials are expected until a failure that is not sure is found.

    Args:
        posterior: what is known.
        confidence: how likely the likeliest culprit is.
        error: the probability of a wrong answer that is allowed.

    What is not known yet comes at the channel's capacity; then the culprit's parent must pass
    until luck is no explanation any more.
    """
    rate = min(max(posterior.rate, 1e-3), 0.999)
    doubt = sum(-weight * math.log2(weight) for weight in posterior.weights if weight > 0)
    passes = math.log(max(1 - confidence, error) / error) / -math.log1p(-rate)
    return max(math.ceil(doubt / capacity(rate) + passes), 1)


def _covering(weights: Sequence[float], error: float) -> int:
    """Return how many of the likeliest it takes to have all but `error` of the weight."""
    missing = sum(weights) * (1 - error)
    count = 0
    for weight in sorted(weights, reverse=True):
        if missing <= 0 or weight <= 0:
            break
        missing -= weight
        count += 1
    return count
