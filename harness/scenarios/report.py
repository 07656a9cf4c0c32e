# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind in numbers and words: `--json`, run.json and the last screen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StoreError, TeecallError
from harness.verdict import Check, Verdict, worst


@dataclass(frozen=True, slots=True)
class Failure:
    """What broke: the check, the error, where the machine was, and the file to open."""

    check: str
    message: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    evidence: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run."""

    checks: tuple[Check, ...]
    duration_s: float
    evidence_dir: Path
    metrics: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    exit_code: int = 0

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all checks.

        A skipped check is a consequence here, so what it was skipped for decides.
        """
        return worst(check.verdict for check in self.checks)

    def as_json(self) -> dict[str, object]:
        """Return what `--json` writes."""
        return {
            "verdict": str(self.verdict),
            "duration_s": round(self.duration_s, 3),
            "checks": [_check_json(check) for check in self.checks],
            "metrics": dict(self.metrics),
            "versions": dict(self.versions),
            "evidence_dir": str(self.evidence_dir),
        }

    def for_run_folder(self) -> dict[str, object]:
        """Return what run.json has: the same, what is needed to repeat it, and the failures."""
        failures = [
            {"check": failure.check, "message": failure.message, "where": list(failure.where)}
            for failure in self.failures
        ]
        return {
            **self.as_json(),
            "failures": failures,
            **self.extra,
            "workstation": {"cpus": os.cpu_count(), "load": os.getloadavg()[0]},
        }


def _check_json(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "verdict": str(check.verdict),
        "detail": check.detail,
        "duration_s": round(check.duration_s, 4),
    }


def write_json(path: Path, report: Report) -> None:
    """Write the file of `--json`.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        path.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", "give another --json") from error


def failure_of(name: str, error: TeecallError) -> Failure:
    """Return what the last screen says about an error."""
    return Failure(name, error.message, error.remedy, error.details)


def last_screen(failure: Failure) -> list[str]:
    """Return the lines that say what broke, where, and which file to open."""
    lines = [f"{failure.check}: {failure.message}"]
    lines += [f"  | {line}" for line in failure.details]
    lines += [f"  where: {line}" for line in failure.where]
    if failure.evidence is not None:
        lines.append(f"  open: {failure.evidence}")
    if failure.remedy:
        lines.append(f"  remedy: {failure.remedy}")
    return lines
