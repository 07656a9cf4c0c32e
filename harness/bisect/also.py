# SPDX-License-Identifier: Apache-2.0
"""Two trees at once (`--also`): the four corners as a search, and both trees as one subject."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.bisect.axes import BAD, CORNERS, GOOD, Corner, Corners
from harness.bisect.oracle import JUDGED, Observation, Outcome
from harness.bisect.plan import Options, Purpose, Trial
from harness.bisect.problems import InfraPersists, SearchProblem
from harness.bisect.progress import Progress
from harness.bisect.subject import Subject


def name_of(corner: Corner) -> str:
    """Return a corner as a candidate: `bad+good` is the first tree's bad end alone."""
    return "+".join("bad" if end else "good" for end in (corner.first, corner.second))


_OF = {name_of(corner): corner for corner in CORNERS}
_PURPOSES = {BAD: Purpose.BAD_END, GOOD: Purpose.GOOD_END}


class CornerSearch:
    """The decision about the corners, with the ways of a search.

    Args:
        options: how sure it has to be.
        observations: what a journal has of it.
    """

    def __init__(self, options: Options, observations: Iterable[Observation] = ()) -> None:
        self.corners = Corners(options)
        self._observations: list[Observation] = []
        for seen in observations:
            self.observe(seen.commit, seen.outcome)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """All that was observed."""
        return tuple(self._observations)

    @property
    def problem(self) -> SearchProblem | InfraPersists | None:
        """What makes a decision impossible."""
        return self.corners.problem

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.corners.problem is not None or self.corners.decided

    def observe(self, commit: str, outcome: Outcome) -> None:
        """Take note of a finished trial."""
        self.corners.observe(_OF[commit], outcome)
        self._observations.append(Observation(commit, outcome))

    def next(self, slots: int = 1, running: Sequence[str] = ()) -> list[Trial]:
        """Return the trials to start now."""
        if slots < 1:
            return []
        found = self.corners.next(slots, [_OF[name] for name in running])
        return [Trial(name_of(c), _PURPOSES.get(c, Purpose.SEARCH)) for c in found]

    def speculate(self, count: int, running: Sequence[str] = (), slots: int = 1) -> list[str]:
        """Return the corners that are to be built: all of them."""
        return [name_of(corner) for corner in CORNERS][:count]

    @property
    def progress(self) -> Progress:
        """How far it is; a failure that was seen is a sure one until the corner has passed too."""
        shown = [seen.outcome for seen in self._observations if seen.commit == name_of(BAD)]
        failed, passed = shown.count(Outcome.BAD), shown.count(Outcome.GOOD)
        judged = sum(seen.outcome in JUDGED for seen in self._observations)
        left = len(self.corners.next(1 << 10))
        rate = failed / (failed + passed) if failed else 1.0
        return Progress(len(CORNERS), left, judged, judged, rate, not passed)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both trees, each at one of its ends.

    Args:
        first: a subject with its good and its bad end.
        second: the other.
    """

    first: tuple[Subject, str, str]
    second: tuple[Subject, str, str]
    component: str = field(default="corners")

    def _ends(self, candidate: str) -> list[tuple[Subject, str]]:
        corner = _OF[candidate]
        sides = ((self.first, corner.first), (self.second, corner.second))
        return [(subject, bad if at_bad else good) for (subject, good, bad), at_bad in sides]

    def settings(self, candidate: str) -> tuple[str, ...]:
        """Return the assignments of a corner."""
        return tuple(s for subject, end in self._ends(candidate) for s in subject.settings(end))

    def prepare(self, candidate: str) -> None:
        """Make sure that a corner can be built."""
        for subject, end in self._ends(candidate):
            subject.prepare(end)
