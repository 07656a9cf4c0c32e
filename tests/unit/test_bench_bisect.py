# SPDX-License-Identifier: Apache-2.0
"""The scripts that a bisection is measured against: what they say of a boot."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from harness.bench.bisect import (
    BROKEN,
    UNTESTABLE,
    WELL,
    BisectBench,
    Searched,
    boot_to_timeout,
    boot_to_verdict,
    script_text,
)

BOOTS = {"timeout": boot_to_timeout, "verdict": boot_to_verdict}
_FOREVER_S = 600


def judged(folder: Path, way: str, machine: str, make: str = "true", limit_s: int = 60) -> int:
    """Return the exit code of the script for a machine that is a shell command."""
    log = folder / "uart.log"
    words = ["sh", "-c", machine.replace("LOG", str(log))]
    script = folder / "plain.sh"
    script.write_text(script_text([make], words, log, BOOTS[way](limit_s)))
    return subprocess.run(["sh", str(script)], check=False, timeout=_FOREVER_S).returncode


@pytest.mark.parametrize("way", BOOTS)
def test_a_boot_is_judged_by_what_it_says(tmp_path: Path, way: str) -> None:
    assert judged(tmp_path, way, f"echo {WELL} >LOG") == 0
    assert judged(tmp_path, way, f"echo '{BROKEN}: x' >LOG; echo {WELL} >>LOG") == 1
    assert judged(tmp_path, way, "true >LOG") == UNTESTABLE
    assert judged(tmp_path, way, f"echo {WELL} >LOG", make="false") == UNTESTABLE


@pytest.mark.parametrize("way", BOOTS)
def test_a_slow_boot_is_not_taken_for_the_failure(tmp_path: Path, way: str) -> None:
    """By its timeout alone a boot on a busy machine was bad, and git named another commit."""
    slow = f"sleep {_FOREVER_S}; echo {WELL} >LOG"
    assert judged(tmp_path, way, slow, limit_s=1) == UNTESTABLE


def test_a_hang_is_left_as_soon_as_it_has_said_enough(tmp_path: Path) -> None:
    began = time.monotonic()
    assert judged(tmp_path, "verdict", f"echo {BROKEN} >LOG; sleep {_FOREVER_S}") == 1
    assert time.monotonic() - began < 60


def test_a_wrong_answer_is_told() -> None:
    right = Searched("a", 30.0, 8, 8, "c1")
    wrong = Searched("b", 10.0, 6, 13, "c2")
    found = BisectBench(200, "c1", 10, right, right, wrong, right)
    assert found.ratio == 3
    assert found.most_steps == 10
    assert ["WRONG: c2" in line for line in found.lines()] == [False] * 3 + [True] + [False] * 2
    assert found.as_json()["ratio"] == 3
