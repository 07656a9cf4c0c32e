# SPDX-License-Identifier: Apache-2.0
"""The same run again and again: its cells, their evidence, and what they say together."""

from __future__ import annotations

import itertools
import re
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.cells.backend import Backend
from harness.cells.cell import Cell, CellResult
from harness.cells.nursery import GRACE_S
from harness.cells.schedule import Scheduler
from harness.cells.tally import Tally, is_bad, tally_of
from harness.config.schema import Config
from harness.errors import CallerError, interrupted_code
from harness.machine.rundir import EVIDENCE, RunDir, point_latest
from harness.report.keep import add_to_history, write_events
from harness.report.make import cell_record
from harness.verdict import Verdict

# Evidence of this many passes stays, the last ones; 1.1 MB each for a smoke.
KEEP_PASSES = 10
# After so many runs in a row that the environment spoilt, each tried three times, it is of no use.
_GIVE_UP = 3
_FOLDER = re.compile(r"run-\d{4,}(?:-again-\d+)?")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is repeated.

    Args:
        scenario: its name.
        config: the machine.
        repeat: how often; None for no end.
        until_fail: begin no further run after one that failed.
        offline: never touch the network.
        folder: takes a folder for each run.
        seed: of each run; None for one of chance.
    """

    scenario: str
    config: Config
    repeat: int | None
    until_fail: bool
    offline: bool
    folder: RunDir
    seed: bytes | None = None

    def cells(self) -> Iterator[Cell]:
        """Give the runs, numbered from 1."""
        numbers = itertools.count(1) if self.repeat is None else range(1, self.repeat + 1)
        for number in numbers:
            folder = self.folder.file(f"run-{number:04}")
            yield Cell(
                self.scenario,
                self.config,
                str(number),
                folder,
                seed=self.seed,
                offline=self.offline,
                arguments=tuple(sys.argv[1:]),
            )


@dataclass
class Series:
    """A series that goes on or has ended.

    `interrupted` is the exit code of the signal that ended it, else 0; `why` says why it ended
    before all runs were made; `error` is what the user has to correct first; `not_kept` says
    what kept the history from taking the runs.
    """

    plan: Plan
    results: list[CellResult] = field(default_factory=list)
    interrupted: int = 0
    why: str = ""
    error: CallerError | None = None
    not_kept: str | None = None
    _passes: deque[Path] = field(default_factory=deque)

    @property
    def tally(self) -> Tally:
        """What its runs say together."""
        return tally_of(self.results)

    @property
    def exit_code(self) -> int:
        """Exit code of a process that has run it: of its worst verdict, or of what ended it."""
        if self.interrupted:
            return self.interrupted
        return self.tally.verdict.exit_code if self.error is None else self.error.exit_code

    def as_json(self) -> dict[str, object]:
        """Return what `--json` writes. The verdict comes first: see `rundir.prune`."""
        verdict = Verdict.INFRA if self.interrupted else self.tally.verdict
        return {
            "verdict": None if self.error is not None else str(verdict),
            "exit_code": self.exit_code,
            "scenario": self.plan.scenario,
            "asked": self.plan.repeat,
            "ended_early": self.why,
            **self.tally.as_json(),
            "evidence_dir": str(self.plan.folder.path),
        }

    def run(
        self, where: AbstractContextManager[Backend], ended: Callable[[CellResult], None]
    ) -> None:
        """Run all of it, and leave `run.json` in its folder.

        Ctrl-C and SIGTERM end it early: the runs that go on end in order, at a second one at once.

        Args:
            where: the backend of the runs.
            ended: is called with each result as it comes.
        """
        _remove_earlier(self.plan.folder.path)
        started = time.monotonic()
        try:
            with where as backend:
                self._run(backend, ended)
        finally:
            self.plan.folder.write_json("run.json", self.as_json())
            self._keep(time.monotonic() - started)

    def _keep(self, seconds: float) -> None:
        """Write the runs' records; what hinders the history is no reason to fail."""
        folder = self.plan.folder.path
        runs = [cell_record(result, folder=folder) for result in self.results]
        write_events(folder, runs, self.exit_code, seconds)
        # The evidence of all but the last passes is gone by then; the history says where it was.
        in_history = [
            msgspec.structs.replace(run, evidence=str(folder / (run.evidence or "")))
            for run in runs
        ]
        self.not_kept = add_to_history(folder.name, in_history, "teecall")

    def _run(self, backend: Backend, ended: Callable[[CellResult], None]) -> None:
        scheduler = Scheduler(backend.executor, backend.room, backend.run)
        try:
            for result in scheduler.results(self.plan.cells()):
                self._take(result, ended)
                self._judge(scheduler)
        except KeyboardInterrupt as error:
            self.interrupted = interrupted_code(error)
            self.why = "interrupted"
            with suppress(KeyboardInterrupt):
                self._end(backend, scheduler, ended)
            backend.kill()

    def _end(
        self, backend: Backend, scheduler: Scheduler, ended: Callable[[CellResult], None]
    ) -> None:
        backend.end()
        for result in scheduler.drained(GRACE_S):
            self._take(result, ended)

    def _take(self, result: CellResult, ended: Callable[[CellResult], None]) -> None:
        self.results.append(result)
        # What looks at the latest run (`teecall trace`) looks at one of these, not at all of them.
        point_latest(result.evidence_dir)
        if result.verdict is Verdict.PASS:
            self._passes.append(result.evidence_dir)
            if len(self._passes) > KEEP_PASSES:
                shutil.rmtree(self._passes.popleft(), ignore_errors=True)
        ended(result)

    def _judge(self, scheduler: Scheduler) -> None:
        """Begin no further run when there is no use in it."""
        last = self.results[-_GIVE_UP:]
        if self.results[-1].error is not None:
            self.error = self.results[-1].error
            self.why = "something has to be corrected first"
        elif self.plan.until_fail and is_bad(self.results[-1].verdict):
            self.why = self.why or "a run failed"
        elif len(last) == _GIVE_UP and all(result.is_spoilt for result in last):
            self.why = "the environment stands in the way of every run"
        if self.why:
            scheduler.close()


def _remove_earlier(folder: Path) -> None:
    """Remove the evidence of an earlier series from a folder of the user's, and nothing else."""
    for run in folder.iterdir():
        if not run.is_dir() or not _FOLDER.fullmatch(run.name):
            continue
        for name in EVIDENCE:
            with suppress(OSError):
                (run / name).unlink()
        with suppress(OSError):
            run.rmdir()
