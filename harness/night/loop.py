# SPDX-License-Identifier: Apache-2.0
"""The night itself: begins builds and runs while there is room and time, and writes it all down."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.cells.backend import Backend
from harness.cells.cell import Cell, CellResult, spoilt, without_run
from harness.cells.nursery import GRACE_S
from harness.cells.schedule import RETRIES, outcome
from harness.cells.tally import is_bad
from harness.errors import CallerError, TeecallError, own_error
from harness.night import builds
from harness.night.builds import Built, Group
from harness.night.convert import run_record
from harness.night.journal import Journal, now
from harness.night.plan import Planned
from harness.night.stops import Stops
from harness.report.record import BuildRecord, Record, RunRecord, StartRecord
from harness.verdict import Verdict

OUT_OF_TIME = "the time budget is over"
_SIGNALLED = 128


@dataclass(frozen=True, slots=True)
class Told:
    """What a night is told.

    Args:
        folder: takes everything.
        offline: never touch the network.
        arguments: of the `teecall` that asked for it.
        store: URL of the store that artefacts are shared by.
        end: when it has to be over, by the monotonic clock; None for no limit.
        until_fail: begin no further run after one that failed and counts.
    """

    folder: Path
    offline: bool = False
    arguments: tuple[str, ...] = ()
    store: str | None = None
    end: float | None = None
    until_fail: bool = False

    @property
    def left_s(self) -> float | None:
        """Seconds that are left; None without a limit."""
        return None if self.end is None else max(0.0, self.end - time.monotonic())


@dataclass(frozen=True, slots=True)
class _Going:
    run: Planned
    cell: Cell
    begun: float


@dataclass
class Loop:
    """A night that goes on. `why` says why it ends before everything was run.

    Args:
        told: what it is told.
        journal: takes the records.
        stops: says when somebody asks to end.
        seen: is called with every record that was written.
    """

    told: Told
    journal: Journal
    stops: Stops
    seen: Callable[[Record], None]
    why: str = ""
    interrupted: int = 0
    _group: dict[int, Group] = field(default_factory=dict)
    _waiting: list[Planned] = field(default_factory=list)
    _again: list[tuple[Planned, Cell]] = field(default_factory=list)
    _running: dict[Future[CellResult], _Going] = field(default_factory=dict)
    _unbuilt: list[Group] = field(default_factory=list)
    _building: tuple[Future[Built], Group] | None = None
    _spoilt: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _told_keys: set[str] = field(default_factory=set)

    def run(
        self, runs: list[Planned], groups: list[Group], backend: Backend, builder: Executor
    ) -> None:
        """Run all, until there is nothing left to do or no time.

        Args:
            runs: all of them, the most urgent first.
            groups: the same runs by what they boot.
            backend: does them.
            builder: builds what they boot.
        """
        self._waiting = list(runs)
        self._group = {id(run): group for group in groups for run in group.runs}
        self._unbuilt = [group for group in groups if not group.is_ready]
        for record in builds.present(groups):
            self._tell_build(record)
        while not self.why:
            self._begin_build(builder)
            self._begin_runs(backend)
            if not self._running and self._building is None:
                break
            self._wait()
        if self._running:
            self._end(backend)
        for run, _ in self._again:
            spoilt_by = self._spoilt[run.label][-1]
            self._write(run.not_run(now(), f"{self.why}: it was to be run again: {spoilt_by}"))
        for run in self._waiting:
            self._write(run.not_run(now(), self.why or "nothing could be begun"))

    def _wait(self) -> None:
        """Wait for the next thing that happens, and take it."""
        waited: set[Future[Any]] = {*self._running, self.stops.asked}
        if self._building is not None:
            waited.add(self._building[0])
        done, _ = wait(waited, timeout=self.told.left_s, return_when=FIRST_COMPLETED)
        for future in [future for future in self._running if future in done]:
            self._settle(future)
        if self._building is not None and self._building[0] in done:
            self._take_build()
        if not done:
            self.why = OUT_OF_TIME
        self._listen()

    # --- builds ---

    def _begin_build(self, builder: Executor) -> None:
        """Begin the next build; groups that have no use for one fail now."""
        while self._building is None and self._unbuilt:
            group = self._unbuilt.pop(0)
            if group.error is not None:
                self._fail(group)
                continue
            future = builder.submit(builds.build, group.config, self.told.offline, self.told.store)
            self._building = future, group

    def _take_build(self) -> None:
        assert self._building is not None
        future, group = self._building
        self._building = None
        try:
            built = future.result()
        except Exception as error:
            # Its process was killed, for want of memory perhaps.
            built = Built((), {}, own_error(error))
        for record in built.records:
            self._tell_build(record)
        if group.take(built):
            self._unbuilt.append(group)
        elif group.error is not None:
            self._fail(group)
        if built.broken is not None:
            for other in self._unbuilt:
                if built.broken in other.keys.values():
                    other.error = built.error

    def _fail(self, group: Group) -> None:
        """Give every run of a group that cannot be built its verdict."""
        error = group.error
        assert error is not None
        for run in [run for run in self._waiting if self._group[id(run)] is group]:
            self._waiting.remove(run)
            self._finish(run, _unbuilt(self._cell(run), error))

    def _tell_build(self, record: BuildRecord) -> None:
        """Write down that a component is there, once, and every time that it is not."""
        if record.error is not None or record.key not in self._told_keys:
            self._write(record)
        if record.error is None:
            self._told_keys.add(record.key)

    # --- runs ---

    def _begin_runs(self, backend: Backend) -> None:
        """Begin runs in their order while there is room; those without time are not run."""
        while self._again and self._fits(backend, self._again[0][1]):
            self._begin(backend, *self._again.pop(0))
        for run in [run for run in self._waiting if self._group[id(run)].is_ready]:
            left = self.told.left_s
            need = run.expected.seconds
            if left is not None and need > left:
                self._waiting.remove(run)
                why = f"{OUT_OF_TIME}: it takes about {need:.0f} s, {left:.0f} s were left"
                self._write(run.not_run(now(), why))
                continue
            cell = self._cell(run)
            if self._again or not self._fits(backend, cell):
                return
            self._waiting.remove(run)
            self._begin(backend, run, cell)

    def _fits(self, backend: Backend, cell: Cell) -> bool:
        return backend.room.fits(cell.need, [going.cell.need for going in self._running.values()])

    def _begin(self, backend: Backend, run: Planned, cell: Cell) -> None:
        self._write(StartRecord(dt=now(), id=run.id, label=run.label, attempt=cell.attempt))
        try:
            future = backend.executor.submit(backend.run, cell)
        except Exception as error:
            # A cluster that is gone takes nothing more.
            future = Future()
            future.set_result(spoilt(cell, own_error(error), 0.0))
        self._running[future] = _Going(run, cell, time.monotonic())

    def _cell(self, run: Planned) -> Cell:
        cell = run.cell(self.told.folder / "cells", self.told.offline, self.told.arguments)
        return replace(cell, store=self.told.store)

    def _settle(self, future: Future[CellResult]) -> None:
        """Take a result, or have it made again when the environment spoilt it."""
        going = self._running.pop(future)
        result = outcome(future, going.cell, time.monotonic() - going.begun)
        left = self.told.left_s
        if result.is_spoilt and going.cell.attempt <= RETRIES and (left is None or left > 0):
            why = result.failures[0].message if result.failures else "interrupted"
            self._spoilt[going.run.label] = (*self._spoilt.get(going.run.label, ()), why)
            self._again.append((going.run, going.cell.again()))
            return
        self._finish(going.run, result)

    def _finish(self, run: Planned, result: CellResult) -> None:
        earlier = self._spoilt.pop(run.label, ())
        result = replace(result, spoilt=(*earlier, *result.spoilt))
        record = run_record(run, result, self.told.folder, self._group[id(run)].keys)
        self._write(record)
        if self.told.until_fail and is_bad(record.verdict) and record.counts:
            self.why = self.why or "a run failed"

    # --- the end ---

    def _end(self, backend: Backend) -> None:
        """Bring what still goes on to its end: by itself after a failure, else now."""
        if not self.interrupted and self.why != OUT_OF_TIME:
            while self._running and self._took(self.stops.asked, self.told.left_s, self._settle):
                pass
            self._listen()
        backend.end()
        end = time.monotonic() + GRACE_S
        while self._running and self._took(
            self.stops.again, max(0.0, end - time.monotonic()), self._ended
        ):
            pass
        backend.kill()
        for going in self._running.values():
            self._write(going.run.not_run(now(), f"{self.why}: it was killed while it ran"))
        self._running.clear()

    def _took(
        self, stop: Future[int], limit_s: float | None, take: Callable[[Future[CellResult]], None]
    ) -> bool:
        """Wait for runs and take those that have ended; False when the wait is over."""
        waited: set[Future[Any]] = {*self._running, stop}
        done, _ = wait(waited, timeout=limit_s, return_when=FIRST_COMPLETED)
        for future in [future for future in self._running if future in done]:
            take(future)
        return bool(done) and not stop.done()

    def _listen(self) -> None:
        """Note that somebody has asked to end, if so."""
        if self.stops.asked.done():
            self.interrupted = _SIGNALLED + self.stops.asked.result()
            self.why = "interrupted"

    def _ended(self, future: Future[CellResult]) -> None:
        """Take a run that was asked to end: it may have come to its end all the same."""
        going = self._running.pop(future)
        result = outcome(future, going.cell, time.monotonic() - going.begun)
        if result.is_spoilt:
            seconds = time.monotonic() - going.begun
            self._write(going.run.not_run(now(), f"{self.why}: it was ended after {seconds:.1f} s"))
        else:
            self._finish(going.run, result)

    def _write(self, record: Record) -> None:
        self.journal.write(record)
        self.seen(record)


def _unbuilt(cell: Cell, error: TeecallError) -> CellResult:
    """Return the result of a run that has nothing to boot."""
    if isinstance(error, CallerError):
        return CellResult(cell, None, error.exit_code, 0.0, error=error)
    return without_run(cell, error, error.verdict or Verdict.INFRA, 0.0, "build")


def exit_code(records: list[RunRecord]) -> int:
    """Return the exit code of a night: of the worst verdict that counts.

    A failure outranks what the user has to correct, and that what the environment spoilt: each
    run has a machine of its own, so one that could not be judged says nothing against one that
    was. A night without any run is INFRA.
    """
    counted = [record for record in records if record.counts]
    bad = [record.verdict for record in counted if record.verdict and is_bad(record.verdict)]
    if bad:
        return max(bad, key=lambda verdict: verdict.severity).exit_code
    if any(record.verdict is None for record in counted):
        return 2
    judged = [record.verdict for record in counted if record.verdict is not None]
    if not records or any(verdict is Verdict.INFRA for verdict in judged):
        return Verdict.INFRA.exit_code
    if judged and all(verdict is Verdict.SKIP for verdict in judged):
        return Verdict.SKIP.exit_code
    return 0
