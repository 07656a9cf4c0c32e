# SPDX-License-Identifier: Apache-2.0
"""QEMU as a child that cannot be left behind, whatever happens to this process.

A watcher is started first: a shell that leads a process group of its own, reads a pipe whose
write end only this process has, and then kills its whole group. QEMU is started into that group.
When this process ends in any way, SIGKILL included, the kernel closes the pipe and the group
dies. Whoever kills the watcher too finds the kernel on guard: PR_SET_PDEATHSIG (prctl(2)). That
follows the thread that started the child, so each QEMU has a thread of its own that starts it and
does nothing more until it has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from harness.errors import InfraError, ToolMissing

# `kill -9 0` is the watcher's own group: nothing has to be told to it, so nothing can race.
_WATCHER = ["/bin/sh", "-c", "read -r never; kill -9 0"]
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_QUIT_S = 2.0
_TERM_S = 2.0


def state_of(pid: int) -> str:
    """Return the state of a process as in proc_pid_stat(5), such as `T` for one that is stopped.

    Empty when there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    # The name before the state is in parentheses, and may hold some itself.
    return stat.rpartition(")")[2].split()[0]


class Watcher:
    """The process group that dies with this process."""

    def __init__(self) -> None:
        read_end, self._write_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                _WATCHER,
                stdin=read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            os.close(self._write_end)
            raise InfraError(f"cannot start /bin/sh: {error.strerror}") from error
        finally:
            os.close(read_end)

    @property
    def group(self) -> int:
        """Id of the process group."""
        return self._process.pid

    def close(self) -> None:
        """Kill everything in the group, the watcher included, and reap the watcher."""
        if self._write_end < 0:
            return
        os.close(self._write_end)
        self._write_end = -1
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[select.poll]:
    """Give what becomes ready when a child that was not reaped yet ends."""
    descriptor = os.pidfd_open(pid)
    try:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        yield ended
    finally:
        os.close(descriptor)


def _start_guarded(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Let a thread start a child, and be there for as long as the child is."""
    # A Future would do; its module takes longer to import than the thread to start.
    outcome: list[subprocess.Popen[bytes] | BaseException] = []
    begun = threading.Event()

    def guard() -> None:
        try:
            process = start()
            outcome.append(process)
        except BaseException as error:
            outcome.append(error)
            return
        finally:
            begun.set()
        # Left for others to reap; whoever was first has the status.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    threading.Thread(target=guard, name="qemu-guard", daemon=True).start()
    begun.wait()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _dies_with_its_thread(parent: int) -> Callable[[], None]:
    """Return what a child calls before it becomes QEMU; `parent` is the process that starts it."""

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # One that has died meanwhile sends nothing any more.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


class Qemu:
    """One running QEMU.

    Args:
        argv: the command line.
        pass_fds: descriptors that QEMU inherits under the same numbers.
        stderr: file that takes QEMU's own messages.
    """

    def __init__(self, argv: Sequence[str], pass_fds: Sequence[int], stderr: Path) -> None:
        self._watcher = Watcher()
        try:
            with stderr.open("wb") as log:
                self._process = _start_guarded(
                    lambda: subprocess.Popen(
                        argv,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=pass_fds,
                        process_group=self._watcher.group,
                        preexec_fn=_dies_with_its_thread(os.getpid()),
                    )
                )
        except FileNotFoundError as error:
            self._watcher.close()
            raise ToolMissing(f"{argv[0]} is not installed", "run `teecall doctor`") from error
        except OSError as error:
            self._watcher.close()
            raise InfraError(f"cannot start {argv[0]}: {error.strerror}") from error
        except BaseException:
            self._watcher.close()
            raise

    @property
    def pid(self) -> int:
        """Process id of QEMU."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status if QEMU has ended (negative: the signal that killed it), else None."""
        return self._process.poll()

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped QEMU (SIGSTOP, a debugger), so that it cannot go on."""
        return state_of(self.pid) in ("T", "t")

    def wait(self, seconds: float) -> int | None:
        """Wait for QEMU to end by itself; return its status, or None if it did not."""
        # subprocess sleeps between looks, up to 50 ms too long; the kernel says it at once.
        if self.status is None:
            with contextlib.suppress(ProcessLookupError), _watched(self.pid) as ended:
                ended.poll(max(0.0, seconds) * 1e3)
        return self.status

    def stop(self, ask: Callable[[], None]) -> int:
        """End QEMU: `ask` it (QMP quit), then SIGTERM, then SIGKILL. Return its status."""
        with contextlib.suppress(Exception):
            if self.status is None:
                ask()
                self.wait(_QUIT_S)
        if self.status is None:
            self._process.terminate()
            self.wait(_TERM_S)
        return self.kill()

    def kill(self) -> int:
        """Kill the group, reap QEMU and return its status; nothing is left afterwards."""
        self._watcher.close()
        return self._process.wait()

    def __enter__(self) -> Qemu:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
