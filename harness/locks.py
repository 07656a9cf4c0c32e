# SPDX-License-Identifier: Apache-2.0
"""Waiting for a lock of another process, in a way that ctrl-C can end.

The kernel's wait for a file lock cannot be left from another thread. So a thread that nobody has
to join waits for the lock, and who wants it waits for that thread, or for the end of the run.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from harness.errors import Cancelled

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class _Waits:
    """All waits of this process, which end together."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._over = False

    def acquire(self, handle: int) -> None:
        """Wait until `handle` has its lock; it is closed when the wait is given up."""
        wait = _Wait(handle, self._news)
        with self._news:
            try:
                wait.start()
                self._news.wait_for(lambda: wait.done or self._over)
                if not wait.done:
                    raise Cancelled("stopped while another process had the lock")
            except BaseException:
                wait.give_up()
                raise
        if wait.error is not None:
            os.close(handle)
            raise wait.error

    def end(self) -> None:
        """Let every wait, also one that begins later, raise Cancelled."""
        with self._news:
            self._over = True
            self._news.notify_all()

    def begin(self) -> None:
        """Allow waits again."""
        with self._news:
            self._over = False


class _Wait(threading.Thread):
    """One wait for the lock of one handle."""

    def __init__(self, handle: int, news: threading.Condition) -> None:
        super().__init__(name="lock", daemon=True)
        self.done = False
        self.error: OSError | None = None
        self._given_up = False
        self._handle = handle
        self._news = news

    def run(self) -> None:
        """Wait, and hand the lock over, or back when nobody wants it any more."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        except OSError as error:
            self.error = error
        with self._news:
            self.done = True
            self._news.notify_all()
            if self._given_up:
                os.close(self._handle)

    def give_up(self) -> None:
        """Close the handle, now or as soon as nobody waits on it. `news` is held."""
        self._given_up = True
        if self.done or self.ident is None:
            os.close(self._handle)


_waits = _Waits()


def wait_for_lock(handle: int) -> None:
    """Lock an open file exclusively; `handle` is closed when that fails.

    Raises:
        Cancelled: the block of `worker_pool` ended by an error.
        KeyboardInterrupt: in the main thread, as everywhere.
    """
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    _waits.acquire(handle)


@contextmanager
def worker_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads; when the block ends by an error, none of them waits for a lock."""
    # Loaded only by who has work for threads: most runs find everything built.
    from concurrent.futures import ThreadPoolExecutor

    try:
        with ThreadPoolExecutor(max(1, workers)) as pool:
            try:
                yield pool
            except BaseException:
                _waits.end()
                raise
    finally:
        _waits.begin()
