# SPDX-License-Identifier: Apache-2.0
"""Trials that the bad end is still owed are made while a build is waited for."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.bisect.plan import Options
from harness.bisect.subject_build import BuiltCandidate
from tests.unit.test_bisect_loop import COMMITS, CULPRIT, FakeHands, answer_of, search_in

_BAD, _GOOD = COMMITS[-1], COMMITS[0]
# Only a loop that does not use the time waits for so long, in seconds.
_LOST_S = 5.0


@dataclass
class SlowBuilds(FakeHands):
    """A build of a commit between the ends is ready when a trial of the bad end has begun."""

    waiting: list[tuple[Future[BuiltCandidate], BuiltCandidate]] = field(default_factory=list)
    lost: int = 0

    def build(self, candidate: str, *, ahead: bool = False) -> Future[BuiltCandidate]:
        """Begin a build."""
        done = super().build(candidate, ahead=ahead)
        owed = Options().end_failures - self.log.count(("run", _BAD))
        if candidate in (_BAD, _GOOD) or owed == 0:
            return done
        future: Future[BuiltCandidate] = Future()
        self.waiting.append((future, done.result()))
        timer = threading.Timer(_LOST_S, self.give_up, [future, done.result()])
        timer.daemon = True
        timer.start()
        return future

    def give_up(self, future: Future[BuiltCandidate], built: BuiltCandidate) -> None:
        """Have the build ready though no trial was begun meanwhile."""
        if not future.done():
            self.lost += 1
            future.set_result(built)

    def begin(self, candidate: str, folder: Path) -> Future[Any]:
        """Run it."""
        future = super().begin(candidate, folder)
        if candidate == _BAD:
            for build, built in self.waiting:
                if not build.done():
                    build.set_result(built)
        return future


def test_the_wait_for_a_build_is_used(tmp_path: Path) -> None:
    hands = SlowBuilds()
    assert answer_of(search_in(tmp_path, hands)).culprits == (COMMITS[CULPRIT],)
    assert hands.waiting
    assert hands.lost == 0
    assert hands.log.count(("run", _BAD)) == Options().end_failures
