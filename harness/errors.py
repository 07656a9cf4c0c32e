# SPDX-License-Identifier: Apache-2.0
"""The one exception tree: each error knows its exit code, its verdict and its remedy."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from typing import ClassVar

from harness.verdict import Verdict

_USAGE = 2
_INTERRUPTED = 130


class TeecallError(Exception):
    """Anything teecall reports to its user without a traceback.

    Args:
        message: what is wrong, in one sentence.
        remedy: what the user can do about it; empty when there is nothing to say.
        details: lines that show it, such as the compiler's first errors.

    `verdict` is None for what the user has to correct: then nothing was judged.
    """

    verdict: ClassVar[Verdict | None] = Verdict.FAIL

    def __init__(self, message: str, remedy: str = "", *, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = tuple(details)

    @property
    def exit_code(self) -> int:
        """The exit code of a process that ends by this error: that of its verdict."""
        return _USAGE if self.verdict is None else self.verdict.exit_code

    def __str__(self) -> str:
        # The message may have been completed on the way up ("kernel: make failed").
        return self.message


class CallerError(TeecallError):
    """What the user asks for cannot be done, whatever the machine and the environment are like.

    It ends a run without a verdict.
    """

    verdict = None


class UsageError(CallerError):
    """The command line asks for something that does not exist or does not fit together."""


class ConfigError(CallerError):
    """A configuration file, a `--set`, or a file that one of them names is wrong."""


class InfraError(TeecallError):
    """The environment, not what is under test, stands in the way."""

    verdict = Verdict.INFRA


class SourceError(InfraError):
    """A source cannot be fetched, unpacked or verified."""


class StoreError(InfraError):
    """The store of artefacts cannot be read or written."""


class NoSpace(StoreError):
    """No space (or no quota) is left where the store writes."""


class ToolMissing(InfraError):
    """A program is not installed, or is too old."""


class OutputLost(InfraError):
    """Nobody can read what is printed: the pipe is closed, or the disk is full."""


class BuildError(TeecallError):
    """A component does not build. `details` holds the compiler's first errors."""

    component = ""


class Cancelled(TeecallError):
    """Another component failed, or the user ended the run: this one was stopped."""


class MachineError(TeecallError):
    """The machine under test did not do what it must."""


class MachineCrash(MachineError):
    """Firmware, TSM, kernel or QEMU died."""

    verdict = Verdict.CRASH


class MachineHang(MachineError):
    """The machine stopped making progress."""

    verdict = Verdict.HANG


class DeadlineExceeded(MachineError):
    """The time given to a step is over."""

    verdict = Verdict.TIMEOUT


class Interrupted(KeyboardInterrupt):
    """A signal asks to end. It goes the way of ctrl-C, so that everything is cleaned up."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def interrupted_code(error: BaseException) -> int:
    """Return the exit code of a process that was interrupted: 128 and the signal's number."""
    return error.exit_code if isinstance(error, Interrupted) else _INTERRUPTED


def own_error(error: Exception) -> TeecallError:
    """Return what an unexpected error means: never anything about what is under test."""
    if isinstance(error, TeecallError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"no space left to write {error.filename or 'a file'}", "free some space")
    frames = "".join(traceback.format_exception(error)).splitlines()
    return InfraError(
        f"teecall itself failed: {type(error).__name__}: {error}",
        "please report this with the run folder",
        details=frames[-8:],
    )
