# SPDX-License-Identifier: Apache-2.0
"""Repeated runs: sums, defects, and processes that are killed in the middle."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import ROOT, RUN_LIMIT_S, teecall
from tests.system.test_mutants import MUTANTS, mutate
from tests.system.test_supervision import qemus_of, wait_until_gone

# The nightly repeats as often as is promised.
NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
REPEAT = 200 if NIGHTLY else 6
# Nothing takes long, but other work on the workstation may make all of it take longer.
LIMIT_S = 120.0


class Repeated:
    """A `teecall run smoke` with options, in the background, as the leader of a group."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.run_dir = folder / "runs"
        self.json = folder / "series.json"
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "harness", "run", "smoke"]
        places = ["--run-dir", str(self.run_dir), "--json", str(self.json)]
        self.process = subprocess.Popen(
            [*command, *places, *arguments],
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self) -> tuple[int, str]:
        """Wait for its end; exit status and screen."""
        screen, _ = self.process.communicate(timeout=RUN_LIMIT_S * (10 if NIGHTLY else 1))
        return self.process.returncode, screen

    def report(self) -> dict[str, Any]:
        """What it wrote."""
        return dict(json.loads(self.json.read_text()))


@contextmanager
def repeated(folder: Path, *arguments: str) -> Iterator[Repeated]:
    run = Repeated(folder, *arguments)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()


def until(what: Callable[[], list[int]], said: str) -> list[int]:
    """Wait for process ids to appear and return them."""
    limit = time.monotonic() + LIMIT_S
    while not (found := what()):
        assert time.monotonic() < limit, said
        time.sleep(0.01)
    return found


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def workers_of(run_dir: Path) -> list[int]:
    """Processes that have a QEMU of this series as a child."""
    found = []
    for qemu in qemus_of(run_dir):
        try:
            found.append(parent_of(qemu))
        except FileNotFoundError:
            continue
    return found


def in_session(leader: int) -> list[int]:
    """Processes of the session that ``leader`` began: every one that a run has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def nothing_left(leader: int) -> bool:
    limit = time.monotonic() + 5
    while in_session(leader) and time.monotonic() < limit:
        time.sleep(0.02)
    return not in_session(leader)


def test_repeated_smokes_pass(tmp_path: Path) -> None:
    with repeated(tmp_path / "a", "--repeat", str(REPEAT), "-j", "2") as run:
        status, screen = run.end()
    assert status == 0, screen
    report = run.report()
    assert (report["verdict"], report["verdicts"]) == ("PASS", {"PASS": REPEAT})
    assert report["pass_rate"]["passed"] == report["pass_rate"]["judged"] == REPEAT
    assert [entry["verdict"] for entry in report["runs"]] == ["PASS"] * REPEAT
    assert len(list(run.run_dir.glob("run-*/run.json"))) == min(REPEAT, 10)
    last = json.loads((run.run_dir / f"run-{REPEAT:04}" / "run.json").read_text())
    assert f"run smoke --run-dir {run.run_dir}" in last["command"]
    assert f"{REPEAT} of {REPEAT} passed: 100.0% (95 % confidence: " in screen
    assert nothing_left(run.process.pid)


def test_a_defect_fails_every_run_in_one_way(tmp_path: Path) -> None:
    name = "no-scrub-at-reclaim"
    tree = mutate(MUTANTS[name], tmp_path)
    with repeated(
        tmp_path / "a", "--repeat", "3", "--set", f"{MUTANTS[name]['tree']}=path:{tree}"
    ) as run:
        status, screen = run.end()
    assert status == 1, screen
    report = run.report()
    assert report["verdicts"] == {"FAIL": 3}, screen
    (kind,) = report["kinds"]
    assert sorted(kind["runs"]) == ["1", "2", "3"]
    assert re.match(r"FAIL tsm check teardown: .*not (zero|scrubbed)", kind["signature"])
    assert f"3 x {kind['signature']}" in screen
    assert all(Path(entry["evidence_dir"], "uart.log").exists() for entry in report["runs"])


def test_until_fail_ends_with_the_first(tmp_path: Path) -> None:
    with repeated(
        tmp_path / "a", "--until-fail", "-j", "1", "--set", "timeouts.boot_s=0.01"
    ) as run:
        status, screen = run.end()
    report = run.report()
    assert (status, report["ran"]) == (124, 1), screen
    assert "1 ran: a run failed" in screen


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with repeated(tmp_path / "a", "--repeat", "4", "-j", "2") as run:
        victim = until(lambda: workers_of(run.run_dir), "no machine was started")[0]
        assert victim != run.process.pid
        os.kill(victim, signal.SIGKILL)
        status, screen = run.end()
    assert status == 0, screen
    report = run.report()
    assert report["verdicts"] == {"PASS": 4}
    assert report["spoilt_attempts"] == 1
    assert "ended without a result" in screen
    assert nothing_left(run.process.pid)


def test_nothing_survives_the_parents_sigkill(tmp_path: Path) -> None:
    with repeated(tmp_path / "a", "--repeat", "50", "-j", "2") as run:
        qemus = until(lambda: qemus_of(run.run_dir), "no machine was started")
        assert len(in_session(run.process.pid)) > 3
        # Its run would be over soon by itself, and the check would see nothing.
        os.kill(qemus[0], signal.SIGSTOP)
        run.process.kill()
        run.process.wait()
        assert wait_until_gone(run.run_dir) == []
        assert nothing_left(run.process.pid), in_session(run.process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_sums_up_what_ran(tmp_path: Path, number: signal.Signals) -> None:
    with repeated(tmp_path / "a", "--repeat", "200", "-j", "2") as run:
        until(lambda: qemus_of(run.run_dir / "run-0003"), "the third run did not start")
        # As a terminal does it: everybody gets it.
        os.killpg(run.process.pid, number)
        status, screen = run.end()
    assert status == 128 + number, screen
    report = run.report()
    assert 1 <= report["ran"] < 200
    assert set(report["verdicts"]) == {"PASS"}, screen
    assert f"{report['ran']} of 200 ran: interrupted" in screen
    assert "Traceback" not in screen
    assert nothing_left(run.process.pid)


def test_two_series_at_once(tmp_path: Path) -> None:
    with (
        repeated(tmp_path / "a", "--repeat", "3") as one,
        repeated(tmp_path / "b", "--repeat", "3") as other,
    ):
        for run in (one, other):
            status, screen = run.end()
            assert status == 0, screen
            assert run.report()["verdicts"] == {"PASS": 3}


def test_jobs_without_repeat_is_a_usage_error() -> None:
    done = teecall("run", "smoke", "-j", "2")
    assert done.returncode == 2
    assert "--repeat" in done.stdout


# --- Dask -------------------------------------------------------------------

DASK = [sys.executable, "-m", "dask"]


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real scheduler and real workers, on ports that the system chooses."""
    from distributed import Client

    place = folder / "scheduler.json"
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> None:
        with (folder / f"dask-{len(processes)}.log").open("wb") as log:
            command = [*DASK, *arguments, "--no-dashboard", "--scheduler-file", str(place)]
            processes.append(subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log))

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        limit = time.monotonic() + LIMIT_S
        while not place.exists() or not place.read_text().endswith("}"):
            assert time.monotonic() < limit, (folder / "dask-0.log").read_text()
            time.sleep(0.05)
        address = json.loads(place.read_text())["address"]
        for number in range(workers):
            options = ["--no-nanny", "--nthreads", "1", "--name", f"w{number}"]
            start("worker", *options, "--local-directory", str(folder))
        with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(workers, timeout=LIMIT_S)
        yield address, processes[1:]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def test_a_cluster_runs_them_and_may_lose_a_worker(tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (address, workers):
        arguments = ["--repeat", "5", "--scheduler", address]
        with repeated(tmp_path / "a", *arguments) as run:
            until(lambda: qemus_of(run.run_dir / "run-0001"), "no machine was started")
            until(lambda: qemus_of(run.run_dir / "run-0002"), "only one at a time")
            workers[0].kill()
            status, screen = run.end()
        assert status == 0, screen
        report = run.report()
        assert report["verdicts"] == {"PASS": 5}
        assert report["spoilt_attempts"] >= 1
        assert "the cluster lost the worker" in screen
        assert wait_until_gone(run.run_dir) == []

        with repeated(tmp_path / "b", "--repeat", "50", "--scheduler", address) as run:
            until(lambda: qemus_of(run.run_dir / "run-0002"), "the second run did not start")
            run.process.send_signal(signal.SIGINT)
            status, screen = run.end()
            assert (status, "of 50 ran: interrupted" in screen) == (130, True), screen
            assert wait_until_gone(run.run_dir) == []


def test_no_cluster_there_is_told() -> None:
    done = teecall("run", "smoke", "--repeat", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert done.returncode == 99, done.stdout
    assert "no Dask scheduler answers" in done.stdout
    done = teecall("run", "smoke", "--repeat", "2", "--scheduler", "what://x")
    assert done.returncode == 2, done.stdout
    assert "--scheduler what://x" in done.stdout
