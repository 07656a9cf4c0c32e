# SPDX-License-Identifier: Apache-2.0
"""How likely each candidate is the culprit, after what has been seen.

This is Bayesian noisy search (Burnashev and Zigangirov 1974; Karp and Kleinberg, "Noisy binary
search and its applications", 2007; Waeber, Frazier and Henderson, "Bisection search with noisy
responses", 2013), on a DAG and with a failure rate that is learnt on the way. For a hypothesis h
("candidate h is the culprit") let, among all trials,

    F = failures at commits where h predicts the failure, S = passes there,
    f = failures at commits where h predicts none, s = passes there.

Then the likelihood is  q^f (1-q)^s  times, for a sure failure, [S = 0], or else, with the rate's
prior Beta(a, b) integrated out, B(a + F, b + S) / B(a, b). Only counts enter, so the order of the
trials has no influence. When a fix is sought (`fixing`), the commits that do *not* contain h are
those where h predicts the failure; all else is the same.

One more hypothesis for each start says that this end passes by luck and has the failure already
(when a fix is sought: that the new end passes by luck and nothing was fixed). It is never the
answer, but while it is likely the search tests that end again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.bisect.candidates import Candidates, bits
from harness.bisect.oracle import Model, Outcome, entropy


@dataclass(frozen=True)
class Posterior:
    """What is believed of each hypothesis: first the candidates, then the lucky ends.

    Attributes:
        weights: the probability of each hypothesis; their sum is 1.
        rates: how often, if the hypothesis holds, the failure shows where it is predicted.
        doubts: the entropy of these rates, in bits.
        left: 1 for a hypothesis that a sure failure allows, else 0.
        sure: the probability that the failure is a sure one.
    """

    weights: list[float]
    rates: list[float]
    doubts: list[float]
    left: list[float]
    sure: float

    @cached_property
    def rate(self) -> float:
        """The failure rate that is expected."""
        return sum(w * r for w, r in zip(self.weights, self.rates, strict=True))

    @property
    def deterministic(self) -> bool:
        """Whether the failure is taken for a sure one, so that plain bisection does."""
        return self.sure >= 0.5 and any(self.left)


class Belief:
    """The counts S and f of each hypothesis, and what follows from them.

    Args:
        candidates: where to search.
        model: what is believed before the first trial.
        fixing: the commit is sought at which the failure stops.
    """

    def __init__(self, candidates: Candidates, model: Model, *, fixing: bool = False) -> None:
        self.candidates = candidates
        self.model = model
        self.fixing = fixing
        self.lucky = 1 if fixing else len(candidates.starts)
        size = len(candidates) + self.lucky
        self._passes = [0] * size
        self._alarms = [0] * size
        self._bad = 0
        self._good = 0
        self._posterior: Posterior | None = None

    def copy(self) -> Belief:
        """Return an equal belief that learns on its own."""
        other = Belief.__new__(Belief)
        other.__dict__.update(self.__dict__)
        other._passes = self._passes.copy()
        other._alarms = self._alarms.copy()
        return other

    def predicting(self, node: int) -> int:
        """Return the set of hypotheses that predict the failure at this node."""
        size = len(self.candidates)
        inside = self.candidates.contained[node]
        if self.fixing:
            # "Nothing was fixed" predicts it everywhere.
            return ~inside & ((1 << size) - 1) | 1 << size
        return inside | self.candidates.since[node] << size

    def observe(self, node: int, outcome: Outcome) -> None:
        """Count a trial; SKIP and INFRA say nothing of the culprit."""
        mask = self.predicting(node)
        if outcome is Outcome.GOOD:
            self._good += 1
            counts = self._passes
        elif outcome is Outcome.BAD:
            self._bad += 1
            counts = self._alarms
            mask = ~mask & ((1 << len(counts)) - 1)
        else:
            return
        for number in bits(mask):
            counts[number] += 1
        self._posterior = None

    @property
    def posterior(self) -> Posterior:
        """What follows from the trials so far."""
        if self._posterior is None:
            self._posterior = self._weigh()
        return self._posterior

    def _weigh(self) -> Posterior:
        keys = list(zip(self._passes, self._alarms, strict=True))
        rows = {key: self._likelihood(*key) for key in set(keys)}
        # Likelihoods of hundreds of trials leave the range of a float; their ratios do not.
        top = max(max(sure, unsure) for sure, unsure in rows.values())
        table = {key: self._row(key, top) for key in rows}
        size = len(self.candidates)
        prior = (1 - self.model.wrong_end) / size
        lucky_prior = self.model.wrong_end / max(self.lucky, 1)
        priors = [prior] * size + [lucky_prior] * self.lucky
        sure = sum(table[key][0] * by for key, by in zip(keys, priors, strict=True))
        raw = [table[key][1] * by for key, by in zip(keys, priors, strict=True)]
        total = sum(raw)
        return Posterior(
            weights=[weight / total for weight in raw],
            rates=[table[key][2] for key in keys],
            doubts=[table[key][3] for key in keys],
            left=[0.0 if any(key) else 1.0 for key in keys],
            sure=sure / total,
        )

    def _likelihood(self, passes: int, alarms: int) -> tuple[float, float]:
        """Return the logarithms of the likelihood, for a sure failure and for another."""
        model = self.model
        outside = alarms * math.log(model.false_alarm)
        outside += (self._good - passes) * math.log1p(-model.false_alarm)
        sure = math.log(model.sure) if model.sure > 0 and not passes else -math.inf
        shown = _log_beta(model.shows + self._bad - alarms, model.hides + passes)
        unsure = math.log1p(-model.sure) + shown - _log_beta(model.shows, model.hides)
        return sure + outside, unsure + outside

    def _row(self, key: tuple[int, int], top: float) -> tuple[float, float, float, float]:
        """Return weight if sure, weight, rate, and the rate's entropy for these counts."""
        sure, unsure = (math.exp(value - top) for value in self._likelihood(*key))
        passes, alarms = key
        shows = self.model.shows + self._bad - alarms
        mean = shows / (shows + self.model.hides + passes)
        weight = sure + unsure
        rate = (sure + unsure * mean) / weight if weight > 0 else mean
        return sure, weight, rate, entropy(rate)

    def classes(self, untestable: frozenset[int]) -> list[int]:
        """Return the sets of candidates that no trial can tell apart.

        Args:
            untestable: the nodes that were skipped.

        Two candidates are told apart by a commit that contains only one of them; when all these
        are skipped, the answer can be no better than both.
        """
        size = len(self.candidates)
        if not untestable:
            return [1 << number for number in range(size)]
        testable = ((1 << size) - 1) & ~sum(1 << number for number in untestable)
        found: dict[int, int] = {}
        for number, mask in enumerate(self.candidates.containing):
            key = mask & testable
            found[key] = found.get(key, 0) | 1 << number
        return list(found.values())

    def sums(self, weights: Sequence[float]) -> list[float]:
        """Return for each node the sum over the hypotheses that predict the failure there."""
        size = len(self.candidates)
        inside = self.candidates.sums(weights)
        if self.fixing:
            total = sum(weights)
            return [total - value for value in inside]
        ends = {
            mask: sum(weights[size + i] for i in bits(mask)) for mask in set(self.candidates.since)
        }
        return [v + ends[m] for v, m in zip(inside, self.candidates.since, strict=True)]


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
