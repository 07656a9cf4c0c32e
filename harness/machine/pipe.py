# SPDX-License-Identifier: Apache-2.0
"""UART0 through pipes.

QEMU sends what a UART says byte by byte. A pipe takes a byte at a tenth of what a socket costs,
which over a boot makes 50 ms, and it has so much room that the machine never waits for a reader: a
socket is full after some hundred such bytes, and QEMU then tries again at a moment that depends on
the workstation.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from types import TracebackType

# What an unprivileged process may ask for (pipe(7), /proc/sys/fs/pipe-max-size).
_ROOM = 1 << 20
# A machine that takes nothing for so long has 64 KiB that it has not read.
_ROOM_WITHIN_MS = 10_000


class UartPipes:
    """A pipe for what the machine says and, unless it is deaf, one for what it is told.

    They read and write like a socket. `theirs` are the descriptors that QEMU inherits.

    Args:
        deaf: nothing can be said to the machine.
    """

    def __init__(self, *, deaf: bool) -> None:
        self._open: set[int] = set()
        self._ours, out = self._pipe()
        # What one user's pipes may hold together has a limit too; a small one does as well, but
        # for machines that are timed.
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, _ROOM)
        os.set_blocking(self._ours, False)
        self.theirs: tuple[int, ...] = (out,)
        self._input: int | None = None
        if not deaf:
            into, self._input = self._pipe()
            os.set_blocking(self._input, False)
            self.theirs = (out, into)

    @property
    def device(self) -> str:
        """QEMU's character device on them: what follows `-chardev`, without id."""
        out, *into = (f"/proc/self/fd/{end}" for end in self.theirs)
        return ",".join([f"file,path={out}", *(f"input-path={path}" for path in into)])

    def recv(self, size: int) -> bytes:
        """Return at most `size` bytes; nothing at the end."""
        return os.read(self._ours, size)

    def sendall(self, data: bytes) -> None:
        """Send all of it; what a machine that hangs has no room for is lost, as on any UART.

        Raises:
            OSError: the machine is deaf, or gone.
        """
        if self._input is None:
            raise OSError("this console takes no input")
        room = select.poll()
        room.register(self._input, select.POLLOUT)
        rest = memoryview(data)
        while rest and room.poll(_ROOM_WITHIN_MS):
            rest = rest[os.write(self._input, rest) :]

    def fileno(self) -> int:
        """Return the descriptor that is read."""
        return self._ours

    def hand_over(self) -> None:
        """Close QEMU's ends here, so that the end of QEMU is the end of the pipes."""
        for end in self.theirs:
            self._close(end)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._open |= set(ends)
        return ends

    def _close(self, end: int) -> None:
        if end in self._open:
            self._open.remove(end)
            os.close(end)

    def __enter__(self) -> UartPipes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in tuple(self._open):
            self._close(end)
        # Their numbers soon are those of other files.
        self._ours, self._input = -1, None
