# SPDX-License-Identifier: Apache-2.0
"""Run a matrix unattended, within a time."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options, history_option
from harness.cli._running import colour_of
from harness.cli._times import shown, span
from harness.errors import OutputLost
from harness.ui import styled

if TYPE_CHECKING:
    from harness.cells.backend import Backend
    from harness.report.record import Night, Record, RunRecord


@click.command()
@config_options
@click.option(
    "--matrix", metavar="FILE", help="A matrix, or the name of a shipped one [default: nightly]."
)
@click.option("--suite", metavar="FILE", help="A suite on one configuration, and no matrix.")
@click.option("--shard", "part", metavar="N/M", default="1/1", help="Only the Nth of M parts.")
@click.option("--budget", type=span, metavar="TIME", help="Time for all of it, such as 20m or 8h.")
@click.option(
    "--repeat",
    type=click.IntRange(min=1, max=10000),
    metavar="N",
    help="Run each cell N times [default: what the suite says].",
)
@click.option("--until-fail", is_flag=True, help="Begin no further run after one that fails.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs at once, if memory allows [default: the number of cores].",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run on a Dask cluster: tcp://HOST:PORT of its scheduler.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Share artefacts there: file:///DIR, s3://BUCKET/DIR [default: $TEECALL_STORE].",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the night [default: a new one in the cache].",
)
@history_option
@json_option("Write what `teecall report --format json` prints to FILE.")
def command(
    options: Options,
    matrix: str | None,
    suite: str | None,
    part: str,
    budget: float | None,
    repeat: int | None,
    until_fail: bool,
    jobs: int | None,
    scheduler: str | None,
    store: str | None,
    out: Path | None,
    history_file: Path | None,
    result: Result,
) -> int:
    """Run every cell of a matrix, each on a machine of its own, and report.

    What the cells boot is built once, beside the first runs. A cell that fails, does not build or
    dies is a line in the report; the others go on. The cells that are likeliest to fail for their
    time come first. With --budget nothing is begun that cannot end in time, and what was not run
    is in the report with the reason. A run that the environment spoilt (INFRA) is made again,
    twice at most; a failure never is. Quarantined failures do not count.

    The night's folder has events.jsonl (written through, readable also after a crash), cells/ with
    the evidence of every run, junit.xml, report.json, report.html and summary.md. `teecall report`
    shows it again.

    \b
    teecall nightly --budget 8h
    teecall nightly --matrix smoke -j 2
    teecall nightly --matrix my-matrix.yaml --shard 2/5 --scheduler tcp://lab1:8786
    """
    from harness.build.share import VARIABLE, Share
    from harness.config.listing import cells_of
    from harness.config.shard import parse_shard, take
    from harness.errors import UsageError
    from harness.night import files
    from harness.night.loop import Told
    from harness.night.night import Request, point_latest, run_night
    from harness.report.ci import tell
    from harness.report.history import open_history

    if matrix is not None and suite is not None:
        raise UsageError("--matrix and --suite name two things to run", "give one of them")
    source = suite or matrix or "nightly"
    shard = parse_shard(part)
    every = cells_of(Path(source), options.files, options.sets)
    cells = take(every, shard, lambda cell: cell.repeats)
    if not cells:
        raise UsageError(
            f"--shard {part}: no cell of {len(every)}", "divide the matrix into fewer parts"
        )
    store = store or os.environ.get(VARIABLE)
    if store:
        Share(store, lambda text: None)
    folder = files.new_night(out)
    told = Told(folder, options.offline, tuple(sys.argv[1:]), store, until_fail=until_fail)
    request = Request(cells, told, budget, repeat, cells[0].source, part)
    screen = _Screen(options.quiet)
    with open_history(history_file) as history:
        night = run_night(request, _backend(scheduler, jobs), history, screen.show, screen.note)
    point_latest(folder)
    result.give_text(files.as_json(night))
    screen.summary(night)
    tell(night, click.echo)
    assert night.end is not None
    return night.end.exit_code


def _backend(scheduler: str | None, jobs: int | None) -> AbstractContextManager[Backend]:
    from harness.cells.backend import dask_backend, local_backend

    return local_backend(jobs) if scheduler is None else dask_backend(scheduler, jobs)


@dataclass
class _Screen:
    """What is printed while a night goes on: a line for each run that has ended."""

    quiet: bool
    planned: int = 0
    ended: int = 0

    def show(self, record: Record) -> None:
        """Print what a record tells, as long as somebody reads it."""
        from harness.report.record import BeginRecord, BuildRecord, NotRunRecord, RunRecord

        if isinstance(record, BeginRecord):
            self.planned = record.planned
        elif isinstance(record, RunRecord):
            self.ended += 1
            self._say(self._run_line(record))
        elif isinstance(record, NotRunRecord):
            self.ended += 1
            self._say(f"{styled('not run', fg='yellow')} {record.label}  {record.why}")
        elif isinstance(record, BuildRecord) and (record.error or not record.cached):
            how = styled("does not build", fg="red") if record.error else "built"
            self._say(f"{how}: {record.component} ({record.seconds:.1f} s)")

    def _run_line(self, run: RunRecord) -> str:
        verdict = run.verdict
        colour = "red" if verdict is None else colour_of(verdict)
        word = styled(f"{verdict or 'ERROR':<7}", fg=colour, bold=True)
        number = f"{self.ended:>{len(str(self.planned))}}/{self.planned}"
        wrong = [f"{found.check}: {found.message}" for found in run.failures[:1]]
        wrong += [f"again after: {why}" for why in run.spoilt]
        wrong += ["quarantined"] if run.quarantine is not None else []
        return "  ".join([f"{word} {number} {run.label} {run.duration_s:.2f} s", *wrong])

    def _say(self, line: str) -> None:
        if not self.quiet:
            try:
                click.echo(line)
            except OutputLost:
                # Nobody reads any more: a night goes on by itself.
                self.quiet = True

    def note(self, text: str) -> None:
        """Print a sentence that the user must see."""
        click.echo(f"note: {text}", err=True)

    def summary(self, night: Night) -> None:
        """Print what came of the night."""
        from harness.cli._night_text import night_lines

        for line in night_lines(night):
            click.echo(line)
        assert night.end is not None
        click.echo(f"{shown(night.end.duration_s)}, report in {night.folder}")
