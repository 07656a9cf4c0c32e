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


def test_bench_harness(tmp_path: Path) -> None:
    found = tmp_path / "bench.json"
    done = teecall("bench", "harness", "--rounds", "1", "-j", "2", "--json", str(found))
    assert done.returncode == 0, done.stdout
    assert "of the gain of bare boots" in done.stdout
    times = json.loads(found.read_text())
    assert times["jobs"] == 2
    figures = {figure["name"]: figure for figure in times["figures"]}
    assert len(figures) == 8
    for figure in figures.values():
        sign = 1 if figure["at_least"] else -1
        assert figure["value"] > 0
        assert figure["within"] == (sign * (figure["value"] - figure["limit"]) >= 0)
    assert {"PASS", "over"} & set(done.stdout.split())
    gains = times["smoke"]["gain"], times["bare"]["gain"]
    assert abs(times["reached"] - gains[0] / gains[1]) < 0.001
