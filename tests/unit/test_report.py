# SPDX-License-Identifier: Apache-2.0
"""What a run leaves in run.json and in the file of `--json`."""

from __future__ import annotations

import errno
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from harness import __version__
from harness.errors import StoreError, UsageError
from harness.scenarios.report import Failure, Report, check_json_place, provenance, write_json
from harness.verdict import Check, Verdict


def report(*results: Verdict) -> Report:
    checks = tuple(Check(f"c{n}", verdict, "d", 0.1) for n, verdict in enumerate(results))
    return Report(checks, 1.5, Path("/evidence"), {"boot_s": 0.5}, {"qemu": "10.0.2"})


def test_place_of_the_report_is_checked_before_the_run(tmp_path: Path) -> None:
    check_json_place(tmp_path / "r.json")
    check_json_place(Path("/dev/null"))
    for bad in (tmp_path, tmp_path / "no" / "r.json"):
        with pytest.raises(UsageError, match="--json"):
            check_json_place(bad)


def test_report_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.json"
    write_json(target, report())
    before = target.read_text()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(StoreError):
        write_json(target, report())
    assert target.read_text() == before
    assert list(tmp_path.iterdir()) == [target]


def test_run_folder_tells_where_the_run_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "smoke", "--set", "a=b c"])
    told = provenance(0.0)
    assert told["command"] == "teecall smoke --set 'a=b c'"
    assert datetime.fromisoformat(str(told["started"])).timestamp() == 0
    assert isinstance(told["teecall"], dict)
    assert told["teecall"]["version"] == __version__


def test_failures_are_stored_with_all_that_the_last_screen_says() -> None:
    failure = Failure("build", "make failed", "see the log", ("x.c:1: error",), (), Path("/e/f"))
    stored = replace(report(), failures=(failure,)).for_run_folder()["failures"]
    assert stored == [
        {
            "check": "build",
            "message": "make failed",
            "details": ["x.c:1: error"],
            "where": [],
            "block": [],
            "block_line": 0,
            "open": "/e/f",
            "remedy": "see the log",
        }
    ]
