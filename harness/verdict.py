# SPDX-License-Identifier: Apache-2.0
"""The outcome of a check or of a run, and the exit code it stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check or a run ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    CRASH = "CRASH"
    HANG = "HANG"
    TIMEOUT = "TIMEOUT"
    SKIP = "SKIP"
    INFRA = "INFRA"

    @property
    def exit_code(self) -> int:
        """The exit code of a process whose worst verdict is this one."""
        return _EXIT_CODES[self]

    @property
    def severity(self) -> int:
        """Rank from 0 (PASS) upwards; the worst of several has the highest."""
        return _SEVERITY.index(self)


_EXIT_CODES = {
    Verdict.PASS: 0,
    Verdict.FAIL: 1,
    Verdict.CRASH: 1,
    Verdict.HANG: 1,
    Verdict.TIMEOUT: 124,
    Verdict.SKIP: 77,
    Verdict.INFRA: 99,
}

# A broken environment outranks a failure: what was seen in it proves nothing.
_SEVERITY = (
    Verdict.PASS,
    Verdict.SKIP,
    Verdict.FAIL,
    Verdict.TIMEOUT,
    Verdict.HANG,
    Verdict.CRASH,
    Verdict.INFRA,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a run: what was checked, how it ended and how long it took."""

    name: str
    verdict: Verdict
    detail: str
    duration_s: float


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the most severe verdict; PASS when there is none."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.PASS)
