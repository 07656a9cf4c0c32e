# SPDX-License-Identifier: Apache-2.0
"""Lines that mean the machine is dead or dying, and the search for them in a growing log."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Escape sequences and carriage returns that terminals want and logs do not.
_NOISE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r|\x00|\x07")
_KERNEL = rb"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? "

_PATTERNS = (
    ("OpenSBI trap", rb"sbi_trap_error: hart ?\d+:"),
    ("OpenSBI initialisation failed", rb"^(?:init_\w+|sbi_\w+): .*\(error -?\d+\)"),
    ("TSM domain dead", rb"^tsmd: .*\b(?:dead|died|killed|panic|crash\w*|fault\w*|hang)\b"),
    ("kernel panic", _KERNEL + rb"Kernel panic - not syncing"),
    ("kernel oops", _KERNEL + rb"(?:Unable to handle kernel|Oops\b|Internal error: Oops)"),
    ("kernel oops", _KERNEL + rb"Insufficient stack space|" + _KERNEL + rb"Kernel stack overflow"),
    ("kernel BUG", _KERNEL + rb"(?:kernel BUG at|BUG: )"),
    ("kernel stall", _KERNEL + rb"(?:watchdog: BUG: |rcu: INFO: rcu_\w+ (?:self-)?detected)"),
    ("kernel stall", _KERNEL + rb"INFO: task \S+ blocked for more than"),
)
_ANY = re.compile(b"|".join(b"(%s)" % pattern for _, pattern in _PATTERNS), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Death:
    """A line that ends a run."""

    kind: str
    line: str


def clean(data: bytes) -> bytes:
    """Return console output without carriage returns, escape sequences, NULs and bells."""
    return _NOISE.sub(b"", data)


def find_death(data: bytes) -> Death | None:
    """Return the first line of `data` that means death, or None."""
    text = clean(data)
    match = _ANY.search(text)
    if match is None:
        return None
    start = text.rfind(b"\n", 0, match.start() + 1) + 1 if match.start() else 0
    end = text.find(b"\n", match.end())
    line = text[start : end if end >= 0 else len(text)]
    assert match.lastindex is not None
    kind = _PATTERNS[match.lastindex - 1][0]
    return Death(kind, line.decode(errors="replace").strip())


class DeathWatch:
    """Searches the lines of a growing log once each."""

    def __init__(self) -> None:
        self.position = 0
        self.death: Death | None = None

    def forgive(self) -> None:
        """Forget the death that was found; the search goes on behind what was searched."""
        self.death = None

    def feed(self, new: bytes) -> Death | None:
        """Search the complete lines at the head of `new`, which starts at `position`.

        The rest stays for the next time, so that a pattern cut in two is not missed.
        """
        complete = new.rfind(b"\n") + 1
        if complete and self.death is None:
            self.position += complete
            self.death = find_death(new[:complete])
        return self.death
