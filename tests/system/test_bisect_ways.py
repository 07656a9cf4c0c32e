# SPDX-License-Identifier: Apache-2.0
"""The ways to ask `teecall bisect`: what is searched, what judges, and where it runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.bench.history import History
from harness.bisect.journal import Bisection, load_bisection
from tests.system.conftest import teecall
from tests.system.histories import history
from tests.system.test_repeat import cluster

_SURE = ("--failure-rate", "100%")


def found(out: Path, *words: str) -> Bisection:
    """Search to an answer, and return what the journal has of it."""
    done = teecall("bisect", *words, *_SURE, "--out", str(out))
    assert done.returncode == 0, done.stdout
    return load_bisection(out)


def emulators(folder: Path) -> list[str]:
    """Make four emulators; the third and the fourth have a single hart, whatever is asked for."""
    real = shutil.which("qemu-system-riscv64")
    made = []
    for number in range(1, 5):
        path = folder / f"qemu-{number}"
        more = "-smp 1" if number > 2 else ""
        path.write_text(f'#!/bin/sh\n# release {number}\nexec {real} "$@" {more}\n')
        path.chmod(0o755)
        made.append(str(path))
    return made


@pytest.mark.slow
def test_an_emulator_is_named_on_a_cluster(tmp_path: Path) -> None:
    made = emulators(tmp_path)
    ends = ["--component", "qemu", "--values", ",".join(made), "--good", made[0], "--bad", made[-1]]
    with cluster(tmp_path, 1) as (address, _):
        result = found(tmp_path / "out", *ends, "--scheduler", address)
    assert result.answers[0].culprits == (made[2],)


def test_what_is_not_for_a_cluster_is_said() -> None:
    ends = ["--component", "timeouts.guest_s", "--values", "1,2", "--good", "1", "--bad", "2"]
    done = teecall("bisect", *ends, "--script", "true", "--scheduler", "tcp://127.0.0.1:1")
    assert done.returncode == 2 and "--scheduler runs scenarios only" in done.stdout


@pytest.mark.slow
def test_a_payload_judges_by_what_it_prints(tmp_path: Path) -> None:
    made = emulators(tmp_path)
    lines = teecall("build", "-q", "--paths").stdout.splitlines()
    image = dict(line.split("=", 1) for line in lines if "=" in line)["kernel_image"]
    ends = ["--component", "qemu", "--values", ",".join(made), "--good", made[0], "--bad", made[-1]]
    judge = ["--payload", image, "--expect", "OpenSBI.*\n(.*\n)*.*HART Count *: 2"]
    judge += ["--reject", "HART Count *: 1"]
    result = found(tmp_path / "out", *ends, *judge)
    assert result.answers[0].culprits == (made[2],)


@pytest.mark.parametrize(
    ("test", "blame"),
    [
        ('case "$S" in *guest_s=[34]*) exit 1;; esac', "the first tree"),
        ('case "$S" in *command_s=[34]*) exit 1;; esac', "the second tree"),
        ('case "$S" in *guest_s=[34]*command_s=[34]*) exit 1;; esac', "both trees together"),
    ],
)
def test_two_trees_one_of_which_broke_it(test: str, blame: str, tmp_path: Path) -> None:
    # The settings come in one order or the other, by which tree is searched.
    script = f'S="$TEECALL_SETTINGS $TEECALL_SETTINGS"; {test}; exit 0'
    first = ["--component", "timeouts.guest_s", "--values", "1,2,3,4", "--good", "1", "--bad", "4"]
    second = ["--also", "timeouts.command_s", "--also-values", "1,2,3,4"]
    ends = ["--also-good", "1", "--also-bad", "4"]
    result = found(tmp_path / "out", *first, *second, *ends, "--script", script)
    assert result.answers[0].blame == blame
    assert {answer.culprits for answer in result.answers[1:]} == {("3",)}


@pytest.mark.slow
def test_git_goes_on_with_what_was_found(tmp_path: Path) -> None:
    made = history(tmp_path, "value", 8, 5)
    ends = ["--repo", str(made.repo), "--good", made.good, "--bad", made.bad]
    found(tmp_path / "out", "--component", "opensbi", *ends, "--check", "tsm")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", made.repo, clone], check=True)
    log = tmp_path / "out" / "git-bisect.log"
    words = ["git", "-C", str(clone), "bisect"]
    done = subprocess.run([*words, "replay", log], check=True, capture_output=True, text=True)
    assert f"{made.culprit} is the first bad commit" in done.stdout


@pytest.mark.slow
def test_what_does_not_boot_tells_nothing_of_what_fails_later(tmp_path: Path) -> None:
    """Without the extension H no TSM starts: that is not the failure of the fourth emulator."""
    made = emulators(tmp_path)
    third = Path(made[2])
    third.write_text(third.read_text().replace("-smp 1", "-cpu rv64,h=false"))
    ends = ["--component", "qemu", "--values", ",".join(made), "--good", made[0], "--bad", made[-1]]
    answer = found(tmp_path / "out", *ends).answers[0]
    assert answer.culprits == (made[2], made[3])
    assert answer.skipped == (made[2],)


def commits(made: History, *words: str) -> list[str]:
    """Return what `git rev-list` lists, oldest first."""
    command = ["git", "-C", str(made.repo), "rev-list", "--reverse", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def on_a_side_branch(folder: Path) -> tuple[History, str]:
    """Make a history whose culprit came with a merge; return the merge too."""
    for number in range(1, 10):
        made = history(folder / str(number), "value", 9, number)
        if made.culprit not in commits(made, "--first-parent", f"{made.good}..{made.bad}"):
            onto = commits(made, "--merges", "--ancestry-path", f"{made.culprit}..{made.bad}")
            return made, onto[0]
    raise AssertionError("no commit came with a merge")


@pytest.mark.slow
def test_a_merge_stands_for_what_it_brought_in(tmp_path: Path) -> None:
    made, merge = on_a_side_branch(tmp_path)
    ends = ["--repo", str(made.repo), "--good", made.good, "--bad", made.bad]
    words = ["--component", "opensbi", *ends, "--check", "tsm"]
    assert found(tmp_path / "all", *words).answers[0].culprits == (made.culprit,)
    first = found(tmp_path / "merges", *words, "--first-parent")
    assert first.answers[0].culprits == (merge,)
