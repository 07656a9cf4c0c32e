# SPDX-License-Identifier: Apache-2.0
"""A search for what made a number worse: `--metric NAME --worse-by 5%`.

A commit is BAD when its value is worse than the good end's by at least the given part. A number
that is the same in every run needs one run. One with noise is decided by a sequential probability
ratio test (Wald 1945) between "like the good end" and "worse by exactly that part". Mean and
spread are not known, so they are integrated out with the right Haar prior: with the pooled
samples, the candidate's shifted back by the difference that the hypothesis states, and SS their
sum of squares around their mean,

    LLR = (N - 1) / 2 * ln(SS0 / SS1)

(the invariant sequential t-test; Rushton 1950, Lai 1981, and why both kinds of error are kept:
Hendriksen, de Heide and Grünwald, "Optional stopping with Bayes factors", 2021). All samples are
taken to be normal and to have the same spread.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.bisect.oracle import Outcome
from harness.errors import UsageError

# Runs of the good end before anything is compared with it, when they differ.
BASELINE = 5
# Runs that must agree before a number is taken to be the same in every run.
_AGREEING = 3


@dataclass(frozen=True, slots=True)
class Metric:
    """When a number is worse.

    Args:
        worse_by: the part of the good end's value, 0.05 for 5 %, by which it must be worse.
        higher_is_worse: True for costs (time, instructions), False for throughput.
        error: the probability that one commit is judged wrongly.
        most: after so many runs of one commit the likelier outcome is taken.
    """

    worse_by: float
    higher_is_worse: bool = True
    error: float = 1e-3
    most: int = 50

    def judge(self, baseline: Sequence[float], values: Sequence[float]) -> Outcome | None:
        """Return whether a commit is worse than the good end.

        Args:
            baseline: what the good end has shown, see `more_baseline`.
            values: what the commit has shown; not empty.

        Returns:
            GOOD or BAD, or None while another run of the commit is needed.
        """
        if len(set(baseline)) == 1 and len(set(values)) == 1:
            # Equality of a few runs is all that is asked for: a number that has been the same in
            # every run so far is compared as it is.
            above = values[0] - baseline[0]
            worse = above if self.higher_is_worse else -above
            return _outcome(worse >= abs(self._difference(baseline)))
        ratio = self.log_ratio(baseline, values)
        enough = math.log((1 - self.error) / self.error)
        if abs(ratio) < enough and len(values) < self.most:
            return None
        return _outcome(ratio > 0)

    def log_ratio(self, baseline: Sequence[float], values: Sequence[float]) -> float:
        """Return the logarithm of how much likelier "worse" is than "not worse"."""
        same = _spread([*baseline, *values])
        difference = self._difference(baseline)
        worse = _spread([*baseline, *(value - difference for value in values)])
        if same == worse:
            return 0.0
        if not same or not worse:
            return -math.inf if worse else math.inf
        return (len(baseline) + len(values) - 1) / 2 * math.log(same / worse)

    def _difference(self, baseline: Sequence[float]) -> float:
        size = abs(sum(baseline) / len(baseline)) * self.worse_by
        return size if self.higher_is_worse else -size


def more_baseline(baseline: Sequence[float]) -> int:
    """Return how many more runs of the good end are needed to compare others with it."""
    wanted = _AGREEING if len(set(baseline)) <= 1 else BASELINE
    return max(wanted - len(baseline), 0)


def part(text: str) -> float:
    """Return the part that `--worse-by` states: `5%` and `0.05` are the same.

    Raises:
        UsageError: it is no number above 0.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(%?)\s*", text)
    value = float(match[1]) / (100 if match[2] else 1) if match else 0.0
    if value <= 0:
        raise UsageError(f"--worse-by {text}: not a part", "say it like 5% or 0.05")
    return value


def _spread(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)


def _outcome(worse: bool) -> Outcome:
    return Outcome.BAD if worse else Outcome.GOOD
