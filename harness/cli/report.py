# SPDX-License-Identifier: Apache-2.0
"""Show a night again, or what all nights since a day say together."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.cli._options import history_option
from harness.cli._times import span
from harness.errors import StoreError, UsageError

if TYPE_CHECKING:
    from harness.report.history import History
    from harness.report.record import Night

_FORMS = ("text", "json", "junit", "html", "md")


@click.command()
@click.argument("night", required=False, type=click.Path(path_type=Path))
@click.option("--since", type=span, metavar="TIME", help="All runs of the last 30d, 12h, ...")
@click.option("--format", "form", type=click.Choice(_FORMS), default="text", show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to FILE [default: standard output].",
)
@history_option
@json_option("Write what --format json prints to FILE too.")
def command(
    night: Path | None,
    since: float | None,
    form: str,
    output: Path | None,
    history_file: Path | None,
    result: Result,
) -> int:
    """Show NIGHT, the folder of one [default: the newest in the cache].

    With --since it is the history that is shown: the rate of passes of each scenario and of each
    cell that fails, with its 95 % confidence interval; the ways in which runs failed, and when
    each was first seen; and the metrics that have changed.

    \b
    teecall report
    teecall report DIR --format junit -o junit.xml
    teecall report --since 30d
    """
    from harness.report.history import open_history

    if since is not None and night is not None:
        raise UsageError("NIGHT and --since ask for two reports", "give one of them")
    with ExitStack() as stack:
        if since is not None:
            history = stack.enter_context(open_history(history_file))
            if result.path is not None:
                result.give_text(_of_history(history, time.time() - since, "json"))
            text = _of_history(history, time.time() - since, form)
        elif form == "html":
            found = _night(night, result)
            return _page(found, stack.enter_context(open_history(history_file)), output)
        elif form == "text":
            found = _night(night, result)
            text = _text(found, stack.enter_context(open_history(history_file)))
        else:
            text = _of_night(_night(night, result), form)
    _write(text, output)
    return 0


def _night(folder: Path | None, result: Result) -> Night:
    from harness.night.files import as_json, latest_night
    from harness.report.record import load_night

    folder = folder or latest_night()
    if folder is None:
        raise UsageError("there is no night in the cache", "run `teecall nightly`, or name one")
    night = load_night(folder)
    result.give_text(as_json(night))
    return night


def _text(night: Night, history: History) -> str:
    from harness.cli._night_text import night_lines, rates_lines

    lines = list(night_lines(night))
    cells = {run.id for run in night.bad}
    if cells:
        lines += ["", "in the history, with the 95 % confidence of the rate:"]
        lines += rates_lines(history.runs(), cells)
    return "\n".join(lines) + "\n"


def _of_night(night: Night, form: str) -> str:
    from harness.night.files import as_json
    from harness.report.junit import junit
    from harness.report.markdown import markdown

    makers = {"json": as_json, "junit": junit, "md": markdown}
    return makers[form](night)


def _page(night: Night, history: History, output: Path | None) -> int:
    from harness.night.files import write_page

    if output is None:
        raise UsageError("--format html needs a file", "give -o FILE")
    if not write_page(night, output, history):
        raise UsageError("this teecall cannot write pages", "use another --format")
    return 0


def _of_history(history: History, since: float, form: str) -> str:
    from harness.cli._night_text import history_lines
    from harness.report.rates import cell_rates, moved, scenario_rates, signatures

    runs = history.runs(since)
    if form == "text":
        return "\n".join(history_lines(history, runs, since)) + "\n"
    if form != "json":
        raise UsageError(
            f"--format {form} is for one night", "name it, or use --format text or json"
        )
    document = {
        "runs": len(runs),
        "scenarios": [rate.as_json() for rate in scenario_rates(runs)],
        "cells": [rate.as_json() for rate in cell_rates(runs)],
        "signatures": [
            {"signature": name, "runs": [run.label for run in found]}
            for name, found in signatures(runs)
        ],
        "changes": [
            {
                "metric": found.metric,
                "cell": found.label,
                "run": found.point.run,
                "before": found.change.before,
                "after": found.change.after,
            }
            for found in moved(history, since)
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}", "give another -o") from error
