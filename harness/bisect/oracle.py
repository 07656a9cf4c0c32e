# SPDX-License-Identifier: Apache-2.0
"""What a trial can show, and how far it can be believed.

A trial of a commit that has the failure shows it with the failure rate p; a trial of a commit that
does not have it shows it with the rate q of false alarms, about 0, because a failure is known by
its signature. With q = 0 that is a Z-channel: a pass may be luck, a failure never is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a trial of a commit shows.

    GOOD: the failure does not show. BAD: it shows, with its signature. SKIP: this commit cannot be
    judged at all (it does not build or boot, or fails in another way). INFRA: the environment
    failed; nothing was judged, the trial is to be repeated.
    """

    GOOD = "GOOD"
    BAD = "BAD"
    SKIP = "SKIP"
    INFRA = "INFRA"


JUDGED = (Outcome.GOOD, Outcome.BAD)


@dataclass(frozen=True, slots=True)
class Observation:
    """One finished trial. A search's whole state is the list of these."""

    commit: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Model:
    """What is believed of the failure before the first trial.

    Args:
        sure: how likely it is that the failure shows in each trial (p = 1); below 1.
        shows: a failure that is not sure has a rate with the distribution Beta(shows, hides).
        hides: see `shows`; 1 and 1 make every rate equally likely.
        false_alarm: the rate q at which a commit without the failure seems to show it.
        wrong_end: how likely it is that the end which should pass does so by luck only.
    """

    sure: float = 0.9
    shows: float = 1.0
    hides: float = 1.0
    false_alarm: float = 1e-4
    wrong_end: float = 0.02

    @classmethod
    def of_rate(cls, rate: float | None) -> Model:
        """Return what is believed of a failure whose rate the user has said (None: has not).

        Twenty trials at the ends weigh as much as the user's word.
        """
        if rate is None or rate >= 1:
            return cls()
        return cls(sure=0.0, shows=20 * rate, hides=20 * (1 - rate))


def entropy(probability: float) -> float:
    """Return the entropy of a yes or no with this probability, in bits."""
    if probability <= 0 or probability >= 1:
        return 0.0
    other = 1 - probability
    return -(probability * math.log2(probability) + other * math.log2(other))


def capacity(rate: float) -> float:
    """Return the most that one trial can tell when a failure shows at this rate, in bits.

    The capacity of the Z-channel, log2(1 + (1 - e) e^(e / (1 - e))) with e = 1 - rate (Cover and
    Thomas, Elements of Information Theory, exercise 7.8). It is 1 for a sure failure and 0.177 at
    a rate of 30 %.
    """
    if rate >= 1:
        return 1.0
    if rate <= 0:
        return 0.0
    lost = 1 - rate
    return math.log2(1 + rate * lost ** (lost / rate))


def information_bound(candidates: int, rate: float) -> float:
    """Return how many trials no method can do without on the average, log2(n) / capacity.

    It is the bound for naming one of n candidates with a small error (Burnashev 1974 has the term
    for the error itself, which is not in it).
    """
    return math.log2(candidates) / capacity(rate)
