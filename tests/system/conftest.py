# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that boot real machines through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# At night scenarios go through all of what is a sample otherwise.
RUN_LIMIT_S = 7200 if os.environ.get("TEECALL_NIGHTLY") else 600


@dataclass(frozen=True)
class SmokeResult:
    """What one run of a scenario said: exit status, last screen, report."""

    status: int
    screen: str
    report: dict[str, Any]

    def check(self, name: str) -> dict[str, Any]:
        """The check called ``name``; KeyError with the screen when absent."""
        for check in self.report["checks"]:
            if check["name"] == name:
                return dict(check)
        raise KeyError(f"no check {name!r} in:\n{self.screen}")

    def failed(self) -> list[str]:
        """Names of the checks that ran and did not pass, in order."""
        return [c["name"] for c in self.report["checks"] if c["verdict"] not in ("PASS", "SKIP")]


def teecall(*arguments: str, limit_s: float = RUN_LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does and return its outcome."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=limit_s,
        check=False,
    )


Smoke = Callable[..., SmokeResult]
Scenario = Callable[..., SmokeResult]


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """Function that runs ``teecall run NAME`` with further arguments; evidence in tmp_path/run."""

    def run(name: str, *arguments: str) -> SmokeResult:
        report = tmp_path / f"{name}.json"
        report.unlink(missing_ok=True)
        place = ["--run-dir", str(tmp_path / "run")] if "--run-dir" not in arguments else []
        done = teecall("run", name, "--json", str(report), *place, *arguments)
        assert report.exists(), f"no report from: {name} {' '.join(arguments)}\n{done.stdout}"
        return SmokeResult(done.returncode, done.stdout, json.loads(report.read_text()))

    return run


@pytest.fixture
def smoke(tmp_path: Path) -> Smoke:
    """Function that runs ``teecall smoke`` with further arguments."""

    def run(*arguments: str) -> SmokeResult:
        report = tmp_path / "smoke.json"
        report.unlink(missing_ok=True)
        done = teecall("smoke", "--json", str(report), *arguments)
        assert report.exists(), f"no report from: smoke {' '.join(arguments)}\n{done.stdout}"
        return SmokeResult(done.returncode, done.stdout, json.loads(report.read_text()))

    return run
