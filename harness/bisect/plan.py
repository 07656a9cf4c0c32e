# SPDX-License-Identifier: Apache-2.0
"""What goes into a search and comes out of it, as plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

# The rarest failure that is reckoned with when the user says nothing of its rate.
_USUAL_RATE = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """How to search.

    Args:
        error: the probability of a wrong answer that is allowed.
        find_fix: look for the commit at which the failure stops; `bad` is then the older end.
        first_parent: follow only first parents; a merge stands for all it brought in.
        failure_rate: how often the failure shows, 0 to 1, when the user knows it.
        end_failures: how many failures are wanted of the bad end, those that the search meets
            included. If it passes, twice as many are, and before the search begins.
        infra_limit: after so many failures of the environment in a row at a commit, give up.
        max_trials: answer after so many verdicts at the latest, however unsure.
    """

    error: float = 0.01
    find_fix: bool = False
    first_parent: bool = False
    failure_rate: float | None = None
    end_failures: int = 7
    infra_limit: int = 3
    max_trials: int | None = None

    @property
    def patience(self) -> int:
        """How many passes of the bad end, without a failure, mean that it does not fail.

        A failure of the stated rate, or of 30 % when none is stated, is seen until then in all but
        `error` of the searches.
        """
        rate = _USUAL_RATE if self.failure_rate is None else self.failure_rate
        if rate >= 1:
            return 1
        return max(math.ceil(math.log(self.error) / math.log1p(-rate)), 1)


class Purpose(StrEnum):
    """Why a commit is tested."""

    BAD_END = "the bad end must fail"
    GOOD_END = "the good end must pass"
    SEARCH = "search"
    RETEST = "to be sure of the answer"


@dataclass(frozen=True, slots=True)
class Trial:
    """One build and boot to do."""

    commit: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Answer:
    """What the search has found.

    Attributes:
        culprits: the first commit with the failure (or without, for `find_fix`); several, oldest
            first, when skipped commits between them hide which of them it is.
        skipped: those of `culprits` that could not be tested.
        confidence: the probability that the culprit is among `culprits`.
        conclusive: whether that is as much as was asked for; False after `max_trials`.
        failure_rate: how often the failure shows, as estimated.
        trials: verdicts used, those of the ends included.
    """

    culprits: tuple[str, ...]
    skipped: tuple[str, ...]
    confidence: float
    conclusive: bool
    failure_rate: float
    trials: int
