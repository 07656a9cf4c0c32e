# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind in numbers and words: `--json`, run.json and the last screen."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.errors import CallerError, StoreError, TeecallError, UsageError
from harness.files import write_atomic
from harness.resources import root
from harness.signature.signature import Signature
from harness.verdict import Check, Verdict, worst

_GIT_S = 5
# Of a death as the log tells it; forensics.txt and the log have all.
_SHOWN_LINES = 8


@dataclass(frozen=True, slots=True)
class Failure:
    """What broke: the check, the error, where the machine was, and the file to open.

    `block` are the lines of uart.log that tell of the death, the first of them `block_line`.
    """

    check: str
    message: str
    remedy: str = ""
    details: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    evidence: Path | None = None
    block: tuple[str, ...] = ()
    block_line: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run.

    `artefacts` has the store's key of each built component, `started` is in seconds since the
    epoch, `signature` is None when nothing failed.

    With an `error` of the caller's the run has no verdict, and `exit_code` is 2.
    """

    checks: tuple[Check, ...]
    duration_s: float
    evidence_dir: Path
    metrics: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    artefacts: Mapping[str, str] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)
    exit_code: int = 0
    error: CallerError | None = None
    signature: Signature | None = None
    started: float = 0.0

    @property
    def verdict(self) -> Verdict | None:
        """The worst verdict of all checks; None when nothing could be judged.

        A skipped check is a consequence here, so what it was skipped for decides.
        """
        if self.error is not None:
            return None
        return worst(check.verdict for check in self.checks)

    def as_json(self) -> dict[str, object]:
        """Return what `--json` writes."""
        told = {} if self.error is None else {"error": _error_json(self.error)}
        return {
            "verdict": self.verdict and str(self.verdict),
            **told,
            "duration_s": round(self.duration_s, 3),
            "checks": [_check_json(check) for check in self.checks],
            "metrics": dict(self.metrics),
            "versions": dict(self.versions),
            "evidence_dir": str(self.evidence_dir),
        }

    def for_run_folder(self) -> dict[str, object]:
        """Return what run.json has: the same, what is needed to repeat it, and the failures."""
        return {
            **self.as_json(),
            "exit_code": self.exit_code,
            "signature": self.signature and self.signature.key,
            "title": self.signature and self.signature.title,
            "failures": [_failure_json(failure) for failure in self.failures],
            "artefacts": dict(self.artefacts),
            **self.extra,
            "workstation": {"cpus": os.cpu_count(), "load": os.getloadavg()[0]},
        }


def _failure_json(failure: Failure) -> dict[str, object]:
    return {
        "check": failure.check,
        "message": failure.message,
        "details": list(failure.details),
        "where": list(failure.where),
        "block": list(failure.block),
        "block_line": failure.block_line,
        "open": failure.evidence and str(failure.evidence),
        "remedy": failure.remedy,
    }


def provenance(
    started: float, arguments: Sequence[str] | None = None, commit: OwnCommit | None = None
) -> dict[str, object]:
    """Return what made a run: time, command line, and teecall's own version.

    Args:
        started: seconds since the epoch.
        arguments: of the `teecall` that asked for the run; None for this process.
        commit: asked for when the run began; None: ask now.
    """
    words = sys.argv[1:] if arguments is None else arguments
    moment = datetime.fromtimestamp(started, UTC).astimezone()
    return {
        "started": moment.isoformat(timespec="milliseconds"),
        "command": shlex.join(["teecall", *words]),
        "teecall": {"version": __version__, "commit": (commit or OwnCommit()).answer()},
    }


class OwnCommit:
    """The question which commit teecall runs from; git looks for the answer from now on."""

    def __init__(self) -> None:
        self._git: subprocess.Popen[str] | None = None
        if not (root() / ".git").exists():
            return
        command = ["git", "-C", str(root()), "describe", "--always", "--dirty", "--abbrev=12"]
        with contextlib.suppress(OSError):
            self._git = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )

    def answer(self) -> str | None:
        """Return the commit, marked when files were changed; None outside of git."""
        if self._git is None:
            return None
        try:
            return self._git.communicate(timeout=_GIT_S)[0].strip() or None
        except subprocess.TimeoutExpired:
            self._git.kill()
            self._git.communicate()
            return None


def own_commit() -> str | None:
    """Return the commit teecall runs from, marked when files were changed; None outside of git."""
    return OwnCommit().answer()


def _error_json(error: TeecallError) -> dict[str, object]:
    return {"message": error.message, "remedy": error.remedy, "details": list(error.details)}


def _check_json(check: Check) -> dict[str, object]:
    return {
        "name": check.name,
        "verdict": str(check.verdict),
        "detail": check.detail,
        "duration_s": round(check.duration_s, 4),
    }


def check_json_place(path: Path) -> None:
    """Check that the file of `--json` can be written, before the run that it is to tell of.

    Raises:
        UsageError: it cannot.
    """
    folder = path.absolute().parent
    if path.is_dir():
        why = "it is a folder"
    elif not folder.is_dir():
        why = "its folder is not there"
    elif not os.access(path if path.exists() else folder, os.W_OK):
        why = "it is write-protected"
    else:
        return
    raise UsageError(f"--json {path}: {why}", "give another file")


def write_json(path: Path, report: Report) -> None:
    """Write the file of `--json`: all of it or, when the disk is full, nothing.

    Raises:
        StoreError: it cannot be written.
    """
    write_json_value(path, report.as_json())


def write_json_value(path: Path, value: object) -> None:
    """Write any value as the file of `--json`.

    Raises:
        StoreError: it cannot be written.
    """
    write_json_text(path, json.dumps(value, indent=2) + "\n")


def write_json_text(path: Path, text: str) -> None:
    """Write what is JSON already as the file of `--json`.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        if path.is_file() or not path.exists():
            write_atomic(path.absolute(), text)
        else:
            # A pipe or a device: nothing can take its place.
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", "give another --json") from error
    except StoreError as error:
        error.remedy = "give another --json"
        raise


def failure_of(name: str, error: TeecallError) -> Failure:
    """Return what the last screen says about an error."""
    return Failure(name, error.message, error.remedy, error.details)


def last_screen(failure: Failure) -> list[str]:
    """Return the lines that say what broke, where, and which file to open."""
    lines = [f"{failure.check}: {failure.message}"]
    lines += [f"  | {line}" for line in failure.details]
    if failure.block:
        lines.append(f"  uart.log:{failure.block_line}:")
        lines += [f"  | {line}" for line in failure.block[:_SHOWN_LINES]]
        if len(failure.block) > _SHOWN_LINES:
            lines.append(f"  | ... {len(failure.block) - _SHOWN_LINES} more lines")
    lines += [f"  where: {line}" for line in failure.where]
    if failure.evidence is not None:
        lines.append(f"  open: {failure.evidence}")
    if failure.remedy:
        lines.append(f"  remedy: {failure.remedy}")
    return lines
