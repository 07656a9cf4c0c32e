# SPDX-License-Identifier: Apache-2.0
"""Messages without what differs from run to run: addresses, numbers, times, folders."""

from __future__ import annotations

import re

_LONGEST = 160
_RULES = (
    # Colours and other escape sequences of a console.
    (re.compile(r"\x1b\[[0-9;]*[A-Za-z]"), ""),
    # A kernel's time stamp, with its caller where the kernel names it.
    (re.compile(r"(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s*"), ""),
    (re.compile(r"(?<![\w.])/(?:[\w.+@~-]+/)+([\w.+@~-]+)"), r"…/\1"),
    # One letter for all: digits alone may be a long number in one run, hexadecimal in the next.
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "N"),
    # Addresses, nonces and digests without a prefix.
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b"), "N"),
    (re.compile(r"\d+(?:\.\d+)?"), "N"),
    (re.compile(r"\s+"), " "),
)


def normalised(message: str) -> str:
    """Return a message without addresses, numbers, times and folders."""
    for pattern, instead in _RULES:
        message = pattern.sub(instead, message)
    return message.strip()


def shortened(text: str) -> str:
    """Return at most so many characters as a title has."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
