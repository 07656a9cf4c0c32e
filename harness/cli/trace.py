# SPDX-License-Identifier: Apache-2.0
"""Print or export the crossings between host, M-mode, TSM and TVM of a run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli._json import Result, json_option
from harness.cli._options import complete_runs


@click.command()
@click.argument("run", required=False, shell_complete=complete_runs)
@json_option("Write rings, calls and events to FILE instead")
@click.option(
    "--perfetto",
    "perfetto_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a trace for ui.perfetto.dev or chrome://tracing instead.",
)
def command(run: str | None, result: Result, perfetto_file: Path | None) -> int:
    """Print the crossings of RUN, a run's folder or its name in the cache [default: the latest].

    A line for each event: hart, time since power-on, kind, call, result, and at the end of a
    call or of a guest's run what it took. Events that the rings have overwritten are reported
    first; the rings keep the newest.

    \b
    teecall trace
    teecall trace --perfetto trace.json     and open it at ui.perfetto.dev
    """
    from harness.trace.perfetto import perfetto
    from harness.trace.ring import lost_events
    from harness.trace.saved import load_trace, run_folder
    from harness.trace.text import as_json, text_lines

    trace = load_trace(run_folder(run))
    if perfetto_file is not None:
        perfetto_file.write_text(json.dumps(perfetto(trace)) + "\n", encoding="utf-8")
        for line in (*lost_events(trace.rings), *trace.problems):
            click.echo(line, err=True)
    result.give(as_json(trace))
    if result.path is None and perfetto_file is None:
        click.echo("\n".join(text_lines(trace)))
    return 0
