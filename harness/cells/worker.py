# SPDX-License-Identifier: Apache-2.0
"""A worker process as its owner sees it (see `nursery` for the other side)."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from harness.cells import wire
from harness.errors import InfraError


class WorkerLost(InfraError):
    """The process of a call ended without a result."""


class Nursery:
    """The process that forks workers; a new one takes its place when it is killed."""

    def __init__(self) -> None:
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
            except (OSError, EOFError):
                self._close()
            try:
                return self._forked()
            except (OSError, EOFError) as error:
                raise InfraError(
                    f"no process can be started for a run: {error}",
                    "free memory, or use a smaller -j",
                ) from error

    def _forked(self) -> Call:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._send(theirs)
            return Call(ours, int(wire.receive(ours)))
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
            command = [sys.executable, "-m", "harness.cells.nursery", str(theirs.fileno())]
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
            is_value, outcome = pickle.loads(wire.receive(self._line))
        except EOFError:
            raise WorkerLost(
                "the process of the run ended without a result",
                "it was killed, by hand or for want of memory, or Python itself failed",
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
