# SPDX-License-Identifier: Apache-2.0
"""A run that has ended becomes a record."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.cells.cell import Cell, CellResult
from harness.config.schema import Config, Tsm
from harness.report.make import cell_id, cell_record, place_of, run_record
from harness.report.record import RunRecord, decode, encode
from harness.resources import root
from harness.scenarios.report import Failure, Report
from harness.verdict import Check, Verdict

FAILURE = Failure(
    "launch",
    "TSM domain dead",
    where=("hart 0 pc 0x1 in a guest", "#0 TSM fault 0x2  TSM: map_page+0x10 (tvm/gstage.c:42)"),
    evidence=Path("/n/run-1/forensics.txt"),
)


def report(verdict: Verdict = Verdict.CRASH) -> Report:
    return Report(
        (Check("boot", Verdict.PASS, "up", 0.5), Check("launch", verdict, "died at 0x8f00", 0.1)),
        1.5,
        Path("/n/run-1"),
        versions={"opensbi": "1.6"},
        artefacts={"tsm": "00ff"},
        failures=(FAILURE,),
        exit_code=1,
        started=1_700_000_000.0,
    )


def test_record_of_a_report() -> None:
    config = Config()
    record = run_record(report(), scenario="smoke", config=config, command="teecall smoke")
    assert (record.verdict, record.exit_code, record.label) == (Verdict.CRASH, 1, "smoke")
    assert record.started == "2023-11-14T22:13:20.000+00:00"
    assert record.dt == "2023-11-14T22:13:21.500+00:00"
    assert record.signature == f"CRASH {record.title}"
    assert record.artefacts == {"tsm": "00ff"}
    failure = record.failures[0]
    assert (failure.file, failure.line) == ("tvm/gstage.c", 42)
    assert failure.open == "forensics.txt"
    assert record.evidence == "/n/run-1"
    assert list(decode([encode(record)])) == [record]


def test_evidence_is_relative_to_the_night() -> None:
    record = run_record(report(), scenario="smoke", config=Config(), folder=Path("/n"))
    assert record.evidence == "run-1"


def test_record_of_a_cell() -> None:
    cell = Cell("smoke", Config(), "7", Path("/n/run-7"), arguments=("run", "a b"))
    result = CellResult(cell, Verdict.PASS, 0, 1.0, node="lab1", spoilt=("stopped",))
    record: RunRecord = cell_record(result, axes={"opensbi": "1.6"}, label="x")
    assert (record.label, record.node, record.spoilt) == ("x", "lab1", ("stopped",))
    assert record.command == "teecall run 'a b'"
    assert record.signature is None and record.axes == {"opensbi": "1.6"}


def with_tsm(source: str) -> Config:
    return msgspec.structs.replace(Config(), tsm=Tsm(source=source))


def test_cell_id() -> None:
    own = cell_id("smoke", Config())
    assert own == cell_id("smoke", Config()) != cell_id("audit", Config())
    build = msgspec.structs.replace(Config().build, jobs=7)
    assert own == cell_id("smoke", msgspec.structs.replace(Config(), build=build))
    # Another folder above the tree is the same tree; another tree is not.
    one = cell_id("smoke", with_tsm("path:/tmp/one/x/tsm"))
    assert one == cell_id("smoke", with_tsm("path:/tmp/two/x/tsm"))
    assert one != cell_id("smoke", with_tsm("path:/tmp/one/y/tsm"))
    assert cell_id("smoke", with_tsm(f"path:{root()}/firmware/tsm")) != one
    machine = msgspec.structs.replace(Config().machine, harts=4)
    assert own != cell_id("smoke", msgspec.structs.replace(Config(), machine=machine))


def test_place_of_a_failure() -> None:
    assert place_of(FAILURE) == ("tvm/gstage.c", 42)
    assert place_of(Failure("build", "tsm: make failed")) == (None, None)
    said = Failure("build", "make failed", details=("tsmd_call.c:12:3: error: expected",))
    assert place_of(said) == ("tsmd_call.c", 12)
