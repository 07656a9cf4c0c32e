# SPDX-License-Identifier: Apache-2.0
"""What came of a run, as the record that reports and history are made from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.cells.cell import CellResult
from harness.config.settings import assignments
from harness.errors import CallerError
from harness.night.plan import Planned
from harness.report.make import cell_record
from harness.report.record import FailureRecord, RunRecord
from harness.signature.text import normalised


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
    record = cell_record(
        result,
        label=run.label,
        axes=run.spec.axes,
        quarantine=run.quarantine,
        command=command_of(run),
        folder=night,
        repeat=run.number,
    )
    # A run that did not come to its build has no keys of its own.
    record = msgspec.structs.replace(record, artefacts=dict(artefacts) | record.artefacts)
    return record if result.error is None else _with_error(record, result.error)


def _with_error(record: RunRecord, error: CallerError) -> RunRecord:
    """Add what the user has to correct."""
    failure = FailureRecord(
        check="run", message=error.message, details=error.details, remedy=error.remedy
    )
    return msgspec.structs.replace(
        record,
        failures=(*record.failures, failure),
        signature=f"ERROR {normalised(error.message)}",
        title=error.message,
    )


def command_of(run: Planned) -> str:
    """Return the command that runs the cell alone."""
    words = ["teecall", "run", run.spec.scenario]
    for setting in assignments(run.spec.config):
        words += ["--set", setting]
    return shlex.join(words)
