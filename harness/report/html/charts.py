# SPDX-License-Identifier: Apache-2.0
"""Metrics against the history, as small pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from harness.report.changes import Change, changes
from harness.report.history import History
from harness.report.html.svg import picture, tag
from harness.report.record import Night, RunRecord

# A picture has so many runs, the newest ones; a page so many pictures, the most telling ones.
RUNS = 200
CHARTS = 48
_WIDTH, _HEIGHT = 340.0, 132.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 10.0, 16.0, 20.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric; `new` if this night has found it. `started` is in seconds since 1970."""

    started: float
    value: float
    new: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A metric of a cell over time; `change` says how it changed this night, if it did."""

    metric: str
    cell: str
    samples: tuple[Sample, ...]
    changes: tuple[Change, ...]

    @property
    def change(self) -> str | None:
        """The newest change, if it is one of this night."""
        last = self.changes[-1] if self.changes else None
        if last is None or not self.samples[last.index].new:
            return None
        return f"{number(last.before)} → {number(last.after)} ({_percent(last)})"

    @property
    def latest(self) -> str:
        """The newest value."""
        return number(self.samples[-1].value)

    @property
    def drawing(self) -> Markup:
        """The picture."""
        told = f", changed {self.change}" if self.change else ""
        label = f"{self.metric} of {self.cell} in {len(self.samples)} runs, now {self.latest}{told}"
        return picture(label, _WIDTH, _HEIGHT, *_drawn(self))


def seconds(moment: str) -> float:
    """Return an ISO 8601 time in seconds since the epoch, 0 for what is none; UTC by default."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return 0.0
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def number(value: float) -> str:
    """Return a value with four significant digits."""
    whole = value == int(value) if math.isfinite(value) else False
    return f"{value:.0f}" if whole and abs(value) < 1e6 else f"{value:.4g}"


def charts(night: Night, history: History | None, limit: int = CHARTS) -> list[Chart]:
    """Return the charts of a night: what changed first, then the metrics in turn.

    Args:
        night: its runs' values are the newest.
        history: earlier values.
        limit: most charts that are returned.
    """
    found = [chart for metric in _metrics(night) for chart in _of_metric(metric, night, history)]
    found.sort(key=lambda chart: (-_step(chart), -len(chart.samples)))
    return found[:limit]


def _metrics(night: Night) -> list[str]:
    return sorted({name for run in night.runs for name in run.metrics})


def _of_metric(metric: str, night: Night, history: History | None) -> Iterator[Chart]:
    tonight: dict[str, list[RunRecord]] = {}
    for run in night.runs:
        if math.isfinite(run.metrics.get(metric, math.nan)):
            tonight.setdefault(run.id, []).append(run)
    if not tonight:
        return
    past = _past(metric, tonight, history)
    for cell, runs in tonight.items():
        new = sorted((seconds(run.started), run.metrics[metric]) for run in runs)
        samples = [*past.get(cell, ()), *(Sample(*each, new=True) for each in new)][-RUNS:]
        values = [sample.value for sample in samples]
        yield Chart(metric, runs[0].label, tuple(samples), tuple(changes(values)))


def _past(
    metric: str, tonight: dict[str, list[RunRecord]], history: History | None
) -> dict[str, list[Sample]]:
    """Return the values of each cell from before this night."""
    began = {cell: min(seconds(run.started) for run in runs) for cell, runs in tonight.items()}
    found: dict[str, list[Sample]] = {}
    for point in history.points(metric) if history else ():
        # The history may have this night's runs already.
        if point.started < began.get(point.cell, -math.inf) and math.isfinite(point.value):
            sample = Sample(point.started, point.value, new=False)
            found.setdefault(point.cell, []).append(sample)
    return found


def _step(chart: Chart) -> float:
    """Return how large this night's change is, 0 without one."""
    return abs(chart.changes[-1].ratio) if chart.change else 0.0


def _percent(change: Change) -> str:
    return f"{change.ratio:+.1%}" if math.isfinite(change.ratio) else "from 0"


def _drawn(chart: Chart) -> Iterator[Markup]:
    values = [sample.value for sample in chart.samples]
    low, high = _range(values)
    points = [(_x(index, len(values)), _y(value, low, high)) for index, value in enumerate(values)]
    for value in (low, high):
        y = _y(value, low, high)
        yield tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="rule")
        yield tag("text", number(value), x=_LEFT - 6, y=y + 4, class_="axis end")
    yield from _changes(chart, low, high)
    yield tag("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points), class_="series")
    yield from _dots(chart.samples, points)
    first, last = chart.samples[0], chart.samples[-1]
    y = _HEIGHT - 5
    yield tag("text", _day(first), x=_LEFT, y=y, class_="axis")
    yield tag("text", _day(last), x=_WIDTH - _RIGHT, y=y, class_="axis end")


def _changes(chart: Chart, low: float, high: float) -> Iterator[Markup]:
    for change in chart.changes[-5:]:
        x = _x(change.index - 0.5, len(chart.samples))
        title = tag("title", f"{number(change.before)} → {number(change.after)}")
        line = {"x1": x, "x2": x, "y1": _TOP - 4, "y2": _HEIGHT - _BOTTOM}
        yield tag("line", title, **line, class_="change")
        end = " end" if x > _WIDTH * 0.7 else ""
        yield tag("text", f"▲ {_percent(change)}", x=x, y=_TOP - 5, class_=f"change-text{end}")


def _dots(samples: Sequence[Sample], points: Iterable[tuple[float, float]]) -> Iterator[Markup]:
    for sample, (x, y) in zip(samples, points, strict=True):
        if sample.new:
            title = tag("title", f"{number(sample.value)}, this night")
            yield tag("circle", title, cx=x, cy=y, r=3.5, class_="new")


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        return low - margin, high + margin
    return low, high


def _x(index: float, count: int) -> float:
    span = _WIDTH - _LEFT - _RIGHT - 8
    return _LEFT + 4 + (span * index / (count - 1) if count > 1 else span / 2)


def _y(value: float, low: float, high: float) -> float:
    return _TOP + 6 + (_HEIGHT - _TOP - _BOTTOM - 12) * (high - value) / (high - low)


def _day(sample: Sample) -> str:
    return datetime.fromtimestamp(sample.started, UTC).strftime("%Y-%m-%d")
