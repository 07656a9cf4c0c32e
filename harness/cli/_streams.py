# SPDX-License-Identifier: Apache-2.0
"""Standard streams that a user may have closed, or connected to something that takes no more.

What is printed on stdout is the result: when it cannot be written, that is an error of the
environment. What is printed on stderr only accompanies it: when that is lost, the work goes on.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

from harness.errors import OutputLost


class _Stream(io.TextIOWrapper):
    """A standard stream that goes nowhere from the first failed write on."""

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
        raise OutputLost(
            f"cannot write the result to stdout: {error.strerror}",
            "the reader of the pipe has ended, or the disk is full",
        ) from error


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
    return kind(raw, encoding=encoding, errors=errors, line_buffering=by_line)
