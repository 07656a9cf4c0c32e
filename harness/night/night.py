# SPDX-License-Identifier: Apache-2.0
"""A whole night: its plan, its loop, and everything that stays of it."""

from __future__ import annotations

import os
import platform
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import __version__
from harness.cells.backend import Backend
from harness.cells.pool import CellPool
from harness.config.matrix import CellSpec
from harness.errors import StoreError
from harness.night import files
from harness.night.builds import grouped
from harness.night.journal import Journal, now
from harness.night.loop import Loop, Told, exit_code
from harness.night.plan import planned
from harness.night.stops import listening
from harness.report.history import History
from harness.report.record import (
    VERSION,
    BeginRecord,
    EndRecord,
    Night,
    NotRunRecord,
    Record,
    RunRecord,
    load_night,
)
from harness.scenarios.report import own_commit


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for.

    Args:
        cells: what is run.
        told: folder, limits and the like.
        budget_s: time for all of it in seconds; None for no limit.
        repeat: how often each cell is run; None for what the suite says.
        source: the file of the matrix or the suite.
        shard: the part of it, as it was written.
    """

    cells: Sequence[CellSpec]
    told: Told
    budget_s: float | None = None
    repeat: int | None = None
    source: str = ""
    shard: str | None = None


@dataclass
class _Seen:
    """Takes every record: runs go into the history at once, so that a killed night leaves them."""

    night: str
    history: History
    show: Callable[[Record], None]
    note: Callable[[str], None]
    runs: list[RunRecord] = field(default_factory=list)
    not_run: list[NotRunRecord] = field(default_factory=list)
    _lost: bool = False

    def __call__(self, record: Record) -> None:
        if isinstance(record, RunRecord):
            self.runs.append(record)
            self._remember(record)
        elif isinstance(record, NotRunRecord):
            self.not_run.append(record)
        self.show(record)

    def _remember(self, record: RunRecord) -> None:
        try:
            self.history.add(self.night, [record])
        except StoreError as error:
            # The night's own file has all of it.
            if not self._lost:
                self.note(f"the history has not got all runs of this night: {error.message}")
            self._lost = True


def run_night(
    request: Request,
    where: AbstractContextManager[Backend],
    history: History,
    show: Callable[[Record], None],
    note: Callable[[str], None],
) -> Night:
    """Run a night, and write all its files.

    Signals end it early: what goes on ends in order, at a second one at once.

    Args:
        request: what is asked for.
        where: the backend of the runs.
        history: tells what runs cost, and takes them.
        show: is called with every record.
        note: is called with sentences that the user must see.

    Raises:
        UsageError: its folder is that of another night.
        StoreError, NoSpace: its files cannot be written.
    """
    started = time.monotonic()
    told = request.told
    if request.budget_s is not None:
        told = replace(told, end=started + request.budget_s)
    seen = _Seen(_name(told.folder), history, show, note)
    runs = planned(request.cells, history, request.repeat)
    # A cluster that does not answer leaves no night behind.
    with where as backend, Journal(told.folder) as journal, listening() as stops:
        begin = _begin(request, seen.night, len(runs))
        journal.write(begin)
        show(begin)
        builder = CellPool(1)
        loop = Loop(told, journal, stops, seen)
        try:
            loop.run(runs, grouped(runs, told.offline), backend, builder)
        finally:
            # Compilers go with the build that has started them.
            (builder.kill if stops.again.done() else builder.end)()
            builder.shutdown()
        end = EndRecord(
            dt=now(),
            exit_code=loop.interrupted or exit_code(seen.runs),
            duration_s=round(time.monotonic() - started, 3),
            why=_why(loop, seen),
        )
        journal.write(end)
        show(end)
    night = load_night(told.folder)
    files.write_all(night, history)
    return night


def _why(loop: Loop, seen: _Seen) -> str:
    return loop.why or (seen.not_run[0].why if seen.not_run else "")


def _name(folder: Path) -> str:
    """Return a name that no other night has: the folder may be used again."""
    if folder.parent == files.nights():
        return folder.name
    return f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def _begin(request: Request, name: str, count: int) -> BeginRecord:
    budget = request.budget_s
    return BeginRecord(
        dt=now(),
        version=VERSION,
        night=name,
        command=shlex.join(["teecall", *request.told.arguments]),
        teecall={"version": __version__, "commit": own_commit()},
        node=platform.node(),
        cpus=len(os.sched_getaffinity(0)),
        matrix=request.source or None,
        shard=request.shard,
        planned=count,
        budget_s=budget,
    )


def point_latest(folder: Path) -> None:
    """Let `latest` in the cache's nights be this one; one of the user's own is not."""
    if folder.parent != files.nights():
        return
    fresh = files.nights() / f".latest-{os.getpid()}"
    with suppress(OSError):
        fresh.symlink_to(folder.name)
        fresh.replace(files.nights() / "latest")
