# SPDX-License-Identifier: Apache-2.0
"""What a night is to do: every run of every cell, and what it is known to cost."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.cells.cell import Cell
from harness.config.matrix import CellSpec
from harness.report.history import History, Past
from harness.report.make import cell_id
from harness.report.record import NotRunRecord, QuarantineRecord
from harness.verdict import Verdict

# Of a scenario that was never run here: a smoke takes 2 s, the longest ones some minutes.
_UNKNOWN_S = {"smoke": 5.0}
_UNKNOWN_OTHER_S = 20.0
# Only the newest runs of a cell tell how it will do tonight.
_NEWEST = 20
_RECENT_S = 60 * 86400
_BAD = (Verdict.FAIL, Verdict.CRASH, Verdict.HANG, Verdict.TIMEOUT)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+=,-]+")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the history says about a run: how long in seconds, and how likely it fails."""

    seconds: float
    failing: float

    @property
    def worth(self) -> float:
        """Failures to be found in a second; runs with more of them come first."""
        return self.failing / self.seconds


@dataclass(frozen=True, slots=True)
class Planned:
    """One run of a cell."""

    spec: CellSpec
    number: int
    of: int
    expected: Expected

    @property
    def id(self) -> str:
        """What identifies it in the history, where runs by hand are too."""
        return cell_id(self.spec.scenario, self.spec.config)

    @property
    def label(self) -> str:
        """What it is called: its entry of the suite, its axes, and its number if there are more."""
        parts = [self.spec.name, self.spec.label, f"#{self.number}" if self.of > 1 else ""]
        return " ".join(part for part in parts if part)

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return _NOT_IN_NAMES.sub("_", self.label)

    @property
    def quarantine(self) -> QuarantineRecord | None:
        """Why its failure does not count."""
        found = self.spec.quarantine
        if found is None:
            return None
        return QuarantineRecord(
            reason=found.reason, url=found.url, expires=found.expires.isoformat()
        )

    def cell(self, folder: Path, offline: bool, arguments: tuple[str, ...]) -> Cell:
        """Return it as something that can be run, with its evidence below a folder."""
        return Cell(
            self.spec.scenario,
            self.spec.config,
            self.label,
            folder / self.folder,
            offline=offline,
            arguments=arguments,
            limit_s=self.spec.limits.run_s,
        )

    def not_run(self, dt: str, why: str) -> NotRunRecord:
        """Return the record that says that it was not run."""
        return NotRunRecord(
            dt=dt,
            id=self.id,
            label=self.label,
            scenario=self.spec.scenario,
            why=why,
            axes=dict(self.spec.axes),
        )


def planned(
    cells: Sequence[CellSpec], history: History, repeat: int | None = None
) -> list[Planned]:
    """Return the runs of a night, those first that find most failures in a second.

    Args:
        cells: what is run.
        history: earlier runs.
        repeat: how often each cell is run; None for what the suite says.
    """
    runs = []
    past = _by_scenario_and_cell(history)
    for cell in cells:
        expected = _expected(cell, past)
        count = repeat or cell.repeats
        runs += [Planned(cell, number, count, expected) for number in range(1, count + 1)]
    # Every cell once before any of them again.
    return sorted(runs, key=lambda run: (run.number, -run.expected.worth))


def _by_scenario_and_cell(history: History) -> dict[str, list[Past]]:
    found: dict[str, list[Past]] = {}
    for run in history.runs(time.time() - _RECENT_S):
        if run.verdict is not None and run.verdict not in (Verdict.INFRA, Verdict.SKIP):
            found.setdefault(f"cell {run.cell}", []).append(run)
            found.setdefault(f"scenario {run.scenario}", []).append(run)
    return found


def _expected(cell: CellSpec, past: dict[str, list[Past]]) -> Expected:
    own = past.get(f"cell {cell_id(cell.scenario, cell.config)}", [])[-_NEWEST:]
    alike = own or past.get(f"scenario {cell.scenario}", [])[-_NEWEST:]
    unknown = _UNKNOWN_S.get(cell.scenario, _UNKNOWN_OTHER_S)
    seconds = median(run.duration_s for run in alike) if alike else unknown
    bad = sum(run.verdict in _BAD for run in own)
    # Laplace's rule: what was never run is as likely to fail as not.
    return Expected(min(max(seconds, 0.1), cell.limits.run_s), (bad + 1) / (len(own) + 2))
