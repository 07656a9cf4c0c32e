# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run and print their numbers; no number is judged here."""

from __future__ import annotations

import json
from pathlib import Path

from tests.system.conftest import teecall


def test_bench_smoke(tmp_path: Path) -> None:
    found = tmp_path / "bench.json"
    done = teecall("bench", "smoke", "--runs", "1", "--json", str(found))
    assert done.returncode == 0, done.stdout
    assert "ratio of the medians" in done.stdout
    times = json.loads(found.read_text())
    assert len(times["bare_s"]) == len(times["smoke_s"]) == 1
    assert times["ratio"] > 0
