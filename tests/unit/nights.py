# SPDX-License-Identifier: Apache-2.0
"""Nights made up for tests of what is made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.report.record import (
    BeginRecord,
    CheckRecord,
    EndRecord,
    FailureRecord,
    Night,
    NotRunRecord,
    QuarantineRecord,
    Record,
    RunRecord,
    night_of,
)
from harness.verdict import Verdict

DT = "2026-11-22T23:00:00.000+00:00"


def run_record(label: str, verdict: Verdict | None = Verdict.PASS, **more: Any) -> RunRecord:
    """One run with a check called `launch` that ended with `verdict`."""
    check = CheckRecord(
        name="launch", verdict=verdict or Verdict.INFRA, detail=f"{label} says", duration_s=0.5
    )
    values: dict[str, Any] = {
        "dt": DT,
        "id": f"id-{label}",
        "label": label,
        "scenario": "smoke",
        "verdict": verdict,
        "exit_code": 2 if verdict is None else verdict.exit_code,
        "started": DT,
        "duration_s": 1.5,
        "checks": (check,),
        "versions": {"opensbi": "1.6"},
        "node": "lab1",
    }
    return RunRecord(**(values | more))


def crash(label: str, **more: Any) -> RunRecord:
    """A run whose TSM crashed at a known place."""
    failure = FailureRecord(
        check="launch",
        message="TSM fault at 0x8f001234",
        where=("hart 0 pc TSM: map_page+0x10 (gstage.c:42)",),
        file="firmware/tsm/tvm/gstage.c",
        line=42,
        open="forensics.txt",
    )
    told = {
        "failures": (failure,),
        "signature": "CRASH TSM fault in map_page",
        "title": "TSM fault in map_page",
    }
    return run_record(label, Verdict.CRASH, **(told | more))


def night(*runs: RunRecord, not_run: tuple[str, ...] = (), ended: bool = True) -> Night:
    """A night with these runs, in the folder `night`."""
    records: list[Record | None] = [BeginRecord(dt=DT, version=1, night="n1", planned=len(runs))]
    records += runs
    records += [
        NotRunRecord(dt=DT, id=f"id-{label}", label=label, scenario="smoke", why="no time left")
        for label in not_run
    ]
    records += [EndRecord(dt=DT, exit_code=0, duration_s=9.0)] if ended else []
    return night_of(Path("night"), records)


QUARANTINE = QuarantineRecord(
    reason="loses a byte", url="https://example.org/1", expires="2026-12-31"
)
