# SPDX-License-Identifier: Apache-2.0
"""A console that only talks: a pipe with so much room that the machine never waits for a reader.

A socket is full after some hundred bytes that were sent one by one, as QEMU sends those of a UART;
QEMU then tries again later, at a moment that depends on the workstation.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType

# What an unprivileged process may ask for (pipe(7), /proc/sys/fs/pipe-max-size).
_ROOM = 1 << 20


class OutputPipe:
    """A pipe; it reads like a socket and takes nothing.

    `theirs` is the descriptor that QEMU inherits.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        fcntl.fcntl(self.theirs, fcntl.F_SETPIPE_SZ, _ROOM)
        os.set_blocking(self._ours, False)
        self._open = {self._ours, self.theirs}

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes; nothing at the end."""
        return os.read(self._ours, size)

    def sendall(self, data: bytes) -> None:
        """Refuse: nobody reads it."""
        raise OSError("this console takes no input")

    def fileno(self) -> int:
        """Return the descriptor that is read."""
        return self._ours

    def hand_over(self) -> None:
        """Close QEMU's end here, so that the end of QEMU is the end of the pipe."""
        self._close(self.theirs)

    def _close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)

    def __enter__(self) -> OutputPipe:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(self.theirs)
        self._close(self._ours)
