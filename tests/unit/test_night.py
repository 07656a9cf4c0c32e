# SPDX-License-Identifier: Apache-2.0
"""A night's order, its budget and its end, with runs that boot nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cells.backend import Backend
from harness.cells.cell import Cell, CellResult, Need, _judged_late, spoilt
from harness.cells.limit import limited
from harness.cli.nightly import command as nightly_command
from harness.config.formats import Limits
from harness.config.matrix import CellSpec
from harness.config.schema import Config, Host
from harness.config.suite import Quarantine
from harness.errors import ConfigError, DeadlineExceeded, InfraError, UsageError
from harness.night.builds import Group
from harness.night.journal import Journal
from harness.night.loop import Loop, Told, exit_code
from harness.night.plan import Planned, planned
from harness.night.stops import Stops
from harness.report.history import open_history
from harness.report.make import cell_id
from harness.report.record import BeginRecord, Night, Record, RunRecord, load_night
from harness.verdict import Check, Verdict
from tests.unit import nights


class Room:
    """Room for as many runs."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def fits(self, need: Need, running: Sequence[Need]) -> bool:
        return len(running) < self.jobs


def spec(name: str, quarantine: Quarantine | None = None, repeats: int = 1) -> CellSpec:
    return CellSpec(
        f"id-{name}", name, "smoke", (), only(name), (), repeats, Limits(), quarantine, "m.yaml"
    )


def only(name: str) -> Config:
    """A configuration that nobody else has."""
    return Config(host=Host(cmdline=name))


def past(name: str, verdict: Verdict | None = Verdict.PASS, **more: Any) -> RunRecord:
    """An earlier run of `spec(name)`."""
    return nights.run_record(name, verdict, id=cell_id("smoke", only(name)), **more)


def result(cell: Cell, verdict: Verdict) -> CellResult:
    check = Check("launch", verdict, f"{cell.label} says", 0.1)
    return CellResult(cell, verdict, verdict.exit_code, 0.1, checks=(check,), node="lab1")


Run = Callable[[Cell], CellResult]


class Kit:
    """What a loop works with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "night"
        self.history = folder / "history.sqlite"
        self.stops = Stops()
        self.ended = threading.Event()
        self.records: list[Record] = []

    def night(self, cells: list[CellSpec], run: Run, jobs: int = 1, **told: object) -> Night:
        """Run cells and return what was written about it."""
        with open_history(self.history) as history:
            runs = planned(cells, history)
        group = Group(Config(), {"tsm": "k1"}, runs, is_ready=True)
        with ThreadPoolExecutor(8) as pool, Journal(self.folder) as journal:
            journal.write(BeginRecord(dt=nights.DT, version=1, night="n", planned=len(runs)))
            backend = Backend(pool, Room(jobs), run, self.ended.set, self.ended.set)
            values = {"folder": self.folder, **told}
            loop = Loop(Told(**values), journal, self.stops, self.records.append)  # type: ignore[arg-type]
            loop.run(runs, [group], backend, pool)
        found = load_night(self.folder)
        assert len(found.runs) + len(found.not_run) == len(runs)
        return found


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    return Kit(tmp_path)


def test_a_spoilt_run_is_made_again_and_a_failure_never(kit: Kit) -> None:
    attempts: list[tuple[str, int]] = []

    def run(cell: Cell) -> CellResult:
        attempts.append((cell.label, cell.attempt))
        if cell.label == "bad":
            return result(cell, Verdict.FAIL)
        if cell.label == "once" and cell.attempt == 2:
            return result(cell, Verdict.PASS)
        return spoilt(cell, InfraError("no disk"), 0.1)

    night = kit.night([spec("bad"), spec("once"), spec("never")], run)
    assert sorted(attempts) == sorted(
        [("bad", 1), ("never", 1), ("never", 2), ("never", 3), ("once", 1), ("once", 2)]
    )
    verdicts = {run.label: (run.verdict, len(run.spoilt)) for run in night.runs}
    assert verdicts == {
        "bad": (Verdict.FAIL, 0),
        "once": (Verdict.PASS, 1),
        "never": (Verdict.INFRA, 2),
    }


def test_an_executor_that_fails_is_survived(kit: Kit) -> None:
    def run(cell: Cell) -> CellResult:
        if cell.label == "dies":
            raise RuntimeError("the worker is gone")
        return result(cell, Verdict.PASS)

    night = kit.night([spec("dies"), spec("lives")], run, jobs=2)
    assert night.counts == {"INFRA": 1, "PASS": 1}
    (lost,) = [run for run in night.runs if run.label == "dies"]
    assert "the worker is gone" in lost.failures[0].message


def test_nothing_is_begun_that_cannot_end_in_time(kit: Kit) -> None:
    with open_history(kit.history) as history:
        long = past("long", duration_s=100.0, started=hours_ago(1))
        short = past("short", duration_s=0.2, started=hours_ago(1))
        history.add("n0", [long, short])
    night = kit.night(
        [spec("long"), spec("short")],
        lambda cell: result(cell, Verdict.PASS),
        end=time.monotonic() + 10,
    )
    assert [run.label for run in night.runs] == ["short"]
    (left,) = night.not_run
    assert left.label == "long"
    assert "it takes about 100 s, " in left.why


def test_what_runs_at_the_end_of_the_time_is_ended(kit: Kit) -> None:
    with open_history(kit.history) as history:
        history.add("n0", [past("late", duration_s=0.1, started=hours_ago(1))])

    def run(cell: Cell) -> CellResult:
        assert kit.ended.wait(20)
        return spoilt(cell, InfraError("interrupted"), 0.3)

    night = kit.night([spec("late")], run, end=time.monotonic() + 0.5)
    (left,) = night.not_run
    assert "the time budget is over: it was ended after" in left.why


def test_the_first_failure_that_counts_may_end_it(kit: Kit) -> None:
    known = Quarantine("known", "https://example.org/1", date(2999, 1, 1))
    verdicts = {"known": Verdict.FAIL, "good": Verdict.PASS, "bad": Verdict.CRASH}
    with open_history(kit.history) as history:
        # So that their order is that of the list.
        seconds = {"known": 1.0, "good": 2.0, "bad": 3.0, "late": 4.0}
        history.add(
            "n0",
            [past(n, duration_s=s, started=hours_ago(1)) for n, s in seconds.items()],
        )
    cells = [spec("known", known), spec("good"), spec("bad"), spec("late")]
    night = kit.night(
        cells, lambda cell: result(cell, verdicts.get(cell.label, Verdict.PASS)), until_fail=True
    )
    assert [run.label for run in night.runs] == ["known", "good", "bad"]
    assert [(record.label, record.why) for record in night.not_run] == [("late", "a run failed")]


def test_a_second_request_does_not_wait(kit: Kit) -> None:
    release = threading.Event()

    def run(cell: Cell) -> CellResult:
        kit.stops.ask(2)
        kit.stops.ask(2)
        assert release.wait(20)
        return result(cell, Verdict.PASS)

    # What kills the run lets it go here.
    kit.ended = release
    night = kit.night([spec("stuck"), spec("next")], run)
    assert {record.label for record in night.not_run} >= {"next"}
    assert all("interrupted" in record.why for record in night.not_run)


def hours_ago(hours: int) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def test_order_and_labels(kit: Kit) -> None:
    with open_history(kit.history) as history:
        # `quick` and `slow` fail as often as each other, `good` never.
        runs = [
            past(name, verdict, duration_s=seconds, started=hours_ago(day))
            for day in (1, 2, 3)
            for name, verdict, seconds in (
                ("good", Verdict.PASS, 2.0),
                ("quick", Verdict.FAIL, 2.0),
                ("slow", Verdict.FAIL, 50.0),
            )
        ]
        history.add("n0", runs)
        found = planned([spec("slow"), spec("good", repeats=2), spec("quick")], history)
        assert [run.label for run in found] == ["quick", "good #1", "slow", "good #2"]
        assert [run.folder for run in found][1] == "good_1"
        assert found[0].expected.seconds == 2.0
        assert len(planned([spec("good")], history, repeat=5)) == 5


CODES: list[tuple[list[Verdict | None], int]] = [
    ([Verdict.PASS, Verdict.SKIP], 0),
    ([Verdict.SKIP], 77),
    ([Verdict.PASS, Verdict.INFRA], 99),
    ([Verdict.INFRA, Verdict.FAIL], 1),
    ([Verdict.TIMEOUT], 124),
    ([Verdict.TIMEOUT, Verdict.CRASH], 1),
    ([Verdict.PASS, None, Verdict.INFRA], 2),
    ([], 99),
]


@pytest.mark.parametrize(("verdicts", "code"), CODES)
def test_exit_codes(verdicts: list[Verdict | None], code: int) -> None:
    runs = [past(str(n), verdict) for n, verdict in enumerate(verdicts)]
    assert exit_code(runs) == code
    if verdicts:
        quarantined = [past("q", Verdict.FAIL, quarantine=nights.QUARANTINE)]
        assert exit_code([*runs, *quarantined]) == code


def test_a_journal_is_begun_once_and_a_cut_line_is_counted(tmp_path: Path) -> None:
    with Journal(tmp_path / "n") as journal:
        journal.write(BeginRecord(dt=nights.DT, version=1, night="n"))
        journal.write(past("a"))
        journal.write(past("b"))
    with pytest.raises(UsageError, match="another night"):
        Journal(tmp_path / "n")
    journal.path.write_bytes(journal.path.read_bytes()[:-20])
    found = load_night(tmp_path / "n")
    assert ([run.label for run in found.runs], found.damaged) == (["a"], 1)


def test_a_limit_ends_what_waits() -> None:
    with pytest.raises(DeadlineExceeded, match=r"longer than 0\.05 s"), limited(0.05):
        threading.Event().wait(20)
    with limited(0.05):
        pass
    # The alarm of a block that has ended does not come.
    threading.Event().wait(0.1)


BAD: dict[str, tuple[str, str]] = {
    "all-excluded": ("axes: {a: [{label: x}]}\nexclude: [{a: x}]", "no cell"),
    "no-axis": ("axes: {}", "no cell"),
    "expired": (
        "axes: {a: [{label: x}]}\nquarantine:\n  - {where: {a: x}, reason: r, "
        "url: https://example.org/1, expires: 2020-01-01}",
        "this quarantine ended on 2020-01-01",
    ),
    "no-reason": (
        "axes: {a: [{label: x}]}\nquarantine:\n  - {where: {a: x}, reason: '', "
        "url: https://example.org/1, expires: 2999-01-01}",
        "reason",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_matrix_that_will_not_do_leaves_no_night(name: str, tmp_path: Path, cache: Path) -> None:
    text, says = BAD[name]
    matrix = tmp_path / "m.yaml"
    matrix.write_text(f"format: 1\nsuite: smoke\n{text}\n")
    out = tmp_path / "night"
    done = CliRunner().invoke(nightly_command, ["--matrix", str(matrix), "--out", str(out)])
    assert isinstance(done.exception, ConfigError)
    assert says in done.exception.message and str(matrix) in done.exception.message
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--matrix", "smoke", "--suite", "smoke"], "--matrix and --suite"),
        (["--matrix", "smoke", "--shard", "9/9"], "no cell"),
        (["--matrix", "smoke", "--store", "here"], "--store here"),
        (["--matrix", "smoke", "--scheduler", "what://x"], "--scheduler what://x"),
    ],
)
def test_a_command_line_that_will_not_do(
    words: list[str], says: str, tmp_path: Path, cache: Path
) -> None:
    out = tmp_path / "night"
    done = CliRunner().invoke(nightly_command, [*words, "--out", str(out)])
    assert isinstance(done.exception, UsageError), done.exception
    assert says in done.exception.message
    assert not out.exists()


def test_a_limit_that_is_caught_is_remembered() -> None:
    with limited(0.05) as limit:
        with contextlib.suppress(Exception):
            threading.Event().wait(20)
        assert limit is not None and limit.error is not None
    whole = CellResult(Cell("smoke", Config(), "a", Path("a")), Verdict.PASS, 0, 1.0)
    late = _judged_late(whole, limit)
    assert (late.verdict, late.exit_code) == (Verdict.TIMEOUT, 124)
    assert "longer than 0.05 s" in late.failures[0].message
    assert _judged_late(whole, None) is whole


def test_planned_runs_carry_their_limit(tmp_path: Path) -> None:
    with open_history(tmp_path / "h") as history:
        (run,) = planned([replace(spec("a"), limits=Limits(run_s=7.0))], history)
    assert isinstance(run, Planned)
    assert run.cell(tmp_path, True, ()).limit_s == 7.0
