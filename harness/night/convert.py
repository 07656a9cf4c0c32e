# SPDX-License-Identifier: Apache-2.0
"""What came of a run, as the record that reports and history are made from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from harness.cells.cell import CellResult
from harness.cells.signature import normalised, signature_of
from harness.config.settings import assignments
from harness.night.journal import now
from harness.night.plan import Planned
from harness.report.record import CheckRecord, FailureRecord, RunRecord
from harness.scenarios.report import Failure
from harness.verdict import Verdict


def run_record(
    run: Planned, result: CellResult, night: Path, artefacts: Mapping[str, str]
) -> RunRecord:
    """Return the record of a run that has ended.

    Args:
        run: what was planned.
        result: what came of it.
        night: the night's folder.
        artefacts: the store's key of each component.
    """
    place = result.evidence_dir
    failures = tuple(_failure(failure, place) for failure in result.failures)
    if result.error is not None:
        error = result.error
        failures += (
            FailureRecord(
                check="run", message=error.message, details=error.details, remedy=error.remedy
            ),
        )
    judged = result.verdict in (Verdict.PASS, Verdict.SKIP)
    ended = now()
    return RunRecord(
        dt=ended,
        id=run.spec.id,
        label=run.label,
        scenario=run.spec.scenario,
        verdict=result.verdict,
        exit_code=result.exit_code,
        started=_before(ended, result.duration_s),
        duration_s=round(result.duration_s, 3),
        axes=dict(run.spec.axes),
        signature=None if judged else _signature(result),
        title=None if judged else _title(failures),
        checks=tuple(
            CheckRecord(
                name=check.name,
                verdict=check.verdict,
                detail=check.detail,
                duration_s=round(check.duration_s, 4),
            )
            for check in result.checks
        ),
        failures=failures,
        metrics=dict(result.metrics),
        versions=dict(result.versions),
        artefacts=dict(artefacts),
        settings=_settings(run),
        spoilt=result.spoilt,
        quarantine=run.quarantine,
        evidence=str(place.relative_to(night)) if place.is_dir() else None,
        command=command_of(run),
        node=result.node,
        repeat=run.number,
    )


def command_of(run: Planned) -> str:
    """Return the command that runs the cell alone."""
    words = ["teecall", "run", run.spec.scenario]
    for setting in assignments(run.spec.config):
        words += ["--set", setting]
    return shlex.join(words)


def _settings(run: Planned) -> dict[str, str]:
    parts = (setting.partition("=") for setting in assignments(run.spec.config))
    return {name: value for name, _, value in parts}


def _signature(result: CellResult) -> str:
    if result.error is not None:
        return f"ERROR {normalised(result.error.message)}"
    return signature_of(result)


def _title(failures: tuple[FailureRecord, ...]) -> str | None:
    return f"{failures[0].check}: {failures[0].message}" if failures else None


def _failure(failure: Failure, place: Path) -> FailureRecord:
    evidence = failure.evidence
    if evidence is not None and evidence.is_relative_to(place):
        evidence = evidence.relative_to(place)
    return FailureRecord(
        check=failure.check,
        message=failure.message,
        details=failure.details,
        where=failure.where,
        remedy=failure.remedy,
        open=None if evidence is None else str(evidence),
    )


def _before(moment: str, seconds: float) -> str:
    begun = datetime.fromisoformat(moment) - timedelta(seconds=seconds)
    return begun.isoformat(timespec="milliseconds")
