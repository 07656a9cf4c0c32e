# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect` names the commit that broke OpenSBI, and leaves the repository alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bisect.journal import load_bisection
from harness.bisect.report import make_report
from harness.bisect.report_text import report_lines
from tests.system.conftest import teecall
from tests.system.histories import history, state


@pytest.mark.system
@pytest.mark.slow
def test_a_trap_is_found_and_the_repository_is_left_alone(tmp_path: Path) -> None:
    made = history(tmp_path, "trap")
    before = state(made.repo)
    ends = ["--repo", str(made.repo), "--good", made.good, "--bad", made.bad]
    done = teecall("bisect", "--component", "opensbi", *ends, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout
    report = make_report(load_bisection(tmp_path / "out"))
    assert [each.candidate for each in report.findings[0].culprits] == [made.culprit], done.stdout
    assert f"first bad commit: {made.culprit}" in "\n".join(report_lines(report))
    found = report.findings[0].evidence
    assert found is not None and found.bad is not None and found.good is not None
    assert any(pair.kind != "equal" for pair in found.console)
    assert state(made.repo) == before


@pytest.mark.system
def test_ends_that_are_exchanged_are_said_to_be(tmp_path: Path) -> None:
    made = history(tmp_path, "trap")
    ends = ["--repo", str(made.repo), "--good", made.bad, "--bad", made.good]
    done = teecall("bisect", "--component", "opensbi", *ends, "--out", str(tmp_path / "out"))
    assert done.returncode == 2, done.stdout
    assert "remedy" in done.stdout
