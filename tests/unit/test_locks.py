# SPDX-License-Identifier: Apache-2.0
"""A lock of another process is waited for, but never longer than the user wants."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import Cancelled
from harness.files import locked
from harness.locks import worker_pool

HOLDER = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock until its stdin ends."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        yield process


def test_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    order: list[str] = []
    with held(path) as process:

        def wait() -> None:
            with locked(path):
                order.append("mine")

        thread = threading.Thread(target=wait)
        thread.start()
        order.append("theirs")
        assert process.stdin is not None
        process.stdin.close()
        thread.join(timeout=10)
    assert order == ["theirs", "mine"]


def test_error_ends_the_waits_of_a_pool(tmp_path: Path) -> None:
    def wait() -> None:
        with locked(tmp_path / "lock"):
            raise AssertionError("it was held")

    with held(tmp_path / "lock"):
        with pytest.raises(KeyboardInterrupt), worker_pool(2) as pool:
            waits = [pool.submit(wait), pool.submit(wait)]
            raise KeyboardInterrupt
        assert all(isinstance(future.exception(), Cancelled) for future in waits)
    # Given up, the lock is not taken later behind everyone's back.
    with locked(tmp_path / "lock"):
        handle = os.open(tmp_path / "lock", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)


def test_signal_ends_a_wait_of_the_main_thread(tmp_path: Path) -> None:
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with held(tmp_path / "lock"):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt), locked(tmp_path / "lock"):
                raise AssertionError("it was held")
    finally:
        signal.signal(signal.SIGALRM, previous)
