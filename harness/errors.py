# SPDX-License-Identifier: Apache-2.0
"""The one exception tree: each error knows its exit code, its verdict and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from harness.verdict import Verdict


class TeecallError(Exception):
    """Anything teecall reports to its user without a traceback.

    Args:
        message: what is wrong, in one sentence.
        remedy: what the user can do about it; empty when there is nothing to say.
        details: lines that show it, such as the compiler's first errors.
    """

    verdict: ClassVar[Verdict] = Verdict.FAIL
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "", *, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = tuple(details)

    def __str__(self) -> str:
        # The message may have been completed on the way up ("kernel: make failed").
        return self.message


class UsageError(TeecallError):
    """The command line asks for something that does not exist or does not fit together."""

    verdict = Verdict.INFRA
    exit_code = 2


class ConfigError(TeecallError):
    """A configuration file or `--set` is wrong."""

    verdict = Verdict.INFRA
    exit_code = 2


class InfraError(TeecallError):
    """The environment, not what is under test, stands in the way."""

    verdict = Verdict.INFRA
    exit_code = 99


class SourceError(InfraError):
    """A source cannot be fetched, unpacked or verified."""


class StoreError(InfraError):
    """The store of artefacts cannot be read or written."""


class NoSpace(StoreError):
    """No space (or no quota) is left where the store writes."""


class ToolMissing(InfraError):
    """A program is not installed, or is too old."""


class BuildError(TeecallError):
    """A component does not build. `details` holds the compiler's first errors."""


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
    exit_code = 124
