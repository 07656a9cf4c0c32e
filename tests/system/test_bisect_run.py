# SPDX-License-Identifier: Apache-2.0
"""A bisection as users run it: real machines, an interruption, and going on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from harness.bisect.journal import load_bisection
from harness.bisect.oracle import Outcome

# It boots the candidate for real, and then says that more than two harts are a fault.
_SCRIPT = (
    'teecall smoke -q $TEECALL_SETTINGS --run-dir "$TEECALL_RUN_DIR/smoke" || exit 128;'
    ' case "$TEECALL_SETTINGS" in *harts=[12]*) exit 0;; *) exit 1;; esac'
)


def _teecall(*words: str) -> subprocess.Popen[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "bisect", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path},
    )


def test_interrupted_bisection_of_real_boots_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "bisect"
    ends = ("--values", "1,2,3,4", "--good", "1", "--bad", "4", "--failure-rate", "100%")
    first = _teecall(
        "--component", "machine.harts", *ends, "--script", _SCRIPT, "--out", str(folder)
    )
    assert first.stdout is not None
    for line in first.stdout:
        if line.startswith("GOOD"):
            first.send_signal(signal.SIGINT)
            break
    rest = first.stdout.read()
    assert first.wait() == 130, rest
    before = load_bisection(folder).steps()
    assert before
    assert not load_bisection(folder).answers
    second = _teecall("--resume", str(folder))
    said, _ = second.communicate()
    assert second.returncode == 0, said
    found = load_bisection(folder)
    assert found.answers[0].culprits == ("3",)
    # What had ended was not done again.
    assert found.steps()[: len(before)] == before
    shown = [(step.candidate, step.outcome) for step in found.steps()]
    assert all((out is Outcome.BAD) == (int(value) > 2) for value, out in shown)


def test_bad_end_that_passes_is_said_in_one_line(tmp_path: Path) -> None:
    ends = ("--values", "1,2", "--good", "1", "--bad", "2", "--failure-rate", "100%")
    found = _teecall("--component", "machine.harts", *ends, "--out", str(tmp_path / "bisect"))
    said, _ = found.communicate()
    assert found.returncode == 2, said
    assert "the failure did not show in 1 trials of 2, which should fail" in said
