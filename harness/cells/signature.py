# SPDX-License-Identifier: Apache-2.0
"""When two failures are the same: their messages, without what differs from run to run."""

from __future__ import annotations

import re

from harness.cells.cell import CellResult
from harness.verdict import Verdict

_RULES = (
    # Colours and other escape sequences of a console.
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    # A kernel's time stamp.
    (re.compile(r"\[\s*\d+\.\d+\]\s*"), ""),
    (re.compile(r"(?<![\w.])/(?:[\w.+@~-]+/)+([\w.+@~-]+)"), r"…/\1"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "X"),
    # Addresses, nonces and digests without a prefix.
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b"), "X"),
    (re.compile(r"\d+(?:\.\d+)?"), "N"),
    (re.compile(r"\s+"), " "),
)


def normalised(message: str) -> str:
    """Return a message without addresses, numbers, times and folders."""
    for pattern, instead in _RULES:
        message = pattern.sub(instead, message)
    return message.strip()


def signature_of(result: CellResult) -> str:
    """Return what failures of the same kind have in common: verdict, first check, message."""
    bad = (check for check in result.checks if check.verdict not in (Verdict.PASS, Verdict.SKIP))
    check = next(bad, None)
    if check is None:
        return str(result.verdict)
    return f"{check.verdict} {check.name}: {normalised(check.detail)}"
