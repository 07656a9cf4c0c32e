# SPDX-License-Identifier: Apache-2.0
"""Which commits to test next: those whose outcome is expected to tell most.

For one trial that is the mutual information of its outcome and the culprit (Lindley 1956; for
noisy bisection Jedynak, Frazier and Sznitman 2012). For a sure failure it is largest where git
bisect goes: where the commit contains half of what is left. For several trials at once it is the
information of all outcomes together, chosen greedily (near the best, as it is submodular: Krause
and Guestrin 2005); for a sure failure on a line these are the n-section's points.

A commit near skipped ones is likely to be skipped as well: skips come in runs, and how long a run
is becomes known only by leaving it. After s skips a commit d steps away is taken to be testable
with probability d / (s + d), so each skip sends the next trial further away. This does what `git
bisect skip` does with its random jump away from the middle, but without the randomness.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from harness.bisect.belief import Belief, Posterior
from harness.bisect.candidates import bits
from harness.bisect.oracle import entropy

# Outcomes of so many trials are taken into account together; 2^n combinations exist.
_TOGETHER = 6
# So many commits are compared for each trial after the first.
_SHORTLIST = 64
# So often the trials of one round are exchanged for better ones.
_EXCHANGES = 3
# Of the bits that even parts tell, this much is as good as even.
_EVEN = 0.98
# What tells less, in bits, is not worth a trial.
_NOTHING = 1e-9


@dataclass(frozen=True, slots=True)
class Known:
    """What has been found out of the nodes themselves.

    Attributes:
        tested: nodes with a verdict; they can be tested again.
        skipped: nodes that cannot be tested.
    """

    tested: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Cell:
    """Hypotheses that agree on all trials chosen so far.

    `outcomes` has the probability of each combination of outcomes (bit i set: trial i fails).
    """

    members: int
    outcomes: dict[int, float] = field(default_factory=lambda: {0: 1.0})


def choose(belief: Belief, known: Known, slots: int, running: Sequence[int] = ()) -> list[int]:
    """Return the nodes to test now, at most `slots`; a node can be there several times.

    Args:
        belief: what is known of the culprit.
        known: what is known of the nodes.
        slots: how many trials can be started.
        running: the nodes of the trials that are not finished yet.

    Fewer are returned when nothing more can be told by testing.
    """
    posterior = belief.posterior
    weights = posterior.left if posterior.deterministic else posterior.weights
    scores = _scores(belief, posterior)
    if max((scores[n] for n in range(len(scores)) if n not in known.skipped), default=0) < _NOTHING:
        # What a sure failure leaves cannot be split; doubt that it is sure may still be settled.
        weights = posterior.weights
        scores = _information(belief, posterior)
    chance = testable(belief, known)
    worth = [score * by for score, by in zip(scores, chance, strict=True)]
    rate = 1.0 if weights is posterior.left else posterior.rate
    batch = _Batch(belief, weights, rate, worth, chance)
    if running:
        return batch.add(running, slots)
    return batch.best(slots)


def _scores(belief: Belief, posterior: Posterior) -> list[float]:
    if not posterior.deterministic:
        return _information(belief, posterior)
    total = sum(posterior.left)
    return [entropy(value / total) for value in belief.sums(posterior.left)]


def _information(belief: Belief, posterior: Posterior) -> list[float]:
    """Return for each node how many bits one trial of it tells on the average."""
    q = belief.model.false_alarm
    blind = entropy(q)
    weights = posterior.weights
    inside = belief.sums(weights)
    shows = belief.sums([w * r for w, r in zip(weights, posterior.rates, strict=True)])
    doubts = belief.sums([w * d for w, d in zip(weights, posterior.doubts, strict=True)])
    return [
        entropy(fail + q * (1 - mass)) - doubt - blind * (1 - mass)
        for mass, fail, doubt in zip(inside, shows, doubts, strict=True)
    ]


def testable(belief: Belief, known: Known) -> list[float]:
    """Return for each node how likely it is that a trial of it can be judged."""
    candidates = belief.candidates
    chance = [1.0] * len(candidates.nodes)
    if not known.skipped:
        return chance
    size = len(candidates)
    reached = dict.fromkeys(known.skipped, 0)
    front = [number for number in known.skipped if number < size]
    runs = len(front)
    distance = 0
    while front:
        distance += 1
        near = {n for number in front for n in candidates.neighbours[number]}
        # A run of skips does not reach past a commit that could be judged.
        front = [n for n in near if n not in reached and n not in known.tested]
        for number in front:
            reached[number] = distance
            chance[number] = distance / (runs + distance)
    for number in known.skipped:
        chance[number] = 0.0
    return chance


class _Batch:
    """Trials that are judged together."""

    def __init__(
        self,
        belief: Belief,
        weights: Sequence[float],
        rate: float,
        worth: Sequence[float],
        chance: Sequence[float],
    ) -> None:
        self.belief = belief
        self.weights = weights
        self.rate = rate
        self.worth = worth
        self.chance = chance

    def best(self, slots: int) -> list[int]:
        """Choose with nothing running."""
        first = max(range(len(self.worth)), key=self.worth.__getitem__)
        if self.worth[first] < _NOTHING or slots < 1:
            return []
        if slots == 1:
            return [first]
        if self.rate < 1:
            return [first, *self.add([first], slots - 1)]
        chosen = self._quantiles(slots)
        # Parts that are about even are good enough, as they always are on a line. Exchanging each
        # trial for the best one next to the others mends what branches in parallel spoil.
        for _ in range(_EXCHANGES):
            if self._joint(chosen) >= _EVEN * math.log2(slots + 1):
                break
            before = chosen.copy()
            for place in range(len(chosen)):
                others = chosen[:place] + chosen[place + 1 :]
                chosen[place : place + 1] = self.add(others, 1) or [chosen[place]]
            if chosen == before:
                break
        chosen = list(dict.fromkeys(chosen))
        return chosen + self.add(chosen, slots - len(chosen))

    def _joint(self, chosen: Sequence[int]) -> float:
        cells = self._cells(chosen)
        return _joint(cells, [self._whole(cell) for cell in cells])

    def _whole(self, cell: _Cell) -> float:
        return sum(self.weights[number] for number in bits(cell.members))

    def _quantiles(self, slots: int) -> list[int]:
        masses = self.belief.sums(self.weights)
        total = sum(self.weights)
        usable = [n for n, worth in enumerate(self.worth) if worth >= _NOTHING]
        found: dict[int, None] = {}
        for part in range(1, slots + 1):
            aim = total * part / (slots + 1)
            # A commit that is likely to be skipped counts as one part further away.
            costs = {n: abs(masses[n] - aim) * (slots + 1) / total - self.chance[n] for n in usable}
            found[min(costs, key=costs.__getitem__)] = None
        return list(found)

    def add(self, chosen: Iterable[int], slots: int) -> list[int]:
        """Choose the best next to these."""
        chosen = list(chosen)
        found: list[int] = []
        for _ in range(slots):
            node = self._next_to((chosen + found)[-_TOGETHER:])
            if node is None:
                break
            found.append(node)
        return found

    def _next_to(self, chosen: Sequence[int]) -> int | None:
        cells = self._cells(chosen)
        parts = [self._inside(cell) for cell in cells]
        wholes = [self._whole(cell) for cell in cells]
        before = _joint(cells, wholes)
        best, most = None, _NOTHING
        for node in self._shortlist(chosen):
            inside = [part[node] for part in parts]
            gain = self._gain(cells, inside, wholes) - before
            gain -= sum(inside) / sum(wholes) * entropy(self.rate)
            gain *= self.chance[node]
            if gain > most * (1 + 1e-9):
                best, most = node, gain
        return best

    def _gain(self, cells: list[_Cell], inside: list[float], wholes: list[float]) -> float:
        failing: dict[int, float] = {}
        passing: dict[int, float] = {}
        for cell, part, whole in zip(cells, inside, wholes, strict=True):
            fails = part * self.rate
            for outcome, chance in cell.outcomes.items():
                failing[outcome] = failing.get(outcome, 0.0) + chance * fails
                passing[outcome] = passing.get(outcome, 0.0) + chance * (whole - fails)
        return _bits_of([*failing.values(), *passing.values()])

    def _cells(self, chosen: Sequence[int]) -> list[_Cell]:
        alive = sum(1 << i for i, weight in enumerate(self.weights) if weight > 0)
        cells = [_Cell(alive)]
        for place, node in enumerate(chosen):
            mask = self.belief.predicting(node)
            split: list[_Cell] = []
            for cell in cells:
                if cell.members & ~mask:
                    split.append(_Cell(cell.members & ~mask, cell.outcomes))
                if cell.members & mask:
                    split.append(_Cell(cell.members & mask, _with(cell, place, self.rate)))
            cells = split
        return cells

    def _inside(self, cell: _Cell) -> list[float]:
        weights = [0.0] * len(self.weights)
        for number in bits(cell.members):
            weights[number] = self.weights[number]
        return self.belief.sums(weights)

    def _shortlist(self, chosen: Collection[int]) -> list[int]:
        usable = [n for n, worth in enumerate(self.worth) if worth >= _NOTHING]
        if len(usable) <= _SHORTLIST:
            return usable
        masses = self.belief.sums(self.weights)
        usable.sort(key=masses.__getitem__)
        # Spaced by how much they contain, not by their number: a sharp belief has its mass in few.
        aims = [sum(self.weights) * (k + 1) / (_SHORTLIST + 1) for k in range(_SHORTLIST)]
        found: dict[int, None] = {}
        place = 0
        for aim in aims:
            while place + 1 < len(usable) and masses[usable[place]] < aim:
                place += 1
            found[usable[place]] = None
        return list(found)


def _with(cell: _Cell, place: int, rate: float) -> dict[int, float]:
    fails = {outcome | 1 << place: chance * rate for outcome, chance in cell.outcomes.items()}
    if rate >= 1:
        return fails
    return fails | {outcome: chance * (1 - rate) for outcome, chance in cell.outcomes.items()}


def _joint(cells: list[_Cell], wholes: list[float]) -> float:
    outcomes: dict[int, float] = {}
    for cell, whole in zip(cells, wholes, strict=True):
        for outcome, chance in cell.outcomes.items():
            outcomes[outcome] = outcomes.get(outcome, 0.0) + chance * whole
    return _bits_of(list(outcomes.values()))


def _bits_of(parts: list[float]) -> float:
    """Return the entropy of a distribution given by its parts, in bits."""
    total = sum(parts)
    return (
        sum(-part * math.log2(part / total) for part in parts if part > 0) / total if total else 0.0
    )
