# SPDX-License-Identifier: Apache-2.0
"""The ends are tested before anything between them: a wrong end makes every answer wrong.

An end that should pass must do so once (the search itself comes back to it while luck is likely).
An end that should fail does so once before the search. A failure that always shows is taken for a
sure one after several, those that the search meets included; what is missing then is made before
the answer. An end that passes as well is tried until it has failed several times, because that is
the cheapest place to learn the failure rate: it is built only once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.bisect.oracle import Outcome
from harness.bisect.problems import (
    BadEndPasses,
    EndsSwapped,
    EndUntestable,
    GoodEndFails,
    InfraPersists,
    SearchProblem,
)

Counts = Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Ends:
    """The commits whose outcome is known before the search, or should be.

    Args:
        bad: where the failure must show; the user's end first, then merge bases.
        good: where it must not show.
        failures: how many failures are wanted of each of `bad`, those of commits between the ends
            included while it always fails; twice as many of one that passes as well, as then its
            rate has to be known.
        patience: so many passes without one failure mean that it does not fail.
        most: no more trials than this once there is a failure.
    """

    bad: tuple[str, ...]
    good: tuple[str, ...]
    failures: int
    patience: int
    most: int

    def missing(self, counts: Mapping[str, Counts], met: int = 0) -> Iterator[tuple[str, bool]]:
        """Yield the trials that are missing: the commit, and whether it should fail.

        Args:
            counts: the outcomes at each commit.
            met: failures at commits between the ends.

        One trial of each end comes first, as it finds nearly every mistake.
        """
        yield from ((end, True) for end in self.bad if not _judged(counts[end]))
        yield from ((end, False) for end in self.good if not _judged(counts[end]))
        for end in self.bad:
            first = 0 if _judged(counts[end]) else 1
            yield from ((end, True) for _ in range(self._left(counts[end], met) - first))

    def urgent(self, counts: Mapping[str, Counts]) -> bool:
        """Whether a trial is missing that the search cannot begin without."""
        return any(
            not _judged(counts[end]) or (fails and not self._plain(counts[end]))
            for end, fails in self.missing(counts)
        )

    def _plain(self, counts: Counts) -> bool:
        """Whether a bad end looks like one that always fails."""
        return not counts[Outcome.GOOD] and counts[Outcome.BAD] > 0

    def _left(self, counts: Counts, met: int) -> int:
        """Return how many trials of a bad end are missing at least."""
        failed = counts[Outcome.BAD]
        allowed = self.most if failed else self.patience
        # What passes now and then has its rate measured where the outcome is known: at the end.
        wanted = 2 * self.failures if counts[Outcome.GOOD] else self.failures - met
        return max(min(wanted - failed, allowed - _judged(counts)), 0)

    def problem(self, counts: Mapping[str, Counts]) -> SearchProblem | None:
        """Return what is wrong with the ends, or None when nothing is, as far as is known."""
        for end in (*self.bad, *self.good):
            if counts[end][Outcome.SKIP] and not _judged(counts[end]):
                return EndUntestable(
                    f"{end} is an end of the search and cannot be tested",
                    "choose another commit near it that builds and boots",
                )
        fails = next((end for end in self.good if counts[end][Outcome.BAD]), None)
        passes = next((end for end in self.bad if self._only_passes(counts[end])), None)
        if fails and passes:
            return EndsSwapped(
                f"the failure shows at {fails}, which should pass, and not at {passes}, which"
                " should fail",
                "exchange the ends, or look for what fixed it (--find-fix)",
            )
        if passes and self._settled(self.good, counts):
            return self._bad_passes(passes)
        # Whether the ends are exchanged is known when the other end has shown what it does.
        if fails and (passes is not None or any(counts[end][Outcome.BAD] for end in self.bad)):
            return _good_fails(fails, self.good)
        return None

    def _only_passes(self, counts: Counts) -> bool:
        return not counts[Outcome.BAD] and counts[Outcome.GOOD] >= self.patience

    def _settled(self, ends: Sequence[str], counts: Mapping[str, Counts]) -> bool:
        return all(_judged(counts[end]) for end in ends)

    def _bad_passes(self, end: str) -> SearchProblem:
        if end != self.bad[0]:
            return BadEndPasses(
                f"the failure does not show at {end}, from which the two ends' histories part:"
                " it came and went on one of them",
                f"search between {end} and the end that fails",
            )
        return BadEndPasses(
            f"the failure did not show in {self.patience} trials of {end}, which should fail",
            "check that this configuration reproduces it; if it shows rarely, give more trials"
            " or its rate",
        )


def _good_fails(end: str, ends: Sequence[str]) -> SearchProblem:
    if end != ends[0]:
        return GoodEndFails(
            f"the failure shows at {end}, which is older than all commits in between",
            "choose an older commit for the end that passes; if this is where the ends' histories"
            f" part, something after {end} fixed it there: look for that (--find-fix)",
        )
    return GoodEndFails(
        f"the failure shows at {end}, which should pass", "choose an older or another commit"
    )


def _judged(counts: Counts) -> int:
    return counts[Outcome.GOOD] + counts[Outcome.BAD]


def infra_problem(commit: str, times: int) -> InfraPersists:
    """Return the problem of a commit at which only the environment has failed, so many times."""
    return InfraPersists(
        f"the environment failed {times} times in a row at {commit}",
        "see the last run's report; when it is mended, start the same search again: it goes on"
        " where it was",
    )
