# SPDX-License-Identifier: Apache-2.0
"""Starts a scenario whose machine waits for gdb before its first instruction, and gdb on it."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.gdb.start import run_gdb
from harness.machine.debugport import SOCKET

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_LOOK_MS = 50


class _Screen:
    """What the run prints: at once, but behind gdb's back while gdb has the terminal."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._output = process.stdout
        self._free = threading.Event()
        self._free.set()
        self._thread = threading.Thread(target=self._copy, name="screen", daemon=True)
        self._thread.start()

    def keep(self) -> None:
        """Print nothing until `show`."""
        self._free.clear()

    def show(self) -> None:
        """Print what has come meanwhile, and go on."""
        self._free.set()

    def finish(self) -> None:
        """Wait for the last line."""
        self._thread.join()

    def _copy(self) -> None:
        # A run prints less than a pipe holds, so that it does not wait for gdb's end.
        for line in self._output:
            self._free.wait()
            sys.stderr.buffer.write(line)
            sys.stderr.flush()


def debug_scenario(folder: Path, arguments: Sequence[str], gdb: Sequence[str]) -> tuple[int, int]:
    """Run a scenario under gdb from its machine's first instruction on.

    The machine goes on when gdb ends, and the scenario to its end; ctrl-C then ends it.

    Args:
        folder: takes the run's evidence.
        arguments: of `teecall run`, but not its folder.
        gdb: arguments for gdb.

    Returns:
        the exit statuses of gdb and of the run; of gdb 0 when the run never got a machine.

    Raises:
        ToolMissing: there is no gdb-multiarch.
        UsageError: the run passed and had no machine.
    """
    command = [sys.executable, "-m", "harness", "run", *arguments, "--stopped"]
    run = subprocess.Popen(
        [*command, "--run-dir", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl-C is gdb's while there is one; and nobody would end a run that waits for a gdb.
        process_group=0,
        preexec_fn=_end_with_parent,
    )
    screen = _Screen(run)
    try:
        if not _has_machine(run, folder):
            return 0, run.wait()
        screen.keep()
        status = run_gdb(folder, gdb)
        screen.show()
        return status, run.wait()
    except BaseException:
        run.send_signal(signal.SIGINT)
        raise
    finally:
        screen.show()
        run.wait()
        screen.finish()


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _has_machine(run: subprocess.Popen[bytes], folder: Path) -> bool:
    """Wait for the machine's debug port, and before that for the build; False when all failed."""
    ended = select.poll()
    descriptor = os.pidfd_open(run.pid)
    try:
        ended.register(descriptor, select.POLLIN)
        while not (folder / SOCKET).is_socket():
            if not ended.poll(_LOOK_MS):
                continue
            if run.wait():
                return False
            raise UsageError(
                f"the run passed without a machine in {folder}",
                "name a scenario that boots one for itself; switch has those of its measurements",
            )
        return True
    finally:
        os.close(descriptor)
