# SPDX-License-Identifier: Apache-2.0
"""The port of a running machine that a debugger connects to: a socket in the run's folder.

It is no TCP port, so that two machines cannot meet and nobody else can connect. The harness binds
it and QEMU inherits it, by which the folder's path may be longer than a socket's address.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from types import TracebackType

from harness.errors import InfraError, StoreError, TeecallError
from harness.machine.argv import DEBUGGER
from harness.machine.monitor import Monitor

SOCKET = "gdb.sock"
_LOOK_S = 0.05


class DebugPort:
    """A listening socket named gdb.sock in a folder; it goes when the machine does.

    Args:
        folder: the run's.

    Raises:
        StoreError: the folder takes no socket.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SOCKET
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # One that SIGKILL has left behind.
                self._path.unlink(missing_ok=True)
                self._socket.bind(short_path(handle))
                self._socket.listen(1)
            finally:
                os.close(handle)
        except OSError as error:
            self._socket.close()
            raise StoreError(
                f"cannot make the socket {self._path}: {error.strerror or error}",
                "give another folder with --run-dir",
            ) from error

    def fileno(self) -> int:
        """Return the descriptor that QEMU inherits."""
        return self._socket.fileno()

    def hand_over(self) -> None:
        """Close this process's descriptor: from now on the socket lives as long as QEMU."""
        self._socket.close()

    def __enter__(self) -> DebugPort:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()


def short_path(folder: int) -> str:
    """Return a path of the socket that fits into a socket's address (108 bytes, unix(7)).

    Args:
        folder: descriptor of the run's folder; the path is one for the process that has it.
    """
    return f"/proc/self/fd/{folder}/{SOCKET}"


def held_by_debugger(monitor: Monitor) -> bool:
    """Tell whether a debugger is connected; a machine that one has left stopped goes on.

    Args:
        monitor: of a machine that is silent; one that does not answer is held by nobody.
    """
    try:
        devices = monitor.execute("query-chardev")
        if _connected(devices):
            return True
        if _status(monitor.execute("query-status")) in ("paused", "debug", "prelaunch"):
            monitor.execute("cont")
            return True
    except InfraError:
        pass
    return False


def await_debugger(monitor: Monitor) -> None:
    """Wait until a debugger is connected to a machine that has not begun, or has let it begin.

    That may take as long as it likes. What has ended needs no debugger: whoever goes on with it
    finds out why.
    """
    with contextlib.suppress(InfraError):
        # QMP has no event for a connection (qapi/char.json), and one may be over between two looks.
        while _status(monitor.execute("query-status")) == "prelaunch":
            if _connected(monitor.execute("query-chardev")):
                return
            time.sleep(_LOOK_S)


def hold(monitor: Monitor) -> bool:
    """Stop the machine for a debugger; return whether it could be."""
    try:
        monitor.execute("stop")
    except TeecallError:
        return False
    return True


def _connected(devices: object) -> bool:
    """Read QEMU's list of character devices: those of nobody are named `disconnected:…`."""
    if not isinstance(devices, list):
        return False
    return any(
        device.get("label") == DEBUGGER
        and not str(device.get("filename")).startswith("disconnected:")
        for device in devices
    )


def _status(answer: object) -> str:
    return str(answer.get("status")) if isinstance(answer, dict) else ""
