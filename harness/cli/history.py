# SPDX-License-Identifier: Apache-2.0
"""Show how a metric went over all runs; import and prune the history."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.cli._options import history_option
from harness.cli._times import span
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.report.history import History, Point

# Values of a series that are printed, the newest ones; its bars show more.
_SHOWN = 10
_BARS = 60


@click.command()
@click.argument("metric", required=False)
@click.option("--list", "listing", is_flag=True, help="Print the names of all metrics.")
@click.option("--since", type=span, metavar="TIME", help="Only runs of the last 30d, 12h, ...")
@click.option("--cell", metavar="TEXT", help="Only cells whose id or label has TEXT in it.")
@click.option(
    "--import-junit",
    "imported",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Add the JUnit XML of another tool; may be repeated.",
)
@click.option("--prune", type=span, metavar="TIME", help="Remove runs that are older.")
@history_option
@json_option("Write names, values and changes to FILE too.")
def command(
    metric: str | None,
    listing: bool,
    since: float | None,
    cell: str | None,
    imported: tuple[Path, ...],
    prune: float | None,
    history_file: Path | None,
    result: Result,
) -> int:
    """Show METRIC in every cell that has it, with the runs at which it changed for good.

    Metrics that are counted under -icount are the same in every run, so every other value is a
    change; in others a change is a step that stands out of the noise.

    \b
    teecall history --list
    teecall history boot_s --since 30d --cell irq=aia
    teecall history --import-junit results.xml
    teecall history --prune 90d
    """
    from harness.report.history import open_history
    from harness.report.rates import by_cell

    if not (metric or listing or imported or prune):
        raise UsageError("nothing to do", "name a metric, or give --list")
    told: dict[str, object] = {}
    with open_history(history_file) as history:
        told["imported"] = lines = [_import(history, file) for file in imported]
        for line in lines:
            click.echo(line)
        if prune:
            removed = history.prune(time.time() - prune)
            told["removed"] = removed
            click.echo(f"{removed} runs were removed")
        if listing:
            told["metrics"] = names = list(history.metrics())
            for name in names:
                click.echo(name)
        if metric:
            earliest = time.time() - since if since else 0.0
            points = _points(history, metric, earliest, cell)
            told["series"] = [_value(series) for series in by_cell(points).values()]
            for series in by_cell(points).values():
                click.echo("\n".join(_series(metric, series)))
    result.give({"metric": metric, **told})
    return 0


def _import(history: History, file: Path) -> str:
    from harness.report.foreign import read_junit

    runs = read_junit(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    added = history.add(f"junit-{digest}", runs, origin="junit")
    known = f", {len(runs) - added} were known" if added < len(runs) else ""
    return f"{file}: {added} runs were added{known}"


def _points(history: History, metric: str, since: float, cell: str | None) -> list[Point]:
    every = history.points(metric, since)
    points = [p for p in every if cell is None or cell in p.cell or cell in p.label]
    if not points:
        raise _unknown(history, metric, bool(history.points(metric)))
    return points


def _value(points: list[Point]) -> dict[str, object]:
    from harness.report.changes import changes

    return {
        "cell": points[-1].cell,
        "label": points[-1].label,
        "points": [asdict(point) for point in points],
        "changes": [asdict(change) for change in changes([point.value for point in points])],
    }


def _unknown(history: History, metric: str, known: bool) -> UsageError:
    from harness.config.suite import nearest

    if known:
        return UsageError(f"no run has {metric} there", "give another --since or --cell")
    names = history.metrics()
    remedy = nearest(metric, names) if names else "run `teecall nightly` first"
    return UsageError(f"there is no metric '{metric}' in the history", remedy)


def _series(metric: str, points: list[Point]) -> Iterator[str]:
    from harness.cli._night_text import sparkline
    from harness.report.changes import changes
    from harness.report.rates import base_label

    values = [point.value for point in points]
    found = {change.index: change for change in changes(values)}
    yield f"{metric} in {base_label(points[-1].label)} ({points[-1].cell}), {len(points)} runs"
    yield f"  {sparkline(values[-_BARS:])}  {min(values):g} to {max(values):g}"
    for index, point in enumerate(points):
        change = found.get(index)
        if change is None and index < len(points) - _SHOWN:
            continue
        day = datetime.fromtimestamp(point.started).strftime("%Y-%m-%d %H:%M:%S")
        line = f"  {day}  {point.value:g}"
        if change is not None:
            line += f"  CHANGED: {change.before:g} -> {change.after:g}"
            line += f" ({change.ratio:+.2%})" if change.before else ""
            line += _versions(points[index - 1], point)
        yield line


def _versions(before: Point, after: Point) -> str:
    names = sorted(before.versions.keys() | after.versions.keys())
    moved = [name for name in names if before.versions.get(name) != after.versions.get(name)]
    told = [f"{name} {before.versions.get(name)} -> {after.versions.get(name)}" for name in moved]
    return f"; {', '.join(told)}" if told else ""
