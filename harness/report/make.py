# SPDX-License-Identifier: Apache-2.0
"""A run that has ended, as the record that all reports, the history and the pages are made of."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from harness.config.schema import Config
from harness.report.commits import commits
from harness.report.record import CheckRecord, FailureRecord, QuarantineRecord, RunRecord
from harness.resources import root
from harness.signature.signature import Signature, signature_of
from harness.verdict import Check, Verdict

if TYPE_CHECKING:
    from harness.cells.cell import CellResult
    from harness.scenarios.report import Failure

# `function+0x10 (file.c:42)` at the end of a line about a place.
_PLACE = re.compile(r"\(([^\s()]+\.[A-Za-z]+):(\d+)\)")
# `file.c:42:` or `file.c:42:7: error` in what a compiler says.
_SAID = re.compile(r"(?:^|\s)([^\s:]+\.[chS]):(\d+):")
_PATH_SOURCE = re.compile(r"^(path:)?(/.+)$")
# How a run is made, and not what is run.
_NOT_IN_ID = {"build": {"jobs"}}


class Ended(Protocol):
    """What a `Report` and a `CellResult` both have."""

    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def exit_code(self) -> int: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def checks(self) -> tuple[Check, ...]: ...
    @property
    def failures(self) -> tuple[Failure, ...]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def versions(self) -> Mapping[str, str]: ...
    @property
    def artefacts(self) -> Mapping[str, str]: ...
    @property
    def signature(self) -> Signature | None: ...
    @property
    def started(self) -> float: ...
    @property
    def evidence_dir(self) -> Path: ...


def cell_id(scenario: str, config: Config) -> str:
    """Return what identifies a configuration: equal for equal cells of different nights.

    Folders count by their last two names (those of teecall's own tree by their place in it), so
    that another checkout or another temporary folder is the same cell.
    """
    values = msgspec.to_builtins(config)
    for section, names in _NOT_IN_ID.items():
        for name in names:
            values[section].pop(name, None)
    text = msgspec.json.encode([scenario, _portable(values)], order="sorted")
    return hashlib.sha256(text).hexdigest()[:16]


def _portable(value: Any) -> Any:
    if isinstance(value, dict):
        # Which QEMU runs is a matter of its path.
        return {k: v if k == "binary" else _portable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_portable(item) for item in value]
    match = _PATH_SOURCE.match(value) if isinstance(value, str) else None
    if match is None:
        return value
    path = Path(match[2])
    if path.is_relative_to(root()):
        return f"{match[1] or ''}./{path.relative_to(root())}"
    return f"{match[1] or ''}{'/'.join(path.parts[-2:])}"


def run_record(
    result: Ended,
    *,
    scenario: str,
    config: Config,
    label: str = "",
    command: str = "",
    node: str = "",
    axes: Mapping[str, str] | None = None,
    quarantine: QuarantineRecord | None = None,
    spoilt: Sequence[str] = (),
    folder: Path | None = None,
    repeat: int = 1,
) -> RunRecord:
    """Return the record of a run that has ended.

    Args:
        result: a `Report` or a `CellResult`.
        scenario: its name.
        config: what was run.
        label: what it is called; the scenario's name by default.
        command: that makes it again.
        node: workstation it ran on.
        axes: values of the matrix.
        quarantine: why its failure does not count.
        spoilt: what was wrong with the environment in earlier attempts.
        folder: the night's; the evidence is named relative to it where it lies inside.
        repeat: which repetition in the night it was.
    """
    signature = result.signature or signature_of(result.checks)
    started = datetime.fromtimestamp(result.started, UTC)
    ended = datetime.fromtimestamp(result.started + result.duration_s, UTC)
    return RunRecord(
        dt=ended.isoformat(timespec="milliseconds"),
        id=cell_id(scenario, config),
        label=label or scenario,
        scenario=scenario,
        verdict=result.verdict,
        exit_code=result.exit_code,
        started=started.isoformat(timespec="milliseconds"),
        duration_s=round(result.duration_s, 4),
        axes=dict(axes or {}),
        signature=signature.key if signature else None,
        title=signature.title if signature else None,
        checks=tuple(_check(check) for check in result.checks),
        failures=tuple(_failure(found, result.evidence_dir) for found in result.failures),
        metrics=dict(result.metrics),
        versions=dict(result.versions) | _commits(config),
        artefacts=dict(result.artefacts),
        # As JSON has it, lists instead of tuples: a record read back is equal.
        settings=msgspec.json.decode(msgspec.json.encode(config)),
        spoilt=tuple(spoilt),
        quarantine=quarantine,
        evidence=_relative(result.evidence_dir, folder),
        command=command,
        node=node,
        repeat=repeat,
    )


def cell_record(result: CellResult, **more: Any) -> RunRecord:
    """Return the record of a cell; `more` as in `run_record`, over what the cell says itself."""
    cell = result.cell
    told: dict[str, Any] = {
        "scenario": cell.scenario,
        "config": cell.config,
        "label": cell.label,
        "node": result.node,
        "spoilt": result.spoilt,
        "command": cell.command,
    }
    return run_record(result, **(told | more))


def _commits(config: Config) -> dict[str, str]:
    return {f"{name} commit": commit for name, commit in commits(config).items()}


def _relative(evidence: Path, folder: Path | None) -> str:
    if folder is not None and evidence.is_relative_to(folder):
        return str(evidence.relative_to(folder))
    return str(evidence.absolute())


def _check(check: Check) -> CheckRecord:
    return CheckRecord(
        name=check.name,
        verdict=check.verdict,
        detail=check.detail,
        duration_s=round(check.duration_s, 4),
    )


def _failure(failure: Failure, folder: Path) -> FailureRecord:
    file, line = place_of(failure)
    return FailureRecord(
        check=failure.check,
        message=failure.message,
        details=failure.details,
        where=failure.where,
        remedy=failure.remedy,
        open=_relative(failure.evidence, folder) if failure.evidence else None,
        file=file,
        line=line,
    )


def place_of(failure: Failure) -> tuple[str | None, int | None]:
    """Return file and line of the first source place that a failure names, or None and None."""
    for line in failure.where:
        if match := _PLACE.search(line):
            return match[1], int(match[2])
    for line in (failure.message, *failure.details):
        if match := _SAID.search(line) or _PLACE.search(line):
            return match[1], int(match[2])
    return None, None
