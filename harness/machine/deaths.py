# SPDX-License-Identifier: Apache-2.0
"""Lines that mean the machine is dead or dying, and the search for them in a growing log.

The rules are in `rules`. A scenario in which a part dies on purpose says so with `allow`, and the
log says so too: two lines of the harness's own enclose what was expected, so that whoever reads
the log later comes to the same result as the run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.machine.rules import BODIES, ENDS, RULES, SPARED, STARTS, Rule

# Escape sequences and carriage returns that terminals want and logs do not.
_NOISE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\r|\x00|\x07")
_LONGEST_BLOCK = 120
_EXPECTED = re.compile(rb"^teecall: deaths expected here: ?([^\n]*)$", re.MULTILINE)
COMPONENTS = frozenset(rule.component for rule in RULES)


@dataclass(frozen=True, slots=True)
class Death:
    """A line that ends a run.

    `kind` is for people; `rule` says which component and how. `start` is where the line begins
    in what was searched (without noise), `what` what it says.
    """

    kind: str
    line: str
    rule: Rule = field(repr=False, compare=False)
    what: str = field(default="", compare=False)
    start: int = field(default=0, compare=False)

    @property
    def is_hang(self) -> bool:
        """Whether the machine tells that it does not go on, and not that it died."""
        return self.rule.kind in ("hang", "stall")


def clean(data: bytes) -> bytes:
    """Return console output without carriage returns, escape sequences, NULs and bells."""
    return _NOISE.sub(b"", data)


def expectation(components: frozenset[str]) -> str:
    """Return the line in a log from which on deaths of these components are expected."""
    return f"teecall: deaths expected here: {' '.join(sorted(components)) or 'none'}"


def deaths_in(text: bytes) -> Iterator[Death]:
    """Give every line of a log without noise that means death, the first one first."""
    last = -1
    for start, number in sorted(_candidates(text)):
        end = text.find(b"\n", start)
        line = text[start : end if end >= 0 else len(text)]
        found = STARTS[number].search(line)
        spared = SPARED[number]
        if start == last or found is None or (spared is not None and spared.search(line)):
            continue
        last, rule = start, RULES[number]
        yield Death(
            rule.name, _text(line), rule, _text(found.groupdict().get("what") or b""), start
        )


def _candidates(text: bytes) -> set[tuple[int, int]]:
    """Return the lines in which the needles of rules are, by start of line and rule."""
    found = set()
    for number, rule in enumerate(RULES):
        place = text.find(rule.needle)
        while place >= 0:
            found.add((text.rfind(b"\n", 0, place) + 1, number))
            place = text.find(rule.needle, place + 1)
    return found


def find_death(data: bytes, allowed: frozenset[str] = frozenset()) -> Death | None:
    """Return the first line of `data` that means death, or None.

    Args:
        data: a log or a part of one, with its noise.
        allowed: components whose deaths do not count.
    """
    return next((d for d in deaths_in(clean(data)) if d.rule.component not in allowed), None)


def unexpected_death(text: bytes) -> Death | None:
    """Return the first death in a whole log without noise that no scenario has expected."""
    marks = [(mark.start(), frozenset(mark[1].decode().split())) for mark in _marks(text)]
    for death in deaths_in(text):
        allowed = [components for place, components in marks if place <= death.start]
        if not allowed or death.rule.component not in allowed[-1]:
            return death
    return None


def _marks(text: bytes) -> Iterator[re.Match[bytes]]:
    return _EXPECTED.finditer(text)


def block_of(text: bytes, death: Death) -> list[str]:
    """Return the lines of a death, from the one that begins it to the last that belongs to it."""
    number = RULES.index(death.rule)
    body, end = BODIES[number], ENDS[number]
    lines: list[bytes] = []
    for line in text[death.start :].split(b"\n", _LONGEST_BLOCK)[:_LONGEST_BLOCK]:
        if lines and line.strip() and not body.search(line):
            break
        lines.append(line)
        if end is not None and end.search(line):
            break
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.decode(errors="replace").rstrip() for line in lines]


class DeathWatch:
    """Searches the lines of a growing log once each.

    `expected` has the deaths that were found while they were allowed.
    """

    def __init__(self) -> None:
        self.position = 0
        self.death: Death | None = None
        self.allowed: frozenset[str] = frozenset()
        self.expected: list[Death] = []

    def feed(self, new: bytes) -> Death | None:
        """Search the complete lines at the head of `new`, which starts at `position`.

        The rest stays for the next time, so that a pattern cut in two is not missed.
        """
        complete = new.rfind(b"\n") + 1
        if complete and self.death is None:
            self.position += complete
            for death in deaths_in(clean(new[:complete])):
                if death.rule.component not in self.allowed:
                    self.death = death
                    break
                self.expected.append(death)
        return self.death


def _text(data: bytes) -> str:
    return data.decode(errors="replace").strip()
