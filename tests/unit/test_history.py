# SPDX-License-Identifier: Apache-2.0
"""The history of runs, and the changes of metrics in it."""

from __future__ import annotations

import random
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from harness.report.changes import Change, changes
from harness.report.history import VERSION, open_history
from harness.report.record import RunRecord
from harness.verdict import Verdict
from tests.unit.nights import QUARANTINE, crash, run_record


def at(hour: int) -> str:
    return datetime(2026, 11, 22, hour, tzinfo=UTC).isoformat()


def seconds(hour: int) -> float:
    return datetime(2026, 11, 22, hour, tzinfo=UTC).timestamp()


def same(hour: int, verdict: Verdict = Verdict.PASS, **more: object) -> RunRecord:
    return run_record("a", verdict, started=at(hour), **more)


def test_runs_come_back_in_time_and_only_once(tmp_path: Path) -> None:
    with open_history(tmp_path / "h") as history:
        assert history.add("n1", [same(3), same(1)]) == 2
        assert history.add("n1", [same(3), crash("b", started=at(2), quarantine=QUARANTINE)]) == 1
        runs = history.runs()
    assert [run.started for run in runs] == [seconds(1), seconds(2), seconds(3)]
    assert [run.quarantined for run in runs] == [False, True, False]
    assert runs[1].verdict is Verdict.CRASH
    assert runs[1].versions == {"opensbi": "1.6"}


def test_what_passed_last_and_when_a_failure_was_first_seen(tmp_path: Path) -> None:
    with open_history(tmp_path / "h") as history:
        history.add("n", [same(1), same(2), same(3, Verdict.FAIL, signature="S"), same(5)])
        history.add("n", [same(4, Verdict.FAIL, signature="S")])
        last = history.last_pass("id-a", seconds(4))
        first = history.first_seen("S")
        assert history.last_pass("id-other", seconds(4)) is None
        assert history.first_seen("T") is None
    assert last is not None and last.started == seconds(2)
    assert first is not None and first.started == seconds(3)


def test_metrics_are_series(tmp_path: Path) -> None:
    with open_history(tmp_path / "h") as history:
        history.add("n", [same(2, metrics={"x": 2.0, "y": 0.0}), same(1, metrics={"x": 1.0})])
        assert [point.value for point in history.points("x")] == [1.0, 2.0]
        assert [point.value for point in history.points("x", since=seconds(2))] == [2.0]
        assert history.metrics() == ["x", "y"]


def test_pruning_takes_checks_and_metrics_along(tmp_path: Path) -> None:
    with open_history(tmp_path / "h") as history:
        history.add("n", [same(1, metrics={"x": 1.0}), same(2, metrics={"x": 2.0})])
        assert history.prune(seconds(2)) == 1
        assert [point.value for point in history.points("x")] == [2.0]
    with sqlite3.connect(tmp_path / "h") as database:
        assert database.execute("SELECT count(*) FROM run_check").fetchone() == (1,)


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    def write(thread: int) -> None:
        for number in range(10):
            with open_history(tmp_path / "h") as history:
                history.add(f"{thread}", [same(number)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open_history(tmp_path / "h") as history:
        assert len(history.runs()) == 80


def test_a_history_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "h") as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(UsageError, match=f"of format {VERSION + 1}"), open_history(tmp_path / "h"):
        pass


def test_another_file_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(b"this is my diary\n" * 100)
    with pytest.raises(UsageError, match="not a history"), open_history(tmp_path / "h"):
        pass
    assert (tmp_path / "h").read_bytes().startswith(b"this is my diary")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"), open_history(tmp_path / "file" / "h"):
        pass


def test_one_other_value_is_a_change_where_there_is_no_noise() -> None:
    assert changes([5, 5, 5, 6, 6]) == [Change(3, 5, 6)]
    assert changes([5, 5, 5, 5, 6]) == [Change(4, 5, 6)]
    assert changes([5, 5, 5]) == changes([5]) == changes([]) == []


def test_noise_alone_is_no_change() -> None:
    dice = random.Random(1)
    found = [changes([dice.gauss(100, 3) for _ in range(200)]) for _ in range(100)]
    assert sum(map(len, found)) <= 1


@pytest.mark.parametrize("step", [10, -10])
def test_a_step_in_noise_is_found_where_it_is(step: int) -> None:
    dice = random.Random(2)
    for _ in range(50):
        values = [dice.gauss(100 + step * (n >= 30), 2) for n in range(60)]
        (change,) = changes(values)
        assert abs(change.index - 30) <= 1
        assert change.ratio == pytest.approx(step / 100, abs=0.03)


def test_an_outlier_in_noise_is_no_change() -> None:
    dice = random.Random(3)
    values = [dice.gauss(100, 2) for _ in range(60)]
    values[30] = 150
    assert changes(values) == []
