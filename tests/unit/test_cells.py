# SPDX-License-Identifier: Apache-2.0
"""Many runs, with cells that boot nothing: admission, retries, sums, and lost processes."""

from __future__ import annotations

import itertools
import json
import math
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harness.cells.backend import Backend
from harness.cells.cell import Cell, CellResult, Need, run_cell, spoilt
from harness.cells.pool import CellPool
from harness.cells.room import LocalRoom, free_memory_mib
from harness.cells.schedule import RETRIES, Scheduler
from harness.cells.series import KEEP_PASSES, Plan, Series
from harness.cells.tally import tally_of, wilson
from harness.cells.worker import WorkerLost
from harness.config.schema import Config, Machine
from harness.errors import ConfigError, InfraError, OutputLost
from harness.machine.rundir import RunDir, new_run
from harness.signature.text import normalised
from harness.verdict import Check, Verdict

ROOMY = LocalRoom(4, 1 << 20)
LIMIT_S = 20


def cells(number: int, folder: Path = Path("/nowhere")) -> list[Cell]:
    return [Cell("smoke", Config(), str(n), folder / f"run-{n:04}") for n in range(1, number + 1)]


def ended(cell: Cell, verdict: Verdict, detail: str = "") -> CellResult:
    check = Check("boot", verdict, detail, 0.1)
    return CellResult(cell, verdict, verdict.exit_code, 0.1, checks=(check,))


def always(verdict: Verdict, detail: str = "") -> Callable[[Cell], CellResult]:
    return lambda cell: ended(cell, verdict, detail)


def schedule(
    run: Callable[[Cell], CellResult], number: int, room: LocalRoom = ROOMY
) -> list[CellResult]:
    with ThreadPoolExecutor(8) as pool:
        return list(Scheduler(pool, room, run).results(cells(number)))


def threads(run: Callable[[Cell], CellResult]) -> AbstractContextManager[Backend]:
    @contextmanager
    def backend() -> Iterator[Backend]:
        with ThreadPoolExecutor(1) as pool:
            yield Backend(pool, LocalRoom(1, 1 << 20), run, lambda: None, lambda: None)

    return backend()


def series(
    folder: Path,
    run: Callable[[Cell], CellResult],
    repeat: int | None = 5,
    *,
    until_fail: bool = False,
    told: Callable[[CellResult], None] = lambda result: None,
) -> Series:
    made = Series(Plan("smoke", Config(), repeat, until_fail, True, RunDir(folder)))
    made.run(threads(run), told)
    return made


# --- cells ------------------------------------------------------------------


def test_a_cell_and_its_result_can_go_to_another_machine() -> None:
    cell = cells(1)[0]
    assert pickle.loads(pickle.dumps(cell)) == cell
    error = ConfigError("wrong", "correct it", details=["line 1"])
    result = replace(spoilt(cell, InfraError("x"), 1.0), error=error)
    back = pickle.loads(pickle.dumps(result))
    assert (back.error.message, back.error.remedy, back.error.details) == (
        "wrong",
        "correct it",
        ("line 1",),
    )
    assert pickle.loads(pickle.dumps(run_cell)) is run_cell


def test_a_cell_that_cannot_begin_is_told_and_not_raised(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run_cell(Cell("smoke", Config(), "1", tmp_path / "file"))
    assert result.verdict is None
    assert result.exit_code == 2
    assert result.error is not None and "a file is there" in result.error.message


def test_each_attempt_has_a_folder_of_its_own() -> None:
    cell = cells(1)[0]
    places = {cell.place, cell.again().place, cell.again().again().place}
    assert len(places) == 3


# --- room -------------------------------------------------------------------


def needs(harts: int, memory_mib: int = 1024) -> Need:
    machine = Machine(harts=harts, memory_mib=memory_mib)
    config = msgspec.structs.replace(Config(), machine=machine)
    return Cell("smoke", config, "1", Path()).need


def test_as_many_runs_as_cores_and_memory_allow() -> None:
    room = LocalRoom(2, 4096)
    two = needs(2)
    assert room.fits(two, [two])
    assert not room.fits(two, [two, two])
    assert not room.fits(needs(4), [two])
    assert not room.fits(needs(2, 3000), [two])
    assert room.fits(needs(8, 1 << 20), []), "one run always begins"


def test_a_big_run_is_not_passed_by_small_ones_for_ever() -> None:
    seen = []

    def run(cell: Cell) -> CellResult:
        seen.append(cell.label)
        return ended(cell, Verdict.PASS)

    big = msgspec.structs.replace(Config(), machine=Machine(harts=8))
    mixed = cells(4)
    mixed[1] = replace(mixed[1], config=big)
    with ThreadPoolExecutor(4) as pool:
        assert len(list(Scheduler(pool, LocalRoom(2, 1 << 20), run).results(mixed))) == 4
    assert seen.index("2") < seen.index("3")


def test_never_more_at_once_than_there_is_room_for() -> None:
    mutex = threading.Lock()
    now = most = 0

    def run(cell: Cell) -> CellResult:
        nonlocal now, most
        with mutex:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with mutex:
            now -= 1
        return ended(cell, Verdict.PASS)

    assert len(schedule(run, 20, LocalRoom(3, 1 << 20))) == 20
    assert most == 3


def test_memory_is_the_less_of_the_workstations_and_the_containers(tmp_path: Path) -> None:
    info = tmp_path / "meminfo"
    info.write_text("MemTotal: 9000000 kB\nMemAvailable: 4096000 kB\n")
    assert free_memory_mib(info, tmp_path) == 4000
    (tmp_path / "memory.current").write_text("104857600\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory_mib(info, tmp_path) == 4000
    (tmp_path / "memory.max").write_text("1153433600\n")
    assert free_memory_mib(info, tmp_path) == 1000


# --- retries ----------------------------------------------------------------


def test_what_the_environment_spoilt_is_made_again_and_told() -> None:
    def run(cell: Cell) -> CellResult:
        if cell.label == "2" and cell.attempt <= RETRIES:
            return spoilt(cell, InfraError("no memory"), 0.1)
        return ended(cell, Verdict.PASS)

    results = {result.cell.label: result for result in schedule(run, 3)}
    assert {result.verdict for result in results.values()} == {Verdict.PASS}
    assert results["2"].spoilt == ("no memory",) * RETRIES
    assert results["1"].spoilt == ()


def test_what_stays_spoilt_is_infra_and_never_fail() -> None:
    def run(cell: Cell) -> CellResult:
        raise WorkerLost("gone")

    (result,) = schedule(run, 1)
    assert result.verdict is Verdict.INFRA
    assert result.spoilt == ("gone",) * RETRIES
    tally = tally_of([result])
    assert (tally.judged, tally.verdict, tally.spoilt) == (0, Verdict.INFRA, RETRIES)


def test_a_failure_is_not_made_again() -> None:
    assert [result.cell.attempt for result in schedule(always(Verdict.CRASH), 4)] == [1] * 4


# --- sums -------------------------------------------------------------------


def test_the_confidence_interval_is_wilsons() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for passed, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert [round(bound, 4) for bound in wilson(passed, of)] == [low, high]
    assert wilson(0, 0) == (0.0, 1.0)
    assert math.isclose(wilson(200, 200)[0], 0.98115, abs_tol=1e-5)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("host can read 0x8f000000", "host can read 0x90001000", True),
        ("no answer in 30.0 s", "no answer in 12 s", True),
        ("cannot write /a/b/run-0001/uart.log", "cannot write /c/run-0002/uart.log", True),
        ("[    1.2345] Kernel panic", "[   11.5] Kernel panic", True),
        ("nonce 00ab34cd00ab34cd", "nonce ffab34cd00ab34ce", True),
        ("host can read 0x8f000000", "host can write 0x8f000000", False),
        ("cannot write /a/uart/x.log", "cannot write /a/uart/y.log", False),
    ],
)
def test_failures_are_the_same_when_only_numbers_and_folders_differ(
    one: str, other: str, same: bool
) -> None:
    assert (normalised(one) == normalised(other)) is same


def test_failures_are_grouped_and_outrank_infra() -> None:
    found = [
        ended(cell, verdict, detail)
        for cell, (verdict, detail) in zip(
            cells(5),
            [
                (Verdict.FAIL, "read 0x10"),
                (Verdict.FAIL, "wrote 0x10"),
                (Verdict.FAIL, "wrote 0x20"),
                (Verdict.INFRA, "no memory"),
                (Verdict.PASS, ""),
            ],
            strict=True,
        )
    ]
    tally = tally_of(found)
    assert [[r.cell.label for r in kind.results] for kind in tally.kinds] == [
        ["2", "3"],
        ["1"],
        ["4"],
    ]
    assert (tally.passed, tally.judged, tally.verdict) == (1, 4, Verdict.FAIL)
    assert tally_of([found[3], found[4]]).verdict is Verdict.INFRA


# --- series -----------------------------------------------------------------


def test_a_series_that_passes(tmp_path: Path) -> None:
    done = series(tmp_path, always(Verdict.PASS))
    assert (len(done.results), done.exit_code, done.why) == (5, 0, "")
    assert done.as_json()["verdicts"] == {"PASS": 5}
    assert (tmp_path / "run.json").read_text().startswith('{\n  "verdict": "PASS"')


def test_until_fail_ends_after_the_first_failure(tmp_path: Path) -> None:
    def run(cell: Cell) -> CellResult:
        return ended(cell, Verdict.HANG if cell.label == "4" else Verdict.PASS)

    done = series(tmp_path, run, None, until_fail=True)
    assert [result.verdict for result in done.results] == [Verdict.PASS] * 3 + [Verdict.HANG]
    assert (done.why, done.exit_code) == ("a run failed", 1)


def test_an_environment_that_spoils_every_run_ends_the_series(tmp_path: Path) -> None:
    def run(cell: Cell) -> CellResult:
        return spoilt(cell, InfraError("disk full"), 0.1)

    done = series(tmp_path, run, 100)
    # A fourth may have begun while attempts at the others were made again.
    assert len(done.results) in (3, 4)
    assert done.exit_code == 99
    assert "environment" in done.why


def test_what_the_user_must_correct_ends_the_series(tmp_path: Path) -> None:
    def run(cell: Cell) -> CellResult:
        return CellResult(cell, None, 2, 0.1, error=ConfigError("no such payload"))

    done = series(tmp_path, run)
    assert (len(done.results), done.exit_code) == (1, 2)
    assert done.as_json()["verdict"] is None


def test_an_interruption_keeps_what_ran(tmp_path: Path) -> None:
    count = itertools.count(1)

    def told(result: CellResult) -> None:
        if next(count) == 3:
            raise KeyboardInterrupt

    made = Series(Plan("smoke", Config(), 100, False, True, RunDir(tmp_path)))
    made.run(threads(always(Verdict.PASS)), told)
    assert (made.exit_code, made.why) == (130, "interrupted")
    assert 3 <= len(made.results) < 10
    assert made.as_json()["verdict"] == "INFRA"


def test_evidence_of_failures_stays_and_of_passes_the_last(tmp_path: Path) -> None:
    def run(cell: Cell) -> CellResult:
        cell.place.mkdir()
        return ended(cell, Verdict.FAIL if cell.label == "2" else Verdict.PASS)

    series(tmp_path, run, KEEP_PASSES + 5)
    left = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    first = KEEP_PASSES + 5 - KEEP_PASSES + 1
    assert left == ["run-0002"] + [f"run-{n:04}" for n in range(first, KEEP_PASSES + 6)]


def test_a_folder_used_again_loses_earlier_runs_and_nothing_else(tmp_path: Path) -> None:
    for name, file in (("run-0007", "uart.log"), ("run-0008", "mine"), ("other", "uart.log")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    series(tmp_path, always(Verdict.PASS))
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")}
    assert left == {"run-0008/mine", "other/uart.log"}
    assert not (tmp_path / "run-0007").exists()


def test_a_series_whose_output_is_lost_still_leaves_its_record(tmp_path: Path) -> None:
    def told(result: CellResult) -> None:
        raise OutputLost("nobody reads")

    made = Series(Plan("smoke", Config(), 100, False, True, RunDir(tmp_path)))
    with pytest.raises(OutputLost):
        made.run(threads(always(Verdict.PASS)), told)
    assert json.loads((tmp_path / "run.json").read_text())["ran"] == 1


def test_nothing_judged_is_not_a_pass() -> None:
    assert tally_of([]).verdict is Verdict.INFRA


def test_the_latest_run_is_the_last_of_the_series(cache: Path) -> None:
    def run(cell: Cell) -> CellResult:
        cell.place.mkdir()
        return ended(cell, Verdict.PASS)

    run_dir = new_run()
    made = Series(Plan("smoke", Config(), 3, False, True, run_dir))
    made.run(threads(run), lambda result: None)
    assert (cache / "runs" / "latest").resolve() == run_dir.file("run-0003")


# --- processes --------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_each_call_has_a_process_of_its_own() -> None:
    with CellPool(2) as pool:
        pids = {pool.submit(os.getpid).result(LIMIT_S) for _ in range(4)}
    assert len(pids) == 4
    assert os.getpid() not in pids


def test_an_error_comes_back() -> None:
    with CellPool(1) as pool:
        assert isinstance(pool.submit(int, "x").exception(LIMIT_S), ValueError)
        # A lock cannot leave its process, and the pool goes on.
        assert isinstance(pool.submit(threading.Lock).exception(LIMIT_S), TypeError)
        assert pool.submit(int, "7").result(LIMIT_S) == 7


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_process_that_dies_loses_its_own_call_only(number: signal.Signals) -> None:
    with CellPool(3) as pool:
        others = [pool.submit(time.sleep, 0.2) for _ in range(2)]
        dead = pool.submit(signal.raise_signal, number)
        assert isinstance(dead.exception(LIMIT_S), WorkerLost)
        assert [other.result(LIMIT_S) for other in others] == [None, None]
        assert pool.submit(int, "7").result(LIMIT_S) == 7


def test_a_killed_nursery_is_replaced() -> None:
    with CellPool(1) as pool:
        parent = pool.submit(os.getppid).result(LIMIT_S)
        os.kill(parent, signal.SIGKILL)
        assert pool.submit(os.getppid).result(LIMIT_S) != parent


def end_all(ask: Callable[[CellPool], None]) -> tuple[float, Future[None], Future[None]]:
    with CellPool(1) as pool:
        running, waiting = pool.submit(time.sleep, 60), pool.submit(time.sleep, 60)
        # The second call waits for the first, so the first has a process by now or soon.
        wait([running], timeout=0.5)
        begun = time.monotonic()
        ask(pool)
        wait([running, waiting], timeout=LIMIT_S)
    return time.monotonic() - begun, running, waiting


@pytest.mark.parametrize("ask", [CellPool.end, CellPool.kill])
def test_what_runs_can_be_ended(ask: Callable[[CellPool], None]) -> None:
    seconds, running, waiting = end_all(ask)
    assert running.exception() is not None
    assert waiting.exception() is not None
    assert seconds < LIMIT_S / 2
