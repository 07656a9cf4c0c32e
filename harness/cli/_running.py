# SPDX-License-Identifier: Apache-2.0
"""What `smoke` and `run` have in common: running a scenario and showing how it goes."""

from __future__ import annotations

import functools
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options
from harness.errors import UsageError
from harness.ui import QuietUi, Ui, styled
from harness.verdict import Check, Verdict

if TYPE_CHECKING:
    from harness.config.schema import Config
    from harness.machine.argv import BootFiles
    from harness.machine.machine import Machine
    from harness.report.record import RunRecord
    from harness.scenarios.report import Report

_COLOURS = {Verdict.PASS: "green", Verdict.SKIP: "yellow"}


@dataclass(frozen=True, slots=True)
class Running:
    """What the options of verbs that run a scenario say."""

    result: Result = field(default_factory=Result)
    run_dir: Path | None = None
    dry_run: bool = False
    repeat: int | None = None
    until_fail: bool = False
    jobs: int | None = None
    scheduler: str | None = None
    seed: bytes | None = None
    on_failure: str | None = None
    deterministic: bool = False
    stopped: bool = False

    @property
    def is_series(self) -> bool:
        """Whether there may be more than one run, or it is not here."""
        return self.repeat is not None or self.until_fail or self.scheduler is not None


def run_and_show(name: str, options: Options, running: Running) -> int:
    """Run a scenario as the options say, show how it goes and return the exit code."""
    if running.dry_run:
        return show_command(options, running.result)
    if (running.on_failure or running.stopped) and running.is_series:
        option = "--on-failure" if running.on_failure else "--stopped"
        raise UsageError(
            f"{option} holds one machine for you, and a series goes on",
            "use it without --repeat, --until-fail and --scheduler",
        )
    if running.deterministic:
        _check_deterministic(name, running)
    if running.is_series:
        from harness.cli._series import run_series

        return run_series(name, options, running)
    if running.jobs is not None:
        raise UsageError(
            "--jobs says how many runs go on at once, and there is one", "add --repeat N"
        )
    return _run_once(name, options, running)


def _check_deterministic(name: str, running: Running) -> None:
    from harness.scenarios.session import DETERMINISTIC

    if name not in DETERMINISTIC:
        known = ", ".join(sorted(DETERMINISTIC))
        raise UsageError(
            f"{name} cannot run --deterministic: what its host is told depends on what it said,"
            " and when",
            f"these can: {known}",
        )
    if running.is_series:
        raise UsageError(
            "--deterministic runs are all the same", "leave out --repeat, --until-fail, --scheduler"
        )


def _run_once(name: str, options: Options, running: Running) -> int:
    """Run a scenario once and print a line for each check."""
    from harness.machine.rundir import new_run
    from harness.scenarios.session import Session, run_scenario

    config = options.config()
    run = replace(new_run(running.run_dir, tidy=False), stopped=running.stopped)
    with options.ui() as ui:

        def show(check: Check) -> None:
            # What is live on the terminal would stand between the lines that stay.
            ui.close()
            show_check(check)

        session = Session(
            config,
            run,
            ui,
            options.offline,
            ended=_nothing if options.quiet else show,
            line=_show_line if options.verbose else None,
            seed=running.seed,
            deterministic=running.deterministic,
            hold=_holder(running.on_failure, ui) if running.on_failure else None,
        )
        report = run_scenario(name, session)
    running.result.give(report.as_json())
    if report.error is not None:
        raise report.error
    for failure in report.failures:
        from harness.scenarios.report import last_screen

        for line in last_screen(failure):
            click.echo(line, err=True)
    assert report.verdict is not None
    record = None
    if report.signature is not None:
        record = _record(name, config, report)
        for line in _ending(record, config, report):
            click.echo(line, err=True)
    verdict = styled(str(report.verdict), fg=colour_of(report.verdict), bold=True)
    click.echo(f"{verdict} in {report.duration_s:.2f} s, evidence in {report.evidence_dir}")
    sys.stdout.flush()
    from harness.report.keep import keep_run

    # Behind the last line, where nobody waits for it.
    record = record or _record(name, config, report)
    if problem := keep_run(record, run.path):
        click.echo(f"note: the history does not have this run: {problem}", err=True)
    return report.exit_code


def _holder(how: str, ui: Ui) -> Callable[[Machine], None]:
    from harness.gdb.hold import holder

    return holder(how, ui.close)


def _record(name: str, config: Config, report: Report) -> RunRecord:
    from harness.report.make import run_record

    command = str(report.extra.get("command", ""))
    return run_record(report, scenario=name, config=config, command=command, node=platform.node())


def _ending(record: RunRecord, config: Config, report: Report) -> list[str]:
    """Return what failed in a word, what has changed, how to repeat it and how to debug it."""
    from harness.report.commits import git_folders
    from harness.report.keep import ending

    lines = ending(record, git_folders(config), str(report.extra.get("seed", "")))
    return [f"signature: {record.signature}", *lines]


def show_command(options: Options, result: Result) -> int:
    """Print the command line that boots the machine, without booting it."""
    from harness.build.builder import build_all
    from harness.machine.prepare import plan_boot

    config = options.config()
    artefacts = build_all(config, QuietUi(), offline=options.offline)
    return show_files(config, plan_boot(config, artefacts, artefacts.initrd.stat().st_size), result)


def show_files(config: Config, files: BootFiles, result: Result) -> int:
    """Print the command line that boots these files, without booting them."""
    from harness.machine.argv import printable, qemu_argv, terminal_wiring

    # There is no run, so the command's own files go to where it is started.
    argv = qemu_argv(config, files, terminal_wiring(Path()))
    click.echo(printable(argv))
    result.give({"qemu": argv})
    return 0


def _seed(context: click.Context, option: click.Parameter, text: str | None) -> bytes | None:
    """Return the bytes of --seed."""
    if text is None:
        return None
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if not seed:
        raise UsageError(f"--seed {text}: not hexadecimal", "take the seed of a run.json")
    return seed


_DECORATORS = (
    click.option(
        "--repeat",
        type=click.IntRange(min=1),
        metavar="N",
        help="Run N times, each on a machine of its own, and sum up.",
    ),
    click.option(
        "--until-fail",
        is_flag=True,
        help="Begin no further run after one that fails; without --repeat there is no other end.",
    ),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="With --repeat: runs at once, if memory allows [default: the number of cores].",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Run on a Dask cluster: tcp://HOST:PORT of its scheduler.",
    ),
    click.option(
        "--seed",
        type=str,
        callback=_seed,
        metavar="HEX",
        help="Secrets and nonces of an earlier run: the seed in its run.json.",
    ),
    json_option("Write verdict, checks, metrics and versions to FILE."),
    click.option(
        "--run-dir",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Folder for the evidence [default: a new one in the cache].",
    ),
    click.option(
        "--deterministic",
        is_flag=True,
        help="Without a dialogue, by a clock of instructions: `teecall replay` repeats it exactly.",
    ),
    click.option(
        "--on-failure",
        type=click.Choice(["gdb", "keep"]),
        help="Stop the machine of the first check that fails and start gdb on it, or keep it for"
        " `teecall gdb` until ctrl-C.",
    ),
    click.option(
        "--stopped",
        is_flag=True,
        help="Let the machine wait for `teecall gdb` before its first instruction.",
    ),
    click.option(
        "-n", "--dry-run", is_flag=True, help="Print the QEMU command instead of running it."
    ),
)


def running_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options of verbs that run a scenario; it gets them as one value, `running`."""
    names = [entry.name for entry in fields(Running)]

    @functools.wraps(function)
    def wrapped(**given: Any) -> int:
        running = Running(**{name: given.pop(name) for name in names})
        return function(running=running, **given)

    for decorator in reversed(_DECORATORS):
        wrapped = decorator(wrapped)  # type: ignore[assignment]
    return wrapped


def show_check(check: Check) -> None:
    """Print the line of a check."""
    verdict = styled(f"{check.verdict:<7}", fg=colour_of(check.verdict), bold=True)
    click.echo(f"{verdict} {check.name:<10} {check.detail} ({check.duration_s:.2f} s)")


def _show_line(console: str, line: str) -> None:
    click.echo(f"{styled(console + ' |', dim=True)} {line}", err=True)


def _nothing(check: Check) -> None:
    """Show no check."""


def colour_of(verdict: Verdict) -> str:
    """Return the colour that a verdict is printed in."""
    return _COLOURS.get(verdict, "red")
