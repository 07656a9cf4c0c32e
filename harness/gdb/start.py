# SPDX-License-Identifier: Apache-2.0
"""Starts gdb on the machine of a run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ToolMissing, UsageError
from harness.machine.debugport import SOCKET, short_path
from harness.machine.prepare import IMAGES
from harness.machine.rundir import is_used

GDB = "gdb-multiarch"


def run_gdb(folder: Path, arguments: Sequence[str] = ()) -> int:
    """Run gdb on the terminal until it ends, and return its exit status.

    Args:
        folder: of a run whose machine runs or is held.
        arguments: for gdb, behind those that load symbols and connect.

    Raises:
        ToolMissing: there is no gdb-multiarch.
        UsageError: the run has no machine at this moment.
    """
    program = shutil.which(GDB)
    if program is None:
        raise ToolMissing(f"{GDB} is not installed", f"install it (Debian: {GDB})")
    check_runs(folder)
    script = Path(__file__).with_name("startup.py")
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    environment = {
        **os.environ,
        "TEECALL_GDB_HARNESS": str(Path(__file__).parents[2]),
        "TEECALL_GDB_IMAGES": str(folder / IMAGES),
        "TEECALL_GDB_SOCKET": short_path(handle),
    }
    # Ctrl-C is gdb's: it stops the machine.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = [program, "-q", "-x", str(script), *arguments]
        return subprocess.run(
            command, env=environment, pass_fds=[handle], preexec_fn=_default_interrupt
        ).returncode
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(handle)


def _default_interrupt() -> None:
    """Give gdb the Ctrl-C that is ignored here, and would be ignored there too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def check_runs(folder: Path) -> None:
    """Check that the run in a folder has a machine now.

    Raises:
        UsageError: it has none.
    """
    if not is_used(folder) or not (folder / SOCKET).is_socket():
        raise UsageError(
            f"the run in {folder} has no machine at this moment",
            "start one by `teecall boot`, or keep one that fails: "
            "teecall run SCENARIO --on-failure gdb",
        )
    if not (folder / IMAGES).is_file():
        raise UsageError(f"{folder} has no {IMAGES}", "run again with this teecall")
