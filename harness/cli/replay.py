# SPDX-License-Identifier: Apache-2.0
"""Repeat a run with the same configuration and seed; a deterministic one exactly."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, complete_runs, config_options
from harness.cli._running import show_check
from harness.errors import UsageError
from harness.verdict import Check


@click.command()
@click.argument("run", required=False, shell_complete=complete_runs)
@config_options
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the evidence [default: a new one in the cache].",
)
@json_option("Write the report, and the differences if RUN was exact, to FILE.")
def command(run: str | None, options: Options, run_dir: Path | None, result: Result) -> int:
    """Repeat RUN, a run's folder or its name in the cache [default: the latest].

    Configuration, scenario and seed come from its run.json; --set changes a key, to see where the
    machine then takes another way. Of a run made with --deterministic everything must be the same:
    each event with its time and instruction count, the UART and the TSM's messages byte for byte;
    else the first difference is printed and the exit status is 1.

    smoke and audit run --deterministic. The others cannot: the harness talks with their host, or
    reads its memory while it runs, and sends the next command when it has judged the last answer,
    at an instruction that depends on the workstation. They are repeated with the same
    configuration and seed. Of interrupt-sweep each point is at the same instruction all the same,
    of switch each count: both run by a clock of instructions always.

    \b
    teecall run smoke --deterministic --run-dir a
    teecall replay a
    teecall replay a --set tsm.source=path:../my-tsm
    """
    from harness.config.load import load
    from harness.machine.rundir import new_run
    from harness.report.repeat import differences, read_run
    from harness.scenarios.session import SCENARIOS, Session, run_scenario
    from harness.trace.saved import EVENTS, run_folder

    old = run_folder(run)
    saved = read_run(old)
    if run_dir is not None and run_dir.resolve() == old:
        raise UsageError("--run-dir is the run that is repeated", "give another folder")
    name, exact = str(saved["scenario"]), saved.get("deterministic") is True
    if name not in SCENARIOS:
        raise UsageError(f"no scenario '{name}'", "the run is of another teecall")
    seed = bytes.fromhex(str(saved["seed"]))
    fresh = new_run(run_dir)
    # JSON is YAML: the run's configuration is a layer like a file of the user's.
    layer = fresh.write_json("config.yaml", saved["config"])
    config = load((layer, *options.files), options.sets).value
    with options.ui() as ui:

        def show(check: Check) -> None:
            ui.close()
            if not options.quiet:
                show_check(check)

        session = Session(
            config, fresh, ui, options.offline, ended=show, seed=seed, deterministic=exact
        )
        report = run_scenario(name, session)
    if report.error is not None:
        raise report.error
    click.echo(f"{report.verdict} in {report.duration_s:.2f} s, evidence in {fresh.path}")
    found = differences(old, fresh.path) if exact and (fresh.path / EVENTS).exists() else None
    result.give({**report.as_json(), "exact": exact, "differences": found})
    if not exact:
        click.echo("same configuration and seed, but not exact: RUN was not --deterministic")
        return report.exit_code
    if found is None:
        # It never booted; the last check has said why.
        return report.exit_code
    return _compare(found, fresh.path, saved)


def _compare(found: list[str], new: Path, saved: dict[str, object]) -> int:
    from harness.report.repeat import changed_versions, read_run, totals

    for line in changed_versions(saved, read_run(new)):
        click.echo(f"other version: {line}", err=True)
    if not found:
        click.echo(f"identical: {totals(new)}")
        return 0
    click.echo("DIVERGED", err=True)
    for line in found:
        click.echo(f"  {line}", err=True)
    return 1
