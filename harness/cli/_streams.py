# SPDX-License-Identifier: Apache-2.0
"""Standard streams that a user may have closed, or connected to something that takes no more.

What is printed on stdout is the result: when it cannot be written, that is an error of the
environment. What is printed on stderr only accompanies it: when that is lost, the work goes on.
A terminal that was closed is no error of its own: the hang-up ends the command (SIGHUP, tty(4)).
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
import time
from typing import TextIO

from harness.errors import OutputLost

# The kernel lets writes to a closed terminal fail before it sends SIGHUP, to a shell first.
_HANG_UP_S = 1.0
_hung_up = False


def hang_up() -> None:
    """Take note of SIGHUP: what the terminal does not take any more is dropped from now on."""
    # A plain variable: a handler must not wait for a lock that the code below it may hold.
    global _hung_up
    _hung_up = True


class _Stream(io.TextIOWrapper):
    """A standard stream that goes nowhere from the first failed write on."""

    # Asked before anything is lost: a terminal that was closed answers that it is none.
    terminal = False

    def write(self, text: str) -> int:
        """Write text."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Hand over what was written."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        _to_nowhere(self.fileno())
        self._lost(error)

    def _lost(self, error: OSError) -> None:
        """The stream takes no more; what is left is dropped."""


class _Result(_Stream):
    def _lost(self, error: OSError) -> None:
        if self.terminal and error.errno == errno.EIO:
            _await_hang_up()
            if _hung_up:
                return
        raise OutputLost(
            f"cannot write the result to stdout: {error.strerror}",
            "the reader of the pipe has ended, or the disk is full",
        ) from error


def _await_hang_up() -> None:
    """Let SIGHUP, which is about to come, end the command by its handler."""
    heard = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    main = threading.current_thread() is threading.main_thread()
    if heard and main and not _hung_up:
        # The handler's exception ends it early; without a signal the output is lost.
        time.sleep(_HANG_UP_S)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != number:
        os.dup2(nowhere, number)
        os.close(nowhere)


def prepare() -> None:
    """Replace the standard streams by those of this module.

    A closed one becomes /dev/null first: the next file opened would otherwise take its number,
    and with it what is meant for the stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _replaced(sys.stdout, 1, _Result)
    sys.stderr = _replaced(sys.stderr, 2, _Stream)


def _replaced(stream: TextIO | None, number: int, kind: type[_Stream]) -> _Stream:
    if isinstance(stream, io.TextIOWrapper):
        encoding, by_line = stream.encoding, stream.line_buffering
        raw = stream.detach()
    else:
        encoding, by_line = "utf-8", False
        raw = open(number, "wb", closefd=False)  # noqa: SIM115
    # Names of files may hold bytes that are no text: those go out as they came in.
    errors = "surrogateescape" if encoding.lower() == "utf-8" else "backslashreplace"
    new = kind(raw, encoding=encoding, errors=errors, line_buffering=by_line)
    new.terminal = new.isatty()
    return new
