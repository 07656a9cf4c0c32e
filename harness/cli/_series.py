# SPDX-License-Identifier: Apache-2.0
"""Repeated runs: a line for each, and a summary of all."""

from __future__ import annotations

from contextlib import AbstractContextManager

import click

from harness.build.builder import build_all
from harness.cells.backend import Backend, dask_backend, local_backend
from harness.cells.cell import CellResult
from harness.cells.series import Plan, Series
from harness.cells.tally import Kind, wilson
from harness.cli._options import Options
from harness.cli._running import Running, colour_of, show_check
from harness.machine.rundir import new_run
from harness.report.keep import repeat_command
from harness.scenarios.report import last_screen
from harness.ui import styled
from harness.verdict import Verdict

# Runs that are named for a kind of failure; the JSON has all of them.
_NAMED = 8


def run_series(name: str, options: Options, running: Running) -> int:
    """Run a scenario many times, print a line for each run and return the exit code."""
    config = options.config()
    run = new_run(running.run_dir)
    if running.scheduler is None:
        # What does not build is told once, with its progress, and not as failures of all runs.
        with options.ui() as ui:
            build_all(config, ui, offline=options.offline)
    plan = Plan(
        name, config, running.repeat, running.until_fail, options.offline, run, running.seed
    )
    series = Series(plan)

    def ended(result: CellResult) -> None:
        if not options.quiet:
            _show_result(result, running.repeat, options.verbose)

    series.run(_backend(running), ended)
    running.result.give(series.as_json())
    for line in summary_lines(series):
        click.echo(line)
    if series.not_kept:
        click.echo(f"note: the history does not have these runs: {series.not_kept}", err=True)
    if series.error is not None:
        raise series.error
    return series.exit_code


def _backend(running: Running) -> AbstractContextManager[Backend]:
    if running.scheduler is None:
        return local_backend(running.jobs)
    return dask_backend(running.scheduler, running.jobs)


def _show_result(result: CellResult, of: int | None, verbose: bool) -> None:
    verdict = result.verdict
    word = styled(f"{verdict or 'ERROR':<7}", fg=_colour(verdict), bold=True)
    number = result.cell.label if of is None else f"{result.cell.label:>{len(str(of))}}/{of}"
    click.echo(f"{word} {number} {result.duration_s:6.2f} s{_detail(result)}")
    if verbose:
        for check in result.checks:
            show_check(check)


def _detail(result: CellResult) -> str:
    """Say what was wrong with a run, if anything, and what with earlier attempts of it."""
    wrong = [f"{failure.check}: {failure.message}" for failure in result.failures[:1]]
    spoilt = [f"again after: {why}" for why in result.spoilt]
    return "".join(f"  {text}" for text in (*wrong, *spoilt))


def summary_lines(series: Series) -> list[str]:
    """Return the summary of a series, as it is printed at the end."""
    tally = series.tally
    ran = len(tally.results)
    asked = series.plan.repeat
    lines = []
    if series.why:
        lines.append(f"{ran} {f'of {asked} ' if asked is not None else ''}ran: {series.why}")
    counts = ", ".join(
        f"{number} {styled(str(verdict), fg=_colour(verdict), bold=True)}"
        for verdict, number in tally.counts.items()
    )
    if ran:
        middle, longest = tally.seconds
        lines.append(f"{counts}; median {middle:.2f} s, longest {longest:.2f} s")
    if tally.judged:
        low, high = wilson(tally.passed, tally.judged)
        lines.append(
            f"{tally.passed} of {tally.judged} passed: {tally.passed / tally.judged:.1%}"
            f" (95 % confidence: {low:.1%} to {high:.1%})"
        )
    if tally.spoilt:
        lines.append(f"{tally.spoilt} attempts were spoilt by the environment and made again")
    for kind in tally.kinds:
        lines += _kind_lines(kind)
    lines.append(f"evidence in {series.plan.folder.path}")
    return lines


def _kind_lines(kind: Kind) -> list[str]:
    """Say how many runs failed in one way, and show the first of them."""
    number, first = len(kind.results), kind.results[0]
    named = ", ".join(result.cell.label for result in kind.results[:_NAMED])
    more = ", …" if number > _NAMED else ""
    lines = ["", f"{number} x {kind.signature}", f"  runs: {named}{more}"]
    for failure in first.failures[:1]:
        lines += [f"  {line}" for line in last_screen(failure)]
    if first.cell.arguments:
        lines.append(f"  repeat: {repeat_command(first.cell.arguments, first.seed)}")
    return [*lines, f"  evidence: {first.evidence_dir}"]


def _colour(verdict: Verdict | None) -> str:
    return "red" if verdict is None else colour_of(verdict)
