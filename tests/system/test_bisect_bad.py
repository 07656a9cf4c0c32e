# SPDX-License-Identifier: Apache-2.0
"""What `teecall bisect` says to bad input: one clear error, and the user's repository untouched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bisect.journal import load_bisection
from tests.system.conftest import teecall
from tests.system.histories import history, state

# Candidates that are the same machine and need no build: what is tested is the search around them.
_VALUES = (
    "--component",
    "timeouts.guest_s",
    "--values",
    "1,2,3,4,5,6",
    "--good",
    "1",
    "--bad",
    "6",
)
_SURE = ("--failure-rate", "100%")


def git(repo: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(["git", "-C", str(repo), *who, *words], check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository of four commits, with no firmware in them."""
    folder = tmp_path / "some"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(4):
        (folder / "file").write_text(f"{number}\n")
        git(folder, "add", "file")
        git(folder, "commit", "-qm", f"change {number}")
    return folder


def refused(out: Path, *words: str, code: int = 2) -> str:
    """Run a bisection that has to fail, and return what it says."""
    done = teecall("bisect", *words, "--out", str(out))
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stdout
    assert done.stdout.count("error: ") == 1, done.stdout
    return done.stdout


def opensbi(repo: Path, good: str, bad: str) -> list[str]:
    return ["--component", "opensbi", "--repo", str(repo), "--good", good, "--bad", bad]


def test_ends_that_cannot_be_searched_between(repo: Path, tmp_path: Path) -> None:
    before = state(repo)
    out = tmp_path / "out"
    assert "ancestor" in refused(out, *opensbi(repo, "main", "main~3"))
    said = refused(out, *opensbi(repo, "main~2", "no-such"))
    assert "no commit 'no-such'" in said and "git log" in said
    assert "there is no repository" in refused(out, *opensbi(tmp_path / "nowhere", "a", "b"))
    assert not out.exists(), "nothing was begun"
    assert state(repo) == before


def test_unrelated_histories(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "--orphan", "other")
    git(repo, "commit", "-qm", "another beginning")
    said = refused(tmp_path / "out", *opensbi(repo, "main", "other"))
    assert "no common ancestor" in said


def test_shallow_clone(repo: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{repo}", str(clone))
    old = git(repo, "rev-parse", "main~3")
    said = refused(tmp_path / "out", *opensbi(clone, old, "main"))
    assert "shallow clone" in said and "--unshallow" in said


def test_dirty_tree_is_said_and_left_alone(repo: Path, tmp_path: Path) -> None:
    (repo / "file").write_text("work of the user\n")
    (repo / "new").write_text("more of it\n")
    before = state(repo)
    done = teecall("bisect", *opensbi(repo, "main~3", "main"), "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "1 file(s) with uncommitted changes" in done.stdout
    # A commit without firmware cannot be built, neither of them.
    said = refused(tmp_path / "out", *opensbi(repo, "main~3", "main"))
    assert "is an end of the search and cannot be tested" in said
    assert "note: " in said and "1 file(s) with uncommitted changes" in said
    found = load_bisection(tmp_path / "out")
    assert {step.outcome for step in found.steps()} == {"SKIP"}
    assert state(repo) == before


def test_ends_that_show_the_opposite(tmp_path: Path) -> None:
    script = "test $TEECALL_CANDIDATE -gt 3"
    said = refused(tmp_path / "out", *_VALUES, *_SURE, "--script", script)
    assert "exchange the ends" in said


def test_script_that_hangs_is_killed_and_judges_nothing(tmp_path: Path) -> None:
    script = "test $TEECALL_CANDIDATE != 6 || exec sleep 1000"
    said = refused(tmp_path / "out", *_VALUES, *_SURE, "--script", script, "--limit", "1s")
    assert "6 is an end of the search and cannot be tested" in said
    assert "the script was killed after 1 s" in said


def test_script_that_says_nothing_still_judges(tmp_path: Path) -> None:
    script = "test $TEECALL_CANDIDATE -lt 4"
    out = tmp_path / "out"
    done = teecall("bisect", *_VALUES, *_SURE, "--script", script, "--out", str(out))
    assert done.returncode == 0, done.stdout
    assert load_bisection(out).answers[0].culprits == ("4",)
    assert "it printed nothing" in done.stdout


def test_a_journal_that_was_changed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = "test $TEECALL_CANDIDATE -lt 4"
    assert not teecall("bisect", *_VALUES, *_SURE, "--script", script, "--out", str(out)).returncode
    lines = (out / "journal.jsonl").read_bytes().splitlines(keepends=True)
    steps = [line for line in lines if b'"event":"trial"' in line]
    left = [line for line in lines if b'"event":"answer"' not in line and b'"end"' not in line]
    foreign = [line.replace(b'"candidate":"3"', b'"candidate":"9"') for line in left]
    assert foreign != left
    (out / "journal.jsonl").write_bytes(b"".join(foreign))
    said = teecall("bisect", "--resume", str(out))
    assert said.returncode == 2 and "a trial of 9, which is not in the history" in said.stdout
    # A line that cannot be read is a trial that is made again.
    damaged = [line[:40] + b"\n" if line == steps[-1] else line for line in left]
    (out / "journal.jsonl").write_bytes(b"".join(damaged))
    said = teecall("bisect", "--resume", str(out))
    assert said.returncode == 0 and "1 lines of the journal could not be read" in said.stdout
    assert load_bisection(out).answers[0].culprits == ("4",)
    assert len(load_bisection(out).steps()) == len(steps)


def test_a_script_is_found_again_from_another_folder(tmp_path: Path) -> None:
    """What is not there would be the verdict BAD (127) for all that is left."""
    here, there = tmp_path / "he re", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    # At first it does not know what it says of the fourth.
    knows = "test $TEECALL_CANDIDATE != 4 || test -e known || exit 200"
    script = here / "t ry"
    script.write_text(f"#!/bin/sh\n{knows}\ntest $TEECALL_CANDIDATE -lt 4\n")
    script.chmod(0o755)

    def bisect(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", "bisect", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    first = bisect(here, *_VALUES, *_SURE, "--script", "'./t ry'", "--out", "../out")
    assert first.returncode == 2 and "exit code 200" in first.stderr
    (here / "known").touch()
    second = bisect(there, "--resume", "../out", "--json", "result")
    assert second.returncode == 0, second.stdout
    assert load_bisection(tmp_path / "out").answers[0].culprits == ("4",)
    assert json.loads((there / "result").read_text())
    here.rename(tmp_path / "elsewhere")
    third = bisect(there, "--resume", "../out")
    assert f"it was begun in {here}, which cannot be entered" in third.stderr


def test_script_that_ends_the_search(tmp_path: Path) -> None:
    said = refused(tmp_path / "out", *_VALUES, "--script", "echo no license; exit 130")
    assert "the script ends the search: exit code 130: no license" in said
    said = refused(tmp_path / "other", *_VALUES, "--script", "/no/such/command")
    # The shell's 127 is the verdict BAD for git too, so the good end fails.
    assert "should pass" in said


@pytest.mark.slow
def test_repository_may_go_in_the_middle(tmp_path: Path) -> None:
    made = history(tmp_path, "value", 8, 5)
    gone = tmp_path / "gone"
    # From the first trial on it is elsewhere, where only the script looks at it.
    move = f"if test -d {made.repo}; then mv {made.repo} {gone}; fi"
    has = f"git -C {gone} merge-base --is-ancestor {made.culprit} $TEECALL_CANDIDATE"
    ends = opensbi(made.repo, made.good, made.bad)
    out = tmp_path / "out"
    done = teecall("bisect", *ends, *_SURE, "--script", f"{move}; ! {has}", "--out", str(out))
    assert done.returncode == 0, done.stdout
    assert gone.is_dir() and not made.repo.exists()
    found = load_bisection(out)
    assert found.answers[0].culprits == (made.culprit,)
    assert {step.candidate for step in found.steps()} - {made.good, made.bad}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system of its own")
def test_full_disk_ends_it_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tiny", str(place)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("this system lets nobody mount")
    try:
        out = place / "out"
        fill = f"test $TEECALL_CANDIDATE != 1 || cat /dev/zero >{place}/all 2>/dev/null"
        script = f"{fill}; test $TEECALL_CANDIDATE -lt 4"
        said = refused(out, *_VALUES, *_SURE, "--script", script, code=99)
        assert "no space left" in said and "--resume" in said, said
        (place / "all").unlink()
        subprocess.run(["mount", "-o", "remount,size=8m", str(place)], check=True)
        before = load_bisection(out).steps()
        done = teecall("bisect", "--resume", str(out))
        assert done.returncode == 0, done.stdout
        found = load_bisection(out)
        assert found.steps()[: len(before)] == before
        assert found.answers[0].culprits == ("4",)
        assert shutil.disk_usage(place).free
    finally:
        subprocess.run(["umount", str(place)], check=True)
