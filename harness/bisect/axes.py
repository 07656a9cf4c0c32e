# SPDX-License-Identifier: Apache-2.0
"""Two trees have changed: which of them broke it (`--also`).

The four corners are tested: each tree at its good and at its bad end. Both at their good ends must
pass, both at their bad ends must fail; the other two decide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.bisect.ends import infra_problem
from harness.bisect.oracle import Outcome
from harness.bisect.plan import Options
from harness.bisect.problems import (
    BadEndPasses,
    EndsSwapped,
    EndUntestable,
    GoodEndFails,
    InfraPersists,
    SearchProblem,
)


class Blame(StrEnum):
    """Which tree broke it.

    BOTH: only the two changes together do. EITHER: each of them does on its own.
    """

    FIRST = "the first tree"
    SECOND = "the second tree"
    BOTH = "both trees together"
    EITHER = "each tree on its own"


@dataclass(frozen=True, slots=True, order=True)
class Corner:
    """Whether each tree is at its bad end."""

    first: bool
    second: bool


@dataclass(frozen=True, slots=True)
class Leg:
    """One search that follows: along one tree, with the other at one of its ends.

    Args:
        first: whether it goes along the first tree, else the second.
        other_bad: whether the tree that stays is at its bad end.
    """

    first: bool
    other_bad: bool


GOOD = Corner(False, False)
BAD = Corner(True, True)
ONLY_FIRST = Corner(True, False)
ONLY_SECOND = Corner(False, True)
CORNERS = (BAD, GOOD, ONLY_FIRST, ONLY_SECOND)


def blame(only_first: Outcome, only_second: Outcome) -> Blame | None:
    """Return which tree broke it; None when the trees do not go together well enough to tell.

    Args:
        only_first: what the first tree's bad end shows with the second's good one.
        only_second: the other way round.
    """
    table = {
        (Outcome.BAD, Outcome.GOOD): Blame.FIRST,
        (Outcome.GOOD, Outcome.BAD): Blame.SECOND,
        (Outcome.GOOD, Outcome.GOOD): Blame.BOTH,
        (Outcome.BAD, Outcome.BAD): Blame.EITHER,
        # With the failure in the other corner this tree is not needed for it.
        (Outcome.SKIP, Outcome.BAD): Blame.SECOND,
        (Outcome.BAD, Outcome.SKIP): Blame.FIRST,
    }
    return table.get((only_first, only_second))


def legs(found: Blame) -> tuple[Leg, ...]:
    """Return the searches that name the commits: one, or two when both trees have a part in it."""
    return {
        Blame.FIRST: (Leg(True, False),),
        Blame.SECOND: (Leg(False, False),),
        Blame.BOTH: (Leg(True, True), Leg(False, True)),
        Blame.EITHER: (Leg(True, False), Leg(False, False)),
    }[found]


class Corners:
    """Decides the four corners, with as many trials as the failure's rate asks for.

    The corner with both bad ends is tried like a bad end of `Search`, so its rate is known; another
    corner is good when it has passed so often that luck has at most the allowed error. The whole
    state is the observations, like that of `Search`.
    """

    def __init__(
        self,
        options: Options = Options(),  # noqa: B008 (frozen)
        observations: Iterable[tuple[Corner, Outcome]] = (),
    ) -> None:
        self.options = options
        self._counts = {corner: Counter[Outcome]() for corner in CORNERS}
        self._infra = Counter[Corner]()
        for corner, outcome in observations:
            self.observe(corner, outcome)

    def observe(self, corner: Corner, outcome: Outcome) -> None:
        """Take note of a finished trial."""
        self._counts[corner][outcome] += 1
        self._infra[corner] = self._infra[corner] + 1 if outcome is Outcome.INFRA else 0

    def next(self, slots: int = 1, running: Sequence[Corner] = ()) -> list[Corner]:
        """Return the corners to test now, at most `slots`, with `running` not observed yet.

        None are returned when all is known, or must wait for those that run.
        """
        if self.problem is not None:
            return []
        missing = {corner: self._missing(corner) for corner in CORNERS}
        waiting = Counter(running)
        found: list[Corner] = []
        for turn in range(max(missing.values(), default=0)):
            found += [c for c in CORNERS if turn < missing[c] - waiting[c]]
        # Before the bad corner is decided nobody knows how often the others have to pass.
        if missing[BAD]:
            first = [c for c in found[:slots] if c is not BAD and not self._judged(c)]
            found = [BAD] * (missing[BAD] - waiting[BAD]) + [c for c in first if not waiting[c]]
        return found[:slots]

    @property
    def problem(self) -> SearchProblem | InfraPersists | None:
        """What makes a decision impossible, to be raised by the caller; None when nothing does."""
        for corner, times in self._infra.items():
            if times >= self.options.infra_limit:
                return infra_problem(_name(corner), times)
        for corner in (GOOD, BAD):
            if self._outcome(corner) is Outcome.SKIP:
                return EndUntestable(
                    f"{_name(corner)} cannot be tested", "choose ends that build and boot"
                )
        return self._wrong_ends()

    def _wrong_ends(self) -> SearchProblem | None:
        good, bad = self._outcome(GOOD), self._outcome(BAD)
        if good is Outcome.BAD and bad is Outcome.GOOD:
            return EndsSwapped(
                "the failure shows with the good ends of both trees and not with the bad ones",
                "exchange the ends",
            )
        if good is Outcome.BAD and bad is not None:
            return GoodEndFails(
                "the failure shows with the good ends of both trees", "choose older commits"
            )
        if bad is Outcome.GOOD and good is not None:
            return BadEndPasses(
                "the failure does not show with the bad ends of both trees",
                "check that this configuration reproduces it; if it shows rarely, state its rate",
            )
        return None

    @property
    def decided(self) -> bool:
        """Whether all four corners are known."""
        return self.problem is None and not any(self._missing(corner) for corner in CORNERS)

    def answer(self) -> Blame | None:
        """Return which tree broke it, or None.

        When all is `decided` and there is none, one of the mixed corners could not be tested and
        the other did not show the failure.
        """
        if not self.decided:
            return None
        first, second = self._outcome(ONLY_FIRST), self._outcome(ONLY_SECOND)
        return blame(first, second) if first and second else None

    def _judged(self, corner: Corner) -> int:
        return self._counts[corner][Outcome.GOOD] + self._counts[corner][Outcome.BAD]

    def _outcome(self, corner: Corner) -> Outcome | None:
        counts = self._counts[corner]
        if counts[Outcome.BAD]:
            return Outcome.BAD
        if counts[Outcome.SKIP] and not counts[Outcome.GOOD]:
            return Outcome.SKIP
        return Outcome.GOOD if counts[Outcome.GOOD] >= self._passes(corner) else None

    def _passes(self, corner: Corner) -> int:
        """Return how many passes make a corner good."""
        counts = self._counts[BAD]
        failed, passed = counts[Outcome.BAD], counts[Outcome.GOOD]
        if corner == BAD or not failed:
            return self.options.patience
        if not passed:
            return 1
        rate = failed / (failed + passed)
        return math.ceil(math.log(self.options.error) / math.log1p(-rate))

    def _missing(self, corner: Corner) -> int:
        counts = self._counts[corner]
        if counts[Outcome.SKIP] or (corner != BAD and counts[Outcome.BAD]):
            return 0
        if corner == BAD:
            wanted = self.options.end_failures * (2 if counts[Outcome.GOOD] else 1)
            wanted -= counts[Outcome.BAD]
            # Without a failure so far, patience is what ends it.
            if not counts[Outcome.BAD]:
                wanted = min(wanted, self.options.patience - counts[Outcome.GOOD])
            return max(wanted, 0)
        return max(self._passes(corner) - counts[Outcome.GOOD], 0)


def _name(corner: Corner) -> str:
    if corner.first == corner.second:
        return f"the {'bad' if corner.first else 'good'} ends of both trees"
    return f"the bad end of the {'first' if corner.first else 'second'} tree with the other's good"
