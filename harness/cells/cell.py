# SPDX-License-Identifier: Apache-2.0
"""One run as a value, and what came of it as another."""

from __future__ import annotations

import os
import platform
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.cells.limit import Limit, limited
from harness.config.schema import Config
from harness.errors import CallerError, DeadlineExceeded, TeecallError, own_error
from harness.machine.rundir import new_run
from harness.scenarios.report import Failure, Report, failure_of
from harness.scenarios.session import Session, run_scenario
from harness.signature.signature import Signature
from harness.ui import QuietUi
from harness.verdict import Check, Verdict

# What QEMU and its harness take beside the machine's own memory: 190 MiB were seen.
_OVERHEAD_MIB = 256


@dataclass(frozen=True, slots=True)
class Need:
    """What a run takes of the workstation while it goes on: cores, and memory in MiB."""

    cores: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One run: everything it is told, so that it can be done in another process or machine.

    Args:
        scenario: its name.
        config: the machine and what runs on it.
        label: what the run is called among its siblings.
        folder: takes the evidence; only this run uses it.
        seed: from which secrets and nonces follow; None for one of chance.
        offline: never touch the network.
        arguments: of the `teecall` that asked for it; the evidence says so.
        attempt: 1, and more when the environment spoilt earlier attempts.
        limit_s: the time it may take in seconds; None for no limit beside those of its steps.
        store: URL of the store that artefacts are shared by; None for that of the process.
    """

    scenario: str
    config: Config
    label: str
    folder: Path
    seed: bytes | None = None
    offline: bool = False
    arguments: tuple[str, ...] = ()
    attempt: int = 1
    limit_s: float | None = None
    store: str | None = None

    @property
    def need(self) -> Need:
        """What it takes of the workstation.

        Under TCG each hart is a thread, but a boot keeps one of them busy: a smoke used 1.1 cores
        with 2 harts, 1.25 with 4 and 1.35 with 8. Half of the harts leaves room for scenarios
        that use all of them at times.
        """
        machine = self.config.machine
        return Need((machine.harts + 1) // 2, machine.memory_mib + _OVERHEAD_MIB)

    @property
    def place(self) -> Path:
        """The folder of this attempt; earlier attempts keep theirs."""
        if self.attempt == 1:
            return self.folder
        return self.folder.with_name(f"{self.folder.name}-again-{self.attempt - 1}")

    @property
    def command(self) -> str:
        """The `teecall` that asked for it, as one types it."""
        return shlex.join(["teecall", *self.arguments]) if self.arguments else ""

    def again(self) -> Cell:
        """Return the next attempt."""
        return replace(self, attempt=self.attempt + 1)


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came of a cell.

    `error` is what the user has to correct; then `verdict` is None. `node` names the workstation.
    `spoilt` says for each earlier attempt what was wrong with the environment. `started` is in
    seconds since the epoch. `seed` is what its secrets and nonces follow from, in hexadecimal.
    """

    cell: Cell
    verdict: Verdict | None
    exit_code: int
    duration_s: float
    checks: tuple[Check, ...] = ()
    failures: tuple[Failure, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    error: CallerError | None = None
    node: str = ""
    spoilt: tuple[str, ...] = ()
    artefacts: Mapping[str, str] = field(default_factory=dict)
    signature: Signature | None = None
    started: float = 0.0
    seed: str = ""

    @property
    def evidence_dir(self) -> Path:
        """The folder of the evidence, on `node`."""
        return self.cell.place

    @property
    def is_spoilt(self) -> bool:
        """Whether the environment stood in the way, so that nothing was judged."""
        return self.verdict is Verdict.INFRA

    def as_json(self) -> dict[str, object]:
        """Return what the JSON of a series says about it."""
        return {
            "label": self.cell.label,
            "verdict": self.verdict and str(self.verdict),
            "exit_code": self.exit_code,
            "duration_s": round(self.duration_s, 3),
            "failures": [f"{found.check}: {found.message}" for found in self.failures],
            "metrics": dict(self.metrics),
            "versions": dict(self.versions),
            "evidence_dir": str(self.evidence_dir),
            "node": self.node,
            "spoilt_attempts": list(self.spoilt),
        }


def run_cell(cell: Cell) -> CellResult:
    """Run a cell to its end in this process; what goes wrong is in the result.

    Only an interruption is in the report as INFRA and not raised, as with `teecall run`.
    """
    started = time.monotonic()
    if cell.store is not None:
        os.environ["TEECALL_STORE"] = cell.store
    try:
        run = new_run(cell.place)
        session = Session(
            cell.config,
            run,
            QuietUi(),
            cell.offline,
            ended=_nothing,
            seed=cell.seed,
            arguments=cell.arguments,
        )
        with limited(cell.limit_s) as limit:
            result = _of_report(cell, run_scenario(cell.scenario, session))
        return _judged_late(result, limit)
    except CallerError as error:
        return CellResult(
            cell,
            None,
            error.exit_code,
            time.monotonic() - started,
            error=error,
            node=platform.node(),
            started=time.time() - (time.monotonic() - started),
        )
    except DeadlineExceeded as error:
        # Between two checks, or while the evidence was written.
        seconds = time.monotonic() - started
        return without_run(cell, error, Verdict.TIMEOUT, seconds)
    except Exception as error:
        return spoilt(cell, own_error(error), time.monotonic() - started)


def spoilt(cell: Cell, error: TeecallError, seconds: float) -> CellResult:
    """Return the result of a cell that could not be run.

    Args:
        cell: the cell.
        error: what stood in the way.
        seconds: time lost.
    """
    return without_run(cell, error, Verdict.INFRA, seconds)


def without_run(
    cell: Cell, error: TeecallError, verdict: Verdict, seconds: float, check: str = "run"
) -> CellResult:
    """Return the result of a cell that came to no report of its own.

    Args:
        cell: the cell.
        error: what stood in the way.
        verdict: what that means.
        seconds: time it took.
        check: what is to have failed.
    """
    return CellResult(
        cell,
        verdict,
        verdict.exit_code,
        seconds,
        checks=(Check(check, verdict, error.message, seconds),),
        failures=(failure_of(check, error),),
        node=platform.node(),
        started=time.time() - seconds,
    )


def _judged_late(result: CellResult, limit: Limit | None) -> CellResult:
    """Return the result of a run, as a TIMEOUT when it was too long and does not say so."""
    late = limit.error if limit is not None else None
    if late is None or result.verdict in (Verdict.TIMEOUT, Verdict.CRASH, Verdict.HANG, None):
        return result
    verdict = Verdict.TIMEOUT
    return replace(
        result,
        verdict=verdict,
        exit_code=verdict.exit_code,
        checks=(*result.checks, Check("run", verdict, late.message, result.duration_s)),
        failures=(failure_of("run", late), *result.failures),
    )


def _of_report(cell: Cell, report: Report) -> CellResult:
    return CellResult(
        cell,
        report.verdict,
        report.exit_code,
        report.duration_s,
        report.checks,
        report.failures,
        dict(report.metrics),
        dict(report.versions),
        report.error,
        platform.node(),
        artefacts=dict(report.artefacts),
        signature=report.signature,
        started=report.started,
        seed=str(report.extra.get("seed", "")),
    )


def _nothing(check: Check) -> None:
    """Nobody watches the checks of a cell."""
