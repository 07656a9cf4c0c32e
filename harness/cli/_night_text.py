# SPDX-License-Identifier: Apache-2.0
"""Nights and the history as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.history import History, Past
from harness.report.junit import failure_lines
from harness.report.markdown import counts_line, kinds
from harness.report.rates import cell_rates, moved, scenario_rates, signatures
from harness.report.record import Night

# Runs that are named for a kind of failure; the JSON has all of them.
_NAMED = 5
_CELLS = 20
_BARS = "▁▂▃▄▅▆▇█"


def night_lines(night: Night) -> Iterator[str]:
    """Give what came of a night: counts, and the first of each kind of failure."""
    yield counts_line(night)
    if night.end is None:
        yield "the night has no end: it goes on, or was killed"
    elif night.end.why:
        yield f"ended early: {night.end.why}"
    if night.damaged:
        yield f"{night.damaged} damaged line(s) were skipped"
    for signature, runs in kinds(night):
        first = runs[0]
        yield ""
        yield f"{len(runs)} x {signature}"
        named = ", ".join(run.label for run in runs[:_NAMED])
        yield f"  runs: {named}{', …' if len(runs) > _NAMED else ''}"
        if first.quarantine is not None:
            yield f"  quarantined: {first.quarantine.reason} ({first.quarantine.url})"
        for failure in first.failures[:1]:
            yield f"  {failure.check}: {failure.message}"
            yield from (f"  | {line}" for line in failure_lines(failure))
        if first.evidence is not None:
            yield f"  evidence: {night.folder / first.evidence}"
        if first.command:
            yield f"  repeat: {first.command}"


def history_lines(history: History, runs: Sequence[Past], since: float) -> Iterator[str]:
    """Give what earlier runs say together: rates, kinds of failure, metrics that changed.

    Args:
        history: has them.
        runs: those that are asked for.
        since: in seconds since the epoch; changes from then on are told.
    """
    if not runs:
        yield "no runs"
        return
    nights = len({run.night for run in runs})
    yield f"{len(runs)} runs of {nights} nights"
    for rate in scenario_rates(runs):
        yield f"  {rate.name}: {rate}"
    bad = [rate for rate in cell_rates(runs) if rate.passed < rate.judged]
    if bad:
        yield ""
        yield "cells that do not always pass, with the 95 % confidence of their rate:"
    for rate in bad[:_CELLS]:
        yield f"  {rate.name}: {rate}{'  flaky' if rate.is_flaky else ''}"
    for signature, group in signatures(runs):
        first = history.first_seen(signature)
        yield ""
        yield f"{len(group)} x {signature}"
        if first is not None:
            yield f"  first seen in {first.night}, {first.label}"
    changed = moved(history, since)
    if changed:
        yield ""
        yield "metrics that changed:"
        yield from (f"  {change}" for change in changed)


def rates_lines(runs: Sequence[Past], labels: set[str]) -> Iterator[str]:
    """Give the rates of passes of some cells by their history."""
    for rate in cell_rates([run for run in runs if run.cell in labels]):
        yield f"  {rate.name}: {rate}{'  flaky' if rate.is_flaky else ''}"


def sparkline(values: Sequence[float]) -> str:
    """Return values as a row of bars, the lowest and the highest at the ends of the scale."""
    low, high = min(values), max(values)
    if low == high:
        return _BARS[3] * len(values)
    top = len(_BARS) - 1
    return "".join(_BARS[round((value - low) / (high - low) * top)] for value in values)
