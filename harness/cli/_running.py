# SPDX-License-Identifier: Apache-2.0
"""What `smoke` and `run` have in common: running a scenario and showing how it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from harness.build.builder import build_all
from harness.cli._options import Options
from harness.config.schema import Config
from harness.ui import QuietUi, styled
from harness.verdict import Check, Verdict

_COLOURS = {Verdict.PASS: "green", Verdict.SKIP: "yellow"}


def run_and_show(name: str, options: Options, json_file: Path | None, run_dir: Path | None) -> int:
    """Run a scenario, print a line for each check and return the exit code."""
    from harness.machine.rundir import new_run
    from harness.scenarios.report import check_json_place, last_screen, write_json
    from harness.scenarios.session import Session, run_scenario

    config = options.load().value
    if json_file is not None:
        check_json_place(json_file)
    run = new_run(run_dir)
    with options.ui() as ui:

        def show(check: Check) -> None:
            # What is live on the terminal would stand between the lines that stay.
            ui.close()
            _show_check(check)

        session = Session(
            config,
            run,
            ui,
            options.offline,
            ended=_nothing if options.quiet else show,
            line=_show_line if options.verbose else None,
        )
        report = run_scenario(name, session)
    if json_file is not None:
        write_json(json_file, report)
    if report.error is not None:
        raise report.error
    for failure in report.failures:
        for line in last_screen(failure):
            click.echo(line, err=True)
    assert report.verdict is not None
    verdict = styled(str(report.verdict), fg=_colour(report.verdict), bold=True)
    click.echo(f"{verdict} in {report.duration_s:.2f} s, evidence in {report.evidence_dir}")
    return report.exit_code


def show_command(options: Options) -> int:
    """Print the command line that boots the machine, without booting it."""
    from harness.machine.argv import printable, qemu_argv, terminal_wiring
    from harness.machine.prepare import plan_boot

    config: Config = options.load().value
    artefacts = build_all(config, QuietUi(), offline=options.offline)
    files = plan_boot(config, artefacts, artefacts.initrd.stat().st_size)
    # There is no run, so the command's own files go to where it is started.
    click.echo(printable(qemu_argv(config, files, terminal_wiring(Path()))))
    return 0


def running_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options of verbs that run a scenario."""
    for decorator in (
        click.option(
            "-n", "--dry-run", is_flag=True, help="Print the QEMU command instead of running it."
        ),
        click.option(
            "--run-dir",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Folder for the evidence [default: a new one in the cache].",
        ),
        click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write verdict, checks, metrics and versions to FILE.",
        ),
    ):
        function = decorator(function)
    return function


def _show_check(check: Check) -> None:
    verdict = styled(f"{check.verdict:<7}", fg=_colour(check.verdict), bold=True)
    click.echo(f"{verdict} {check.name:<10} {check.detail} ({check.duration_s:.2f} s)")


def _show_line(console: str, line: str) -> None:
    click.echo(f"{styled(console + ' |', dim=True)} {line}", err=True)


def _nothing(check: Check) -> None:
    """Show no check."""


def _colour(verdict: Verdict) -> str:
    return _COLOURS.get(verdict, "red")
