# SPDX-License-Identifier: Apache-2.0
"""What does the work of a search: builds here, runs where the backend has them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.bisect import work
from harness.bisect.also import Pair
from harness.bisect.builds import BUILDS
from harness.bisect.journal import JudgeRecord, OptionsRecord
from harness.bisect.judge import ScriptRan
from harness.bisect.labour import Ran
from harness.bisect.subject import Subject
from harness.bisect.subject_build import BuiltCandidate
from harness.cells.backend import Backend
from harness.cells.cell import Cell, CellResult
from harness.cells.pool import CellPool
from harness.config.load import load
from harness.config.schema import Config
from harness.errors import BuildError
from harness.report.make import cell_record
from harness.report.record import FailureRecord

# Time of a script when nothing else is said.
SCRIPT_S = 600.0
# What a builder needs beside what a run needs.
BUILDER_MODULES = (work.__name__,)


@dataclass(frozen=True, slots=True)
class RealHands:
    """Builds in a process beside the runs; runs by the backend.

    Args:
        subject: makes settings of candidates.
        judge: what is run.
        options: with what configuration.
        fixed: settings that stay: those of the other tree.
        backend: does the runs.
        builder: does the builds.
        slots: how many runs at once.
        folder: of the bisection; evidence is named relative to it.
    """

    subject: Subject | Pair
    judge: JudgeRecord
    options: OptionsRecord
    fixed: Sequence[str]
    backend: Backend
    builder: CellPool
    slots: int
    folder: Path

    def settings(self, candidate: str) -> tuple[str, ...]:
        """Return the assignments that make the configuration of a candidate."""
        return (*self.options.settings, *self.fixed, *self.subject.settings(candidate))

    def config(self, candidate: str) -> Config:
        """Return the configuration of a candidate."""
        files = [Path(name) for name in self.options.files]
        return load(files, self.settings(candidate)).value

    def build(self, candidate: str, *, ahead: bool = False) -> Future[BuiltCandidate]:
        """Begin the build of a candidate; with a low priority when nobody waits for it."""
        try:
            self.subject.prepare(candidate)
            config = self.config(candidate)
        except BuildError as error:
            return _done(BuiltCandidate(None, error=error))
        except Exception as error:
            return _failed(error)
        options = self.options
        return self.builder.submit(
            work.build_candidate,
            config,
            options.offline,
            options.store,
            ahead=ahead,
            at_once=BUILDS,
        )

    def begin(self, candidate: str, folder: Path) -> Future[Any]:
        """Begin a trial of a candidate that is built, with its evidence in a folder."""
        judge = self.judge
        submit: Callable[..., Future[Any]] = self.backend.executor.submit
        if judge.script is not None:
            words = [w for name in self.options.files for w in ("-c", name)]
            job = work.ScriptJob(
                judge.script,
                candidate,
                self.subject.component,
                self.settings(candidate),
                folder,
                judge.limit_s or SCRIPT_S,
                tuple(words),
            )
            return submit(work.run_script, job)
        cell = Cell(
            judge.scenario if judge.payload is None else "payload",
            self.config(candidate),
            candidate[:12],
            folder,
            offline=self.options.offline,
            arguments=tuple(sys.argv[1:]),
            limit_s=judge.limit_s,
            store=self.options.store,
        )
        if judge.payload is None:
            return submit(self.backend.run, cell)
        assert judge.expect is not None
        payload = work.PayloadJob(cell, Path(judge.payload), judge.expect, judge.reject)
        return submit(work.run_payload, payload)

    def take(self, future: Future[Any], candidate: str) -> Ran:
        """Return what came of a trial."""
        result: CellResult | ScriptRan = future.result()
        if isinstance(result, ScriptRan):
            return result
        record = cell_record(result, folder=self.folder)
        if result.error is None:
            return record
        # A candidate that cannot even be configured says so in its record.
        found = FailureRecord(check="run", message=result.error.message)
        return msgspec.structs.replace(record, failures=(*record.failures, found))

    def end(self) -> None:
        """Ask all that goes on to end."""
        self.builder.end()
        self.backend.end()


def _done(built: BuiltCandidate) -> Future[BuiltCandidate]:
    future: Future[BuiltCandidate] = Future()
    future.set_result(built)
    return future


def _failed(error: Exception) -> Future[BuiltCandidate]:
    future: Future[BuiltCandidate] = Future()
    future.set_exception(error)
    return future
