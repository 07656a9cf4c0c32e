# SPDX-License-Identifier: Apache-2.0
"""`teecall bench bisect` on a short history: all ways name the right commit, and what each tests.

No time is judged here, as the machine may be busy. A seed that is used again finds its builds in
the store.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.system.conftest import teecall

pytestmark = pytest.mark.system

COMMITS = 200 if os.environ.get("TEECALL_NIGHTLY") else 4


def test_bench_bisect(tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    size = ["--commits", str(COMMITS), "--seed", "5"]
    done = teecall("bench", "bisect", "-q", *size, "--json", str(target), limit_s=3600)
    assert done.returncode == 0, done.stdout
    assert "WRONG" not in done.stdout
    found = json.loads(target.read_text())
    ways = {name: found[name] for name in ("plain", "eager", "first", "repeated")}
    assert {way["found"] for way in ways.values()} == {found["culprit"]}
    assert ways["first"]["steps"] <= found["most_steps"]
    assert ways["first"]["boots"] >= ways["first"]["steps"]
    # What is known needs no machine.
    assert ways["repeated"]["boots"] == 0
    assert found["repeat_ratio"] > found["ratio"] > 0
