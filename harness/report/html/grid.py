# SPDX-License-Identifier: Apache-2.0
"""A night's runs as tables: the two axes with the most values make columns and rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.report.record import Night, NotRunRecord, RunRecord
from harness.verdict import Verdict

NOT_RUN, ERROR = "not run", "ERROR"
# Colour is never the only sign.
SYMBOLS = {
    "PASS": "✓",
    "FAIL": "✗",
    "CRASH": "‼",
    "HANG": "∞",
    "TIMEOUT": "◷",
    "SKIP": "»",
    "INFRA": "△",
    ERROR: "?",
    NOT_RUN: "·",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a cell shows: the worst verdict of its runs, how many they are, which to go to."""

    verdict: str
    count: int
    label: str
    target: str

    @property
    def symbol(self) -> str:
        """The sign of the verdict."""
        return SYMBOLS[self.verdict]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; `rows` has a list of cells for each of `row_names`, in a cell are its marks."""

    caption: str
    column_axis: str
    row_axis: str
    columns: tuple[str, ...]
    row_names: tuple[str, ...]
    rows: tuple[tuple[tuple[Mark, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class _Place:
    axes: dict[str, str]
    mark: Mark


def verdict_name(run: RunRecord | NotRunRecord) -> str:
    """Return a run's verdict as the page tells it."""
    if isinstance(run, NotRunRecord):
        return NOT_RUN
    return str(run.verdict) if run.verdict is not None else ERROR


def grids(night: Night, targets: dict[int, str]) -> dict[str, list[Grid]]:
    """Return the tables of each scenario.

    Args:
        night: its runs.
        targets: the fragment of the page for each run and each run not made, by its identity.
    """
    runs = _all(night)
    names = sorted({run.scenario for run in runs})
    said = set(common(night))
    return {
        name: _of_scenario([run for run in runs if run.scenario == name], targets, said)
        for name in names
    }


def common(night: Night) -> dict[str, str]:
    """Return the axes that have the same value in every run of a night.

    They are named once, above all tables. Where no other axis is left, they make the tables.
    """
    runs = _all(night)
    values: dict[str, set[str]] = {}
    for axis in {axis for run in runs for axis in run.axes}:
        values[axis] = {run.axes.get(axis, "") for run in runs}
    same = {axis: min(found) for axis, found in sorted(values.items()) if len(found) == 1}
    return same if len(same) < len(values) else {}


def _all(night: Night) -> list[RunRecord | NotRunRecord]:
    return [*night.runs, *night.not_run]


def _of_scenario(
    runs: Sequence[RunRecord | NotRunRecord], targets: dict[int, str], said: set[str]
) -> list[Grid]:
    places = _places(runs, targets)
    values: dict[str, set[str]] = {}
    for place in places:
        for axis, value in place.axes.items():
            if axis in said:
                continue
            values.setdefault(axis, set()).add(value)
    # An axis with one value in this scenario says nothing in a table, but its heading names it.
    order = sorted(values, key=lambda axis: (-len(values[axis]), axis))
    column_axis, row_axis, *nested = [*order, "", ""]
    nested = [axis for axis in nested if axis]
    tables: dict[tuple[str, ...], list[_Place]] = {}
    for place in places:
        key = tuple(place.axes.get(axis, "") for axis in nested)
        tables.setdefault(key, []).append(place)
    return [
        _grid(_caption(nested, key), column_axis, row_axis, tables[key])
        for key in sorted(tables, key=_natural)
    ]


def _places(runs: Iterable[RunRecord | NotRunRecord], targets: dict[int, str]) -> list[_Place]:
    """Put runs of the same cell together."""
    cells: dict[str, list[RunRecord | NotRunRecord]] = {}
    for run in runs:
        cells.setdefault(run.id, []).append(run)
    found = []
    for same in cells.values():
        first = max(same, key=_badness)
        mark = Mark(verdict_name(first), len(same), first.label, targets[id(first)])
        found.append(_Place(first.axes, mark))
    return found


def _badness(run: RunRecord | NotRunRecord) -> int:
    if isinstance(run, NotRunRecord):
        return -1
    return run.verdict.severity if run.verdict is not None else len(Verdict)


def _caption(axes: Sequence[str], values: Sequence[str]) -> str:
    pairs = zip(axes, values, strict=True)
    return ", ".join(f"{axis}={value}" for axis, value in pairs if value)


def _grid(caption: str, column_axis: str, row_axis: str, places: Sequence[_Place]) -> Grid:
    columns = _values(column_axis, places)
    row_names = _values(row_axis, places)
    cells: dict[tuple[str, str], list[Mark]] = {}
    for place in places:
        key = (place.axes.get(row_axis, ""), place.axes.get(column_axis, ""))
        cells.setdefault(key, []).append(place.mark)
    rows = tuple(
        tuple(tuple(cells.get((row, column), ())) for column in columns) for row in row_names
    )
    return Grid(caption, column_axis, row_axis, columns, row_names, rows)


def _values(axis: str, places: Iterable[_Place]) -> tuple[str, ...]:
    return tuple(sorted({place.axes.get(axis, "") for place in places}, key=_parts))


def _natural(key: Sequence[str]) -> list[list[tuple[bool, int, str]]]:
    return [_parts(text) for text in key]


def _parts(text: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts numbers in names by their value."""
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in re.split(r"([0-9]+)", text)
        if part
    ]
