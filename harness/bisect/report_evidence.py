# SPDX-License-Identifier: Apache-2.0
"""What a bad and a good run beside it have left, and in what their consoles differ."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.bisect.journal import Step
from harness.bisect.oracle import Outcome
from harness.report.html.clean import clean, lines_of
from harness.report.html.model import forensics

# A console's end tells how it failed, its beginning what is usual.
_MOST_BYTES = 512 * 1024
_MOST_LINES = 3000
_SHOWN = 160
_CONTEXT = 3
_LETTERS = 240
_STAMP = re.compile(r" *\d{1,12} ms \S+ *\| ?")
_VARYING = (
    # The kernel's clock, and the thread that spoke.
    (re.compile(r"\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?"), ""),
    # Addresses, nonces and digests. Shorter numbers stay: a wrong version is one.
    (re.compile(r"\b(?:0x)?(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"), "N"),
    (re.compile(r"\b\d+\.\d{2,}\b"), "N"),
    (re.compile(r"\b\d{5,}\b"), "N"),
    (re.compile(r"(?<![\w.])/(?:[\w.+@~-]+/)+([\w.+@~-]+)"), r"…/\1"),
)


@dataclass(frozen=True, slots=True)
class Side:
    """A run: `folder` has its evidence, `forensics` is what was found out about its end."""

    candidate: str
    outcome: str
    verdict: str
    title: str
    folder: str
    forensics: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Lines beside each other: `kind` is equal, replace, delete (bad only), insert, or gap."""

    kind: str
    bad: str
    good: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A bad and a good run as near to the answer as there are, and their consoles' difference."""

    bad: Side | None
    good: Side | None
    console: tuple[Pair, ...]


def evidence(
    folder: Path, steps: Sequence[Step], culprits: Sequence[str], order: Sequence[str]
) -> Evidence:
    """Return the evidence of an answer.

    Args:
        folder: of the bisection, to which the runs' folders are relative.
        steps: of the search.
        culprits: its answer.
        order: the candidates in the order of the history.
    """
    bad = _nearest(folder, steps, Outcome.BAD, culprits, order)
    good = _nearest(folder, steps, Outcome.GOOD, culprits, order)
    if bad is None or good is None:
        return Evidence(_side(folder, bad), _side(folder, good), ())
    before, after = _console(_place(folder, bad)), _console(_place(folder, good))
    return Evidence(_side(folder, bad), _side(folder, good), tuple(pairs(before, after)))


def _nearest(
    folder: Path,
    steps: Sequence[Step],
    outcome: Outcome,
    culprits: Sequence[str],
    order: Sequence[str],
) -> Step | None:
    places = {candidate: number for number, candidate in enumerate(order)}
    wanted = [places[each] for each in culprits if each in places]

    def distance(step: Step) -> tuple[bool, int]:
        place = places.get(step.candidate)
        far = len(order) + (step.candidate not in culprits)
        gap = min((abs(place - each) for each in wanted), default=far) if place is not None else far
        # What has left evidence is worth more than what is near.
        where = _place(folder, step)
        return where is None or not where.is_dir(), gap

    return min((step for step in steps if step.outcome is outcome), key=distance, default=None)


def _place(folder: Path, step: Step) -> Path | None:
    return folder / step.evidence if step.evidence else None


def _side(folder: Path, step: Step | None) -> Side | None:
    if step is None:
        return None
    place = _place(folder, step)
    title = clean(step.title or step.why, _LETTERS)
    return Side(
        step.candidate,
        str(step.outcome),
        str(step.verdict) if step.verdict is not None else "",
        title,
        str(place) if place is not None else "",
        forensics(place),
    )


def _console(folder: Path | None) -> list[str]:
    """Return the normalised lines of a run's UART; none when it has left nothing."""
    for name in ("uart.txt", "uart.log"):
        try:
            content = (folder / name).read_bytes() if folder is not None else b""
        except OSError:
            continue
        return [normal(line) for line in lines_of(content[-_MOST_BYTES:])[-_MOST_LINES:]]
    return []


def normal(line: str) -> str:
    """Return a line of a console without what differs from boot to boot."""
    line = _STAMP.sub("", line, count=1)
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return clean(line.rstrip(), _LETTERS)


def pairs(bad: Sequence[str], good: Sequence[str]) -> Iterator[Pair]:
    """Give what differs, line beside line, with a little around it; the first `_SHOWN` lines."""
    matcher = difflib.SequenceMatcher(None, bad, good, autojunk=False)
    shown = 0
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            yield Pair("gap", "…", "…")
        for kind, a, b, c, d in group:
            for row in range(max(b - a, d - c)):
                if shown == _SHOWN:
                    yield Pair("gap", "… and more", "… and more")
                    return
                shown += 1
                left = bad[a + row] if a + row < b else ""
                right = good[c + row] if c + row < d else ""
                yield Pair(kind, left, right)
