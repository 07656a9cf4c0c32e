# SPDX-License-Identifier: Apache-2.0
"""A worker process as its owner sees it (see `nursery` for the other side)."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from harness.cells import wire
from harness.errors import InfraError
from harness.machine.process import state_of

# A process of ours that somebody has stopped, and nobody lets go on for so long, is given up.
STOPPED_S = 5.0
_LOOK_S = 0.5


class WorkerLost(InfraError):
    """The process of a call ended without a result, or was stopped and is ended."""


class _Stopped(Exception):
    """A process was stopped from outside and does not go on."""


def _await_answer(line: socket.socket, pid: int) -> None:
    """Wait until something comes on a process's line.

    Raises:
        _Stopped: the process does nothing because somebody has stopped it, and this one goes on.
    """
    came = select.poll()
    came.register(line, select.POLLIN)
    seen = since = time.monotonic()
    while not came.poll(_LOOK_S * 1e3):
        now = time.monotonic()
        # Ctrl-Z stops this process too: the time in which it could not look does not count.
        if state_of(pid) != "T" or now - seen > 2 * _LOOK_S:
            since = now
        seen = now
        if now - since >= STOPPED_S:
            raise _Stopped


class Nursery:
    """The process that forks workers; a new one takes its place when it is killed.

    Args:
        modules: what its workers need beside what a run needs.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = tuple(modules)
        self._mutex = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def worker(self) -> Call:
        """Fork a worker, which waits for its call.

        Raises:
            InfraError: no process can be started.
        """
        with self._mutex:
            try:
                return self._forked()
            except (OSError, EOFError, _Stopped):
                self._close()
            try:
                return self._forked()
            except (OSError, EOFError, _Stopped) as error:
                raise InfraError(
                    f"no process can be started for a run: {error}",
                    "free memory, or use a smaller -j",
                ) from error

    def _forked(self) -> Call:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._send(theirs)
            assert self._process is not None
            wait = partial(_await_answer, ours, self._process.pid)
            return Call(ours, int(wire.receive(ours, wait)))
        except BaseException:
            ours.close()
            raise

    def _send(self, line: socket.socket) -> None:
        if self._control is None:
            self._start()
        assert self._control is not None
        socket.send_fds(self._control, [b"w"], [line.fileno()])

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            program = [sys.executable, "-m", "harness.cells.nursery"]
            command = [*program, str(theirs.fileno()), *self._modules]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            except OSError as error:
                ours.close()
                raise InfraError(
                    f"cannot start {command[0]}: {error.strerror}", "run scripts/setup again"
                ) from error
        self._control = ours

    def close(self) -> None:
        """End the process; workers that live are not touched."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            # It has nothing to lose, and one that was stopped would not see that it is to end.
            self._process.kill()
            self._process.wait()
            self._process = None


class Call:
    """One call in its process."""

    def __init__(self, line: socket.socket, pid: int) -> None:
        self._line = line
        self._pid = pid
        self._mutex = threading.Lock()
        self._over = False

    def result(self, request: bytes) -> Any:
        """Send the call and wait for what it returns or raises."""
        try:
            with contextlib.suppress(OSError):
                wire.send(self._line, request)
            wait = partial(_await_answer, self._line, self._pid)
            is_value, outcome = pickle.loads(wire.receive(self._line, wait))
        except EOFError:
            raise WorkerLost(
                "the process of the run ended without a result",
                "it was killed, by hand or for want of memory, or Python itself failed",
            ) from None
        except _Stopped:
            self.kill()
            raise WorkerLost(
                f"the process of the run was stopped from outside for {STOPPED_S:g} s",
                "something sent it SIGSTOP; it was killed",
            ) from None
        finally:
            with self._mutex:
                self._over = True
            self._line.close()
        if is_value:
            return outcome
        raise outcome

    def end(self) -> None:
        """Ask the process to end; its result still comes."""
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        """End the process at once, also one that is stopped."""
        with self._mutex, contextlib.suppress(ProcessLookupError):
            # As long as its line is open the number cannot be another process's.
            if not self._over:
                os.kill(self._pid, signal.SIGKILL)
