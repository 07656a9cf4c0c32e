# SPDX-License-Identifier: Apache-2.0
"""What the history says together: rates of passes, kinds of failure, metrics that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.cells.tally import wilson
from harness.report.changes import Change, changes
from harness.report.history import History, Past, Point
from harness.verdict import Verdict

_BAD = (Verdict.FAIL, Verdict.CRASH, Verdict.HANG, Verdict.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something passed, of the runs that were judged."""

    name: str
    passed: int
    judged: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the rate, by Wilson's score."""
        return wilson(self.passed, self.judged)

    @property
    def is_flaky(self) -> bool:
        """Whether it both passed and failed."""
        return 0 < self.passed < self.judged

    def __str__(self) -> str:
        low, high = self.interval
        rate = self.passed / self.judged
        return f"{self.passed} of {self.judged} passed: {rate:.1%} ({low:.1%} to {high:.1%})"

    def as_json(self) -> dict[str, object]:
        """Return the rate for JSON."""
        low, high = self.interval
        return {
            "name": self.name,
            "passed": self.passed,
            "judged": self.judged,
            "low_95": round(low, 6),
            "high_95": round(high, 6),
        }


@dataclass(frozen=True, slots=True)
class Moved:
    """A metric of a cell that is not what it was."""

    metric: str
    label: str
    change: Change
    point: Point

    def __str__(self) -> str:
        before, after = self.change.before, self.change.after
        size = f"{self.change.ratio:+.2%}" if before else "new"
        when = f"run {self.point.run} of {self.point.label}"
        return f"{self.metric}: {before:g} -> {after:g} ({size}) since {when}"


def scenario_rates(runs: Iterable[Past]) -> list[Rate]:
    """Return the rate of passes of each scenario, by name."""
    return _rates((run.scenario, run) for run in runs)


def cell_rates(runs: Sequence[Past]) -> list[Rate]:
    """Return the rate of passes of each cell, called as in its newest run; worst first."""
    names = {run.cell: base_label(run.label) for run in runs}
    rates = _rates((run.cell, run) for run in runs)
    named = [Rate(names[rate.name], rate.passed, rate.judged) for rate in rates]
    return sorted(named, key=lambda rate: rate.passed / rate.judged)


def base_label(label: str) -> str:
    """Return the label of a cell from that of one of its runs."""
    name, _, number = label.rpartition(" #")
    return name if name and number.isdigit() else label


def _rates(named: Iterable[tuple[str, Past]]) -> list[Rate]:
    counts: dict[str, list[int]] = {}
    for name, run in named:
        if run.verdict is Verdict.PASS or run.verdict in _BAD:
            count = counts.setdefault(name, [0, 0])
            count[0] += run.verdict is Verdict.PASS
            count[1] += 1
    return [Rate(name, passed, judged) for name, (passed, judged) in sorted(counts.items())]


def signatures(runs: Iterable[Past]) -> list[tuple[str, list[Past]]]:
    """Return the runs that failed by the way they failed, the most frequent way first."""
    found: dict[str, list[Past]] = {}
    for run in runs:
        if run.verdict not in (Verdict.PASS, Verdict.SKIP):
            found.setdefault(run.signature or str(run.verdict or "ERROR"), []).append(run)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def by_cell(points: Iterable[Point]) -> dict[str, list[Point]]:
    """Return the values of a metric by cell: another machine has other values."""
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(point.cell, []).append(point)
    return found


def moved(history: History, since: float = 0.0) -> list[Moved]:
    """Return the changes of all metrics since a time, in seconds since the epoch.

    A change is looked for in all of the history; metrics that are deterministic (counted under
    -icount) have no noise, so that a change of one instruction is one.
    """
    found = []
    for metric in history.metrics():
        for points in by_cell(history.points(metric)).values():
            for change in changes([point.value for point in points]):
                point = points[change.index]
                if point.started >= since:
                    found.append(Moved(metric, base_label(point.label), change, point))
    return found
