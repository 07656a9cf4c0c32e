# SPDX-License-Identifier: Apache-2.0
"""`teecall bench switch` gives its numbers, and the same ones again; none is judged here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import teecall

pytestmark = pytest.mark.system


def measured(target: Path) -> tuple[str, dict[str, Any]]:
    done = teecall("bench", "switch", "-q", "--json", str(target))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(target.read_text())
    return done.stdout, found


def test_bench_switch(tmp_path: Path) -> None:
    text, found = measured(tmp_path / "first.json")
    assert "null TEECALL" in text
    assert len(found["switch"]) == 3
    for cost in found["switch"]:
        split = cost["split"]
        assert sum(split.values()) == cost["null"] > 0
        assert cost["plain"] > 0
        assert len(cost["null_by_ranges"]) == len(cost["convert_by_ranges"]) + 1
        assert len(cost["reclaim_by_ranges"]) == len(cost["convert_by_ranges"]) > 1
    context = found["sbi_domain_context"]
    assert context["round_trip"] > context["plain"] > 0

    again = measured(tmp_path / "second.json")
    assert again == (text, found)
