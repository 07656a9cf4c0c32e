# SPDX-License-Identifier: Apache-2.0
"""What somebody outside can do to a run: to its processes, its connections and its disk."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.system.test_environment import limited
from tests.system.test_repeat import in_session
from tests.system.test_supervision import qemus_of

# pidfd_getfd(2); Python's `os` has none.
_PIDFD_GETFD = 438
_ENOENT = (ProcessLookupError, FileNotFoundError, ConnectionError)


@dataclass(frozen=True)
class Target:
    """A run: its leading process, its folder, and the chance that picks among its parts."""

    process: subprocess.Popen[bytes]
    run_dir: Path
    chance: random.Random


@dataclass(frozen=True)
class Fault:
    """What is done to a run.

    `silences`: it cannot write its verdict afterwards. `series`: it is done to two smokes at once,
    each in a worker. `prepare` is called in the process before it begins.
    """

    name: str
    hits: Callable[[Target], None]
    silences: bool = False
    series: bool = False
    prepare: Callable[[], None] | None = None


def _harness(number: signal.Signals) -> Callable[[Target], None]:
    return lambda target: target.process.send_signal(number)


def _freeze_harness(target: Target) -> None:
    target.process.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    target.process.send_signal(signal.SIGCONT)


def _each_qemu(number: signal.Signals) -> Callable[[Target], None]:
    def hit(target: Target) -> None:
        for pid in qemus_of(target.run_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    return hit


def _watcher(target: Target) -> None:
    """Kill what leads QEMU's process group and kills it when teecall is gone."""
    for pid in qemus_of(target.run_dir):
        with contextlib.suppress(ProcessLookupError):
            os.kill(os.getpgid(pid), signal.SIGKILL)


def _watcher_and_harness(target: Target) -> None:
    _watcher(target)
    target.process.send_signal(signal.SIGKILL)


def workers(leader: int) -> list[int]:
    """Processes that a series runs its cells in, and the one that these are forked from."""
    found = []
    for pid in in_session(leader):
        with contextlib.suppress(OSError):
            if b"harness.cells.nursery" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def _a_worker(number: signal.Signals) -> Callable[[Target], None]:
    def hit(target: Target) -> None:
        found = sorted(workers(target.process.pid))
        with contextlib.suppress(ProcessLookupError):
            if found:
                os.kill(target.chance.choice(found), number)

    return hit


def socket_of(pid: int, chardev: str) -> socket.socket:
    """Get QEMU's end of one of its character devices, as its own process has it.

    Raises:
        OSError: the process is gone, or has none of that name yet.
    """
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    (option,) = [word for word in words if re.search(rf"\bid={chardev}\b", word)] or [""]
    found = re.search(r"\bfd=(\d+)", option)
    if found is None:
        raise FileNotFoundError(f"QEMU {pid} has no {chardev}")
    pidfd = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        copy = libc.syscall(_PIDFD_GETFD, pidfd, int(found[1]), 0)
        if copy < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"pidfd_getfd: {os.strerror(number)}")
    finally:
        os.close(pidfd)
    return socket.socket(fileno=copy)


def closes(chardev: str) -> Callable[[Target], None]:
    """Return what ends a connection between QEMU and the harness, for both of them."""

    def hit(target: Target) -> None:
        for pid in qemus_of(target.run_dir):
            with contextlib.suppress(*_ENOENT), socket_of(pid, chardev) as end:
                end.shutdown(socket.SHUT_RDWR)

    return hit


def _noise_on_uart(target: Target) -> None:
    """Write into the pipe that QEMU writes its UART to, as much as there is room for."""
    for pid in qemus_of(target.run_dir):
        with contextlib.suppress(*_ENOENT, BlockingIOError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            (option,) = [word for word in words if re.search(r"\bid=uart0\b", word)] or [""]
            found = re.search(r"\bpath=([^,]+)", option)
            pipe = (found[1] if found else "").replace("/self/", f"/{pid}/")
            end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            try:
                os.write(end, target.chance.randbytes(1 << 20))
            finally:
                os.close(end)


def _debugger_vanishes(target: Target) -> None:
    """Connect to the machine as gdb does, which stops it, and be gone without a word."""
    handle = os.open(target.run_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as debugger, contextlib.suppress(*_ENOENT):
            debugger.settimeout(1.0)
            debugger.connect(f"/proc/self/fd/{handle}/gdb.sock")
            debugger.sendall(b"+$?#3f")
            with contextlib.suppress(TimeoutError):
                debugger.recv(100)
    finally:
        os.close(handle)


def _nothing(target: Target) -> None:
    """The fault was there from the beginning."""


FAULT_KINDS = (
    Fault("SIGKILL to teecall", _harness(signal.SIGKILL), silences=True),
    Fault("SIGTERM to teecall", _harness(signal.SIGTERM)),
    Fault("SIGSTOP and SIGCONT to teecall", _freeze_harness),
    Fault("SIGKILL to the watcher", _watcher),
    Fault("SIGKILL to the watcher and teecall", _watcher_and_harness, silences=True),
    Fault("SIGKILL to QEMU", _each_qemu(signal.SIGKILL)),
    Fault("SIGSTOP to QEMU", _each_qemu(signal.SIGSTOP)),
    Fault("noise on the UART", _noise_on_uart),
    Fault("command port closed", closes("shell")),
    Fault("monitor closed", closes("qmp")),
    Fault("debugger that vanishes", _debugger_vanishes),
    Fault("SIGKILL to a worker", _a_worker(signal.SIGKILL), series=True),
    Fault("SIGSTOP to a worker", _a_worker(signal.SIGSTOP), series=True),
    Fault("SIGKILL to the worker's teecall", _harness(signal.SIGKILL), True, series=True),
    Fault("full disk", _nothing, prepare=limited(100_000)),
)
