# SPDX-License-Identifier: Apache-2.0
"""The ways to ask `teecall bisect`: what is searched, what judges, and where it runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

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
