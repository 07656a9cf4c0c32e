# SPDX-License-Identifier: Apache-2.0
"""Logs that were recorded some time ago: of a run of teecall's, or from anywhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.machine.forensics import Symbolizer, counters_of
from harness.signature.judge import Judgement, judge_log, judge_run
from harness.verdict import Check, Verdict

_LOG = "uart.log"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A log, and what the folder of its run says beside it.

    `checks` is empty for a log from elsewhere, of which nothing but its text is known.
    """

    name: str
    data: bytes
    checks: tuple[Check, ...] = ()
    registers: str = ""
    images: tuple[Path, ...] = ()

    def judge(self, elves: Sequence[Path] = ()) -> Judgement:
        """Return what it comes to, as the run itself has judged it.

        Args:
            elves: ELF files of OpenSBI, the TSM and the kernel; those of the run by default.

        Raises:
            ConfigError: one of them is no ELF file with symbols.
        """
        files = elves or [image for image in self.images if image.is_file()]
        describe = Symbolizer.of_files(files).describe
        if self.checks:
            return judge_run(self.checks, self.data, counters_of(self.registers), describe)
        return judge_log(self.data, describe)


def read(name: str) -> Recorded:
    """Read a log.

    Args:
        name: a file, the folder of a run, or - for standard input.

    Raises:
        UsageError: it cannot be read.
    """
    if name == "-":
        return Recorded(name, sys.stdin.buffer.read())
    path = Path(name)
    path = path / _LOG if path.is_dir() else path
    told = _told(path)
    try:
        # A run that ended before QEMU wrote its log has none.
        data = b"" if told and not path.exists() else path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "give a log, the folder of a run, or -"
        ) from error
    if not told:
        return Recorded(str(path), data)
    registers = path.with_name("registers.txt")
    return Recorded(
        str(path),
        data,
        tuple(_check(check) for check in told["checks"]),
        registers.read_text(errors="replace") if registers.is_file() else "",
        tuple(Path(image) for image in told.get("images", ())),
    )


def _told(log: Path) -> dict[str, Any]:
    """Return the run.json beside a run's UART log; nothing when the run was not judged."""
    if log.name != _LOG:
        return {}
    try:
        told = json.loads(log.with_name("run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_run = isinstance(told, dict) and told.get("verdict") and "checks" in told
    return dict(told) if is_run else {}


def _check(told: dict[str, Any]) -> Check:
    verdict = Verdict(told["verdict"])
    return Check(told["name"], verdict, told["detail"], float(told["duration_s"]))
