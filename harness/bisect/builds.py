# SPDX-License-Identifier: Apache-2.0
"""The builds of a search: those that a trial waits for, and one that is likely to be next.

A build of chance does not keep one that is waited for from beginning: it goes on beside it, in a
kept tree of its own and with a lower priority. It goes on to its end also when nobody will want it
any more: a kept tree in which a build was ended is worth nothing, and the next build there would
begin from nothing, which takes several times as long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass, field

from harness.bisect.journal import BuildRecord, Journal
from harness.bisect.labour import Hands
from harness.bisect.subject_build import BuiltCandidate
from harness.errors import CallerError, InfraError, own_error
from harness.night.journal import now

# A candidate whose build the environment has spoilt is built again so often.
_RETRIES = 2
# Builds at once; each uses all cores where it can.
BUILDS = 2


@dataclass
class Builds:
    """What has been built, and what is being built.

    Args:
        name: of the search, in the journal.
        hands: do the work.
        journal: takes a record of each.
    """

    name: str
    hands: Hands
    journal: Journal
    built: dict[str, BuiltCandidate] = field(default_factory=dict)
    _running: dict[Future[BuiltCandidate], tuple[str, bool]] = field(default_factory=dict)
    _tries: Counter[str] = field(default_factory=Counter)

    @property
    def running(self) -> list[Future[BuiltCandidate]]:
        """The builds that go on."""
        return list(self._running)

    @property
    def room(self) -> bool:
        """Whether a build of chance can begin: one at a time, while nothing is waited for."""
        return not self._running

    def begin(self, candidate: str, *, ahead: bool) -> None:
        """Begin a build while there is room; one that goes on already is not begun again.

        The first is alone: from its objects the second is made in a part of its time.
        """
        busy = {candidate for candidate, _ in self._running.values()}
        most = BUILDS if self.built else 1
        if candidate not in busy and candidate not in self.built and len(busy) < most:
            future = self.hands.build(candidate, ahead=ahead)
            self._running[future] = candidate, ahead

    def take(self, done: Collection[Future[object]]) -> list[tuple[str, Exception]]:
        """Take the builds that have ended.

        Args:
            done: futures that have ended, these builds' among them.

        Returns:
            The candidates whose build the environment has spoilt, and how.

        Raises:
            CallerError: the configuration is wrong at every commit.
        """
        spoilt: list[tuple[str, Exception]] = []
        for future in [future for future in self._running if future in done]:
            candidate, ahead = self._running.pop(future)
            try:
                self._keep(candidate, future.result(), ahead)
            except CallerError:
                raise
            except Exception as caught:
                spoilt.append((candidate, own_error(caught)))
        return spoilt

    def spoilt(self, candidate: str, error: Exception) -> None:
        """Count a build that the environment has spoilt; raise it when that goes on."""
        self._tries[candidate] += 1
        if self._tries[candidate] > _RETRIES and isinstance(error, InfraError):
            raise error

    def _keep(self, candidate: str, built: BuiltCandidate, ahead: bool) -> None:
        self.built[candidate] = built
        self.journal.write(
            BuildRecord(
                dt=now(),
                leg=self.name,
                candidate=candidate,
                keys=dict(built.keys),
                identity=built.identity,
                seconds=round(built.seconds, 3),
                cached=built.cached,
                ahead=ahead,
                error=built.error.message if built.error else None,
            )
        )
