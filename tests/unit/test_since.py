# SPDX-License-Identifier: Apache-2.0
"""What has changed since a run passed, and the records that are kept of runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.config.schema import Config
from harness.report.commits import between, commit_of, commits
from harness.report.history import open_history
from harness.report.keep import add_to_history, ending, keep_run, repeat_command
from harness.report.record import load_night
from harness.report.since import since_last_pass
from harness.resources import root
from harness.verdict import Verdict
from tests.unit.nights import crash, run_record

EARLIER = "2026-11-21T23:00:00.000+00:00"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with three commits."""
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "-q")
    for number in range(3):
        git(folder, "commit", "-q", "--allow-empty", "-m", f"change {number}")
    return folder


def test_commit_is_read_without_git(tree: Path, tmp_path: Path) -> None:
    head = git(tree, "rev-parse", "HEAD")
    (tree / "sub").mkdir()
    assert commit_of(tree) == commit_of(tree / "sub") == head
    git(tree, "pack-refs", "--all")
    assert commit_of(tree) == head
    beside = tmp_path / "beside"
    git(tree, "worktree", "add", "-q", str(beside), "-b", "other", "HEAD~1")
    assert commit_of(beside) == git(tree, "rev-parse", "HEAD~1")
    git(tree, "checkout", "-q", "--detach", "HEAD~2")
    assert commit_of(tree) == git(tree, "rev-parse", "HEAD")
    assert commit_of(Path("/proc")) is None
    assert commits(Config()).keys() == ({"teecall"} if commit_of(root()) else set())


def test_last_pass_of_the_same_cell(tree: Path, tmp_path: Path) -> None:
    old, new = git(tree, "rev-parse", "HEAD~2"), git(tree, "rev-parse", "HEAD")
    passed = run_record(
        "a",
        id="cell",
        started=EARLIER,
        versions={"tsm": "path:/x (tree 0123456789ab)", "qemu": "10.0.2", "tsm commit": old},
        settings={"machine": {"harts": 2}},
        artefacts={"tsm": "1" * 64, "covh": "2" * 64},
    )
    failed = crash(
        "a",
        id="cell",
        versions={"tsm": "path:/y (tree 0123456789ab)", "qemu": "10.1.0", "tsm commit": new},
        settings={"machine": {"harts": 4}},
        artefacts={"tsm": "1" * 64, "covh": "3" * 64},
    )
    with open_history(tmp_path / "h.sqlite") as history:
        assert "has not passed here before" in since_last_pass(failed, history, {})[0]
        history.add("n", [passed])
        heading, *lines = since_last_pass(failed, history, {"tsm": tree})
        other = crash("b")
        assert "this configuration has not passed" in since_last_pass(other, history, {})[0]
    assert heading.startswith("since the last pass (2026-11-2")
    assert [line.strip() for line in lines] == [
        "qemu: 10.0.2 -> 10.1.0",
        f"tsm: commit {old[:12]} -> {new[:12]}",
        *between(tree, old, new, 5),
        "machine.harts: 2 -> 4",
        "covh: built from other inputs (222222222222 -> 333333333333)",
    ]
    assert between(tree, old, new, 1)[1] == "... and 1 more"


def test_nothing_has_changed(tmp_path: Path) -> None:
    with open_history(tmp_path / "h.sqlite") as history:
        history.add("n", [run_record("a", id="cell", started=EARLIER)])
        (line,) = since_last_pass(crash("a", id="cell"), history, {})
    assert line.endswith("nothing has changed in versions, configuration and artefacts")


def test_run_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEECALL_HISTORY", str(tmp_path / "h.sqlite"))
    folder = tmp_path / "run"
    folder.mkdir()
    record = run_record("a")
    assert keep_run(record, folder) is None
    night = load_night(folder)
    assert night.runs == (record,) and night.end is not None and night.damaged == 0
    with open_history() as history:
        assert [past.verdict for past in history.runs()] == [Verdict.PASS]


def test_history_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "h.sqlite").write_text("no history\n" * 100)
    monkeypatch.setenv("TEECALL_HISTORY", str(tmp_path / "h.sqlite"))
    problem = add_to_history("n", [run_record("a")], "teecall")
    assert problem is not None and "not a history" in problem


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("smoke",), "teecall smoke --seed 00ff"),
        (
            (
                "run",
                "smp",
                "--repeat",
                "9",
                "-j",
                "2",
                "--set",
                "a=b c",
                "--json=x",
                "--until-fail",
            ),
            "teecall run smp --set 'a=b c' --seed 00ff",
        ),
        (("smoke", "--seed", "11", "--run-dir", "x"), "teecall smoke --seed 00ff"),
    ],
)
def test_repeat(arguments: tuple[str, ...], command: str) -> None:
    assert repeat_command(arguments, "00ff") == command


def test_seed_that_is_none() -> None:
    command = [sys.executable, "-m", "harness", "smoke", "--seed", "xyz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--seed xyz" in done.stderr and "run.json" in done.stderr


def test_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEECALL_HISTORY", str(tmp_path / "h.sqlite"))
    run = crash("a", command="teecall smoke", evidence="/n/a b", artefacts={"tsm": "1"})
    lines = ending(run, {}, "00")
    assert lines[1:] == ["repeat: teecall smoke --seed 00", "debug: teecall gdb '/n/a b'"]
    assert add_to_history("n", [run], "teecall") is None
    assert any(line.startswith("first seen: 2026-11-2") for line in ending(run, {}, "00"))
    # What did not build cannot be debugged.
    unbuilt = run_record("a", Verdict.FAIL, command="teecall smoke", evidence="/n/a")
    assert ending(unbuilt, {}, "")[1:] == ["repeat: teecall smoke"]
