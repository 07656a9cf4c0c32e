# SPDX-License-Identifier: Apache-2.0
"""`teecall replay`: the same to the instruction, and where it parts when the firmware changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.system.conftest import teecall
from tests.system.test_failures import edited


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deterministic run."""
    run_dir = tmp_path_factory.mktemp("replay") / "original"
    done = teecall("run", "smoke", "--deterministic", "--run-dir", str(run_dir))
    assert done.returncode == 0, done.stdout
    return run_dir


def test_replay_is_identical(original: Path, tmp_path: Path) -> None:
    done = teecall("replay", str(original), "--run-dir", str(tmp_path / "again"))
    assert done.returncode == 0, done.stdout
    assert re.search(r"identical: [1-9]\d+ events, [1-9]\d+ instructions", done.stdout)
    for name in ("events.json", "uart.log", "tsm.log"):
        assert (original / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    report = json.loads((original / "run.json").read_text())
    assert report["deterministic"] is True and report["scenario"] == "smoke"


def test_replay_of_an_audit_is_identical(tmp_path: Path) -> None:
    """No Linux, no TSM of ours, a TSM that dies, four harts; and a changed one is told apart."""
    first, again = tmp_path / "first", tmp_path / "again"
    machine = ("-c", "quad", "-c", "aia", "--set", "machine.cpu=rv64,v=true")
    done = teecall("run", "audit", "--deterministic", *machine, "--run-dir", str(first))
    assert done.returncode == 0, done.stdout
    assert "teecall: deaths expected here: tsm" in (first / "uart.log").read_text()
    done = teecall("replay", str(first), "--run-dir", str(again))
    assert done.returncode == 0, done.stdout
    assert re.search(r"identical: [1-9]\d+ events, [1-9]\d+ instructions", done.stdout)
    for name in ("events.json", "uart.log", "tsm.log", "audit.json"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    done = teecall("replay", str(first), "--set", "machine.cpu=rv64,v=false")
    assert done.returncode == 1 and "audit.json line" in done.stdout, done.stdout


def test_replay_says_where_changed_firmware_parts(original: Path, tmp_path: Path) -> None:
    # One load more on the way into a TVM; everything else is as before.
    tree = edited(
        "firmware/tsm",
        "run/run.c",
        "arch_guest_load(",
        "(void)*(volatile char *)0x8f000000UL, arch_guest_load(",
        tmp_path,
    )
    run_dir = tmp_path / "again"
    changed = ("--set", f"tsm.source=path:{tree}")
    done = teecall("replay", str(original), *changed, "--run-dir", str(run_dir))
    assert done.returncode == 1, done.stdout
    assert "DIVERGED" in done.stdout and "PASS in" in done.stdout
    assert "other version: tsm" in done.stdout
    parted = re.search(r"event (\d+): was (\w+) on hart .*; is (\w+) on hart", done.stdout)
    assert parted, done.stdout


def test_damaged_console_is_found(original: Path, tmp_path: Path) -> None:
    """A single byte that differs is named with its line."""
    from harness.report.repeat import differences

    again = tmp_path / "again"
    again.mkdir()
    for name in ("events.json", "uart.log", "tsm.log"):
        (again / name).write_bytes((original / name).read_bytes())
    assert differences(original, again) == []
    text = bytearray((again / "uart.log").read_bytes())
    text[len(text) // 2] ^= 1
    (again / "uart.log").write_bytes(text)
    (found,) = differences(original, again)
    line = bytes(text[: len(text) // 2]).count(b"\n") + 1
    assert found.startswith(f"uart.log line {line}: was ")


def test_live_run_is_repeated_but_not_exactly(tmp_path: Path) -> None:
    live = tmp_path / "live"
    assert teecall("smoke", "--run-dir", str(live)).returncode == 0
    done = teecall("replay", str(live), "--run-dir", str(tmp_path / "again"))
    assert done.returncode == 0, done.stdout
    assert "not exact" in done.stdout
    seeds = [
        json.loads((folder / "run.json").read_text())["seed"]
        for folder in (live, tmp_path / "again")
    ]
    assert seeds[0] == seeds[1]


def test_only_what_can_be_deterministic(tmp_path: Path) -> None:
    done = teecall("run", "containment", "--deterministic")
    assert done.returncode == 2 and "these can: audit, smoke" in done.stdout
    done = teecall("replay", str(tmp_path))
    assert done.returncode == 2 and "run.json" in done.stdout
