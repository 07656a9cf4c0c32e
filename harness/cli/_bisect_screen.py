# SPDX-License-Identifier: Apache-2.0
"""What `teecall bisect` shows: a line for each trial with what is left; its report at the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result
from harness.cli._times import shown
from harness.errors import InfraError, OutputLost
from harness.ui import styled

if TYPE_CHECKING:
    from harness.bisect.journal import EndRecord, Record, Tested
    from harness.bisect.run import Bisect

PAGE = "report.html"
_COLOURS = {"GOOD": "green", "BAD": "red", "SKIP": "yellow", "INFRA": "magenta"}


@dataclass
class Screen:
    """What is printed while a bisection goes on.

    Args:
        quiet: print nothing.
        jobs: how many trials run at once.
        bisect: what goes on; it has the search that says how much is left.
    """

    quiet: bool
    jobs: int = 1
    bisect: Bisect | None = None
    seconds: list[float] = field(default_factory=list)

    def show(self, record: Record) -> None:
        """Print what a record tells, as long as somebody reads it."""
        from harness.bisect.journal import BuildRecord, LegRecord, Tested

        if isinstance(record, LegRecord):
            for note in record.notes:
                self._say(f"note: {note}")
            self._say(f"{record.candidates} candidates, about {record.expected} trials")
        elif isinstance(record, BuildRecord) and (record.error or not record.cached):
            how = styled("does not build", fg="red") if record.error else "built"
            self._say(f"{how}: {record.candidate[:12]} ({record.seconds:.1f} s)")
        elif isinstance(record, Tested):
            if not record.same_as and record.seconds:
                self.seconds.append(record.seconds)
            word = styled(f"{record.outcome:<5}", fg=_COLOURS[record.outcome], bold=True)
            took = f"({record.seconds:.2f} s)"
            self._say(f"{word} {record.candidate[:12]}  {record.why} {took}{self._left(record)}")

    def _left(self, record: Tested) -> str:
        """Return what is left; a record is shown before the search is told of it."""
        if self.bisect is None or self.bisect.search is None or not self.seconds:
            return ""
        progress = self.bisect.search.progress
        # What the environment has spoilt is no step forward.
        left = max(progress.expected - (record.outcome != "INFRA"), 0)
        time = shown(left * median(self.seconds) / self.jobs)
        return f"  [{progress.remaining} left, about {left} trials, {time}]"

    def _say(self, line: str) -> None:
        if not self.quiet:
            try:
                click.echo(line)
            except OutputLost:
                # Nobody reads any more: a bisection goes on by itself.
                self.quiet = True


def finish(folder: Path, end: EndRecord, result: Result, *, quiet: bool) -> int:
    """Print the report of a bisection, write its page and its JSON, and return the exit code.

    Args:
        folder: of the bisection.
        end: how it has ended.
        result: where the JSON goes.
        quiet: leave out the table of the trials.

    Raises:
        OutputLost: nobody reads.
        StoreError, NoSpace: the JSON cannot be written.
    """
    from harness.bisect.journal import JOURNAL_FILE, load_bisection
    from harness.bisect.report import make_report
    from harness.bisect.report_html import write_html
    from harness.bisect.report_text import report_lines

    report = make_report(load_bisection(folder))
    # First what stays: a reader who goes away must not cost the page.
    written = []
    try:
        write_html(report, folder / PAGE)
        written.append(f"page: {folder / PAGE}")
    except InfraError as error:
        # The answer is in the journal, and is told below.
        click.echo(f"note: no page: {error.message}", err=True)
    result.give(report.as_json())
    if end.why:
        click.echo(f"{styled('error', fg='red')}: {end.why}", err=True)
    if end.remedy:
        click.echo(f"remedy: {end.remedy}", err=True)
    # Why there is no answer has just been said.
    for line in report_lines(replace(report, why="", remedy=""), table=not quiet):
        click.echo(line)
    logs = sorted(folder.glob("*git-bisect.log"))
    written += [f"git bisect replay: {log}" for log in logs]
    for line in (*written, f"journal: {folder / JOURNAL_FILE}"):
        click.echo(line)
    return end.exit_code
