# SPDX-License-Identifier: Apache-2.0
"""Processes of runs that somebody stops: they are given up, and none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from harness.cells import worker
from harness.cells.pool import CellPool
from harness.cells.worker import WorkerLost
from harness.machine.process import state_of

LIMIT_S = 20.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a stopped process up sooner."""
    monkeypatch.setattr(worker, "STOPPED_S", 1.0)
    monkeypatch.setattr(worker, "_LOOK_S", 0.1)


def until(what: Callable[[], object], otherwise: str) -> None:
    limit = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < limit, otherwise
        time.sleep(0.01)


def test_a_stopped_process_is_given_up_and_its_number_is_gone() -> None:
    with CellPool(2) as pool:
        stopped: Future[None] = pool.submit(signal.raise_signal, signal.SIGSTOP)
        error = stopped.exception(LIMIT_S)
        assert isinstance(error, WorkerLost)
        assert "stopped from outside for 1 s" in error.message and "SIGSTOP" in str(error.remedy)
        assert pool.submit(int, "7").result(LIMIT_S) == 7


def test_a_stopped_nursery_is_replaced() -> None:
    with CellPool(1) as pool:
        parent = pool.submit(os.getppid).result(LIMIT_S)
        os.kill(parent, signal.SIGSTOP)
        assert pool.submit(os.getppid).result(LIMIT_S) != parent
    assert state_of(parent) == ""


def test_a_nursery_that_is_stopped_at_the_end_does_not_hold_it() -> None:
    with CellPool(1) as pool:
        parent = pool.submit(os.getppid).result(LIMIT_S)
        os.kill(parent, signal.SIGSTOP)
    assert state_of(parent) == ""


def test_a_process_that_goes_on_in_time_is_kept() -> None:
    with CellPool(1) as pool:
        call = pool.submit(_stop_for_a_moment)
        assert call.result(LIMIT_S) == "went on"


def _stop_for_a_moment() -> str:
    """Stop this process; another one lets it go on after a moment."""
    wake = f"import os, time; time.sleep(0.4); os.kill({os.getpid()}, 18)"
    with subprocess.Popen([sys.executable, "-c", wake]):
        signal.raise_signal(signal.SIGSTOP)
    return "went on"


OWNER = """
import os, signal, sys, time
from harness.cells.pool import CellPool
pool = CellPool(1)
call = pool.submit(os.getppid)
print(call.result(), flush=True)
pool.submit(signal.raise_signal, signal.SIGSTOP)
time.sleep(60)
"""


def test_a_stopped_process_does_not_outlive_its_owner() -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        nursery = int(owner.stdout.readline())
        until(lambda: _stopped_children(nursery), "no worker has stopped")
        stopped = _stopped_children(nursery)
        os.kill(nursery, signal.SIGSTOP)
    finally:
        owner.kill()
        owner.wait()
        if owner.stdout is not None:
            # Who is left has its other end.
            owner.stdout.close()
    left = {nursery, *stopped}
    until(lambda: {state_of(pid) for pid in left} <= {"", "Z"}, f"of {left} some are left")


def _stopped_children(parent: int) -> list[int]:
    listing = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(pid) for pid in listing.split() if state_of(int(pid)) == "T"]


@pytest.mark.parametrize("modules", [(), ("harness.bisect.work",)])
def test_what_calls_need_is_loaded_before_they_are_forked(modules: tuple[str, ...]) -> None:
    pool = CellPool(1, modules)
    try:
        asked = "'harness.bisect.work' in __import__('sys').modules"
        assert pool.submit(eval, asked).result(60) is bool(modules)
    finally:
        pool.shutdown()
