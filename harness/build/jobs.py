# SPDX-License-Identifier: Apache-2.0
"""Run tools: one budget of jobs for all of them, a log for each, and none left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BuildError, Cancelled, TeecallError
from harness.files import disk_errors, no_space

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Jobserver:
    """GNU make's jobserver: all makes together run as many compilers as there are tokens."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._read, self._write = os.pipe()
        # make sets its end to non-blocking, which holds for everyone who shares the opening; we
        # wait for a token on an opening of our own.
        self._ours = os.open(f"/proc/self/fd/{self._read}", os.O_RDONLY | os.O_CLOEXEC)
        os.write(self._write, b"+" * jobs)

    @property
    def fds(self) -> tuple[int, int]:
        """The descriptors that make inherits."""
        return self._read, self._write

    @property
    def makeflags(self) -> str:
        """MAKEFLAGS by which make finds the tokens."""
        return f" -j --jobserver-auth={self._read},{self._write}"

    @contextmanager
    def token(self) -> Iterator[None]:
        """Hold the one token that make takes for granted."""
        token = os.read(self._ours, 1)
        try:
            yield
        finally:
            os.write(self._write, token)

    def close(self) -> None:
        """Close the descriptors."""
        for handle in (self._read, self._write, self._ours):
            os.close(handle)


class Tools:
    """Runs build tools, and stops all of them when one fails."""

    def __init__(self, jobserver: Jobserver) -> None:
        self._jobserver = jobserver
        self._mutex = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        on_line: Callable[[str], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a tool to its end, its output appended to the log.

        Args:
            command: program and arguments.
            cwd: the folder it runs in.
            log: the file its output goes to.
            on_line: called with each line of output.
            environment: variables added to the process's own.

        Raises:
            BuildError: the tool failed; `details` holds the first errors.
            NoSpace: it failed because the disk is full.
            Cancelled: `stop` was called.
        """
        with self._jobserver.token(), log.open("ab") as file, disk_errors(log.parent):
            start = file.tell()
            file.write(f"$ cd {cwd}\n$ {' '.join(command)}\n".encode())
            file.flush()
            process = self._start(command, cwd, environment or {})
            try:
                self._follow(process, file.write, on_line)
            finally:
                self._end(process)
        if self._stopped:
            raise Cancelled("stopped")
        if process.returncode:
            raise _failure(command, process.returncode, log, start)

    def _start(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        full = {**os.environ, "LC_ALL": "C", "MAKEFLAGS": self._jobserver.makeflags, **environment}
        with self._mutex:
            if self._stopped:
                raise Cancelled("stopped")
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env=full,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=self._jobserver.fds,
                start_new_session=True,
                # A killed teecall leaves no compilers behind: make passes SIGTERM on.
                preexec_fn=_die_with_parent,
            )
            self._running.add(process)
        return process

    def _follow(
        self,
        process: subprocess.Popen[bytes],
        write: Callable[[bytes], object],
        on_line: Callable[[str], None],
    ) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            write(line)
            on_line(line.decode(errors="replace").rstrip())
        process.wait()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._mutex:
            self._running.discard(process)
        if process.poll() is None:
            _kill(process)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def stop(self) -> None:
        """Kill every running tool with its children, and start no other."""
        with self._mutex:
            self._stopped = True
            for process in self._running:
                _kill(process)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _failure(command: Sequence[str], status: int, log: Path, start: int) -> TeecallError:
    from harness.build.errorlines import first_errors

    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()[2:]
    if any("No space left on device" in line for line in lines):
        return no_space(log.parent)
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return BuildError(
        f"{Path(command[0]).name} failed ({how})",
        f"the full log is {log}",
        details=first_errors(lines),
    )
