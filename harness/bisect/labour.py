# SPDX-License-Identifier: Apache-2.0
"""What a loop stands between: the search that says what to test, and the hands that do it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from harness.bisect.judge import ScriptRan
from harness.bisect.oracle import Observation, Outcome
from harness.bisect.plan import Trial
from harness.bisect.problems import InfraPersists, SearchProblem
from harness.bisect.progress import Progress
from harness.bisect.subject_build import BuiltCandidate
from harness.report.record import RunRecord

Ran = RunRecord | ScriptRan


class Searching(Protocol):
    """What says what to test: a `Search`, or the corners of two trees."""

    @property
    def observations(self) -> Sequence[Observation]: ...
    @property
    def ended(self) -> bool: ...
    @property
    def problem(self) -> SearchProblem | InfraPersists | None: ...
    @property
    def progress(self) -> Progress: ...
    def next(self, slots: int = 1, running: Sequence[str] = ()) -> list[Trial]: ...
    def observe(self, commit: str, outcome: Outcome) -> None: ...
    def speculate(self, count: int, running: Sequence[str] = (), slots: int = 1) -> list[str]: ...


class Hands(Protocol):
    """What does the work: builds and trials, in other processes."""

    @property
    def slots(self) -> int:
        """How many trials at once."""

    def build(self, candidate: str, *, ahead: bool = False) -> Future[BuiltCandidate]:
        """Begin the build of a candidate; with a low priority when nobody waits for it."""

    def begin(self, candidate: str, folder: Path) -> Future[Any]:
        """Begin a trial of a candidate that is built, with its evidence in a folder."""

    def take(self, future: Future[Any], candidate: str) -> Ran:
        """Return what came of a trial."""

    def end(self) -> None:
        """Ask all that goes on to end."""
