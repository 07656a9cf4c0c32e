# SPDX-License-Identifier: Apache-2.0
"""The consoles of a run beside each other, in the order of time.

Lines are put in order only where their times come from one clock. Readable copies of the logs
(`uart.txt`, `shell.txt`: `  123 ms uart | text`) have the host's time; without, the kernel's own
stamps order the UART. The crossings have CSR time, which began earlier (at reset). Consoles
without times stand beside the others with their last lines, in their own order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.report.html.clean import clean, lines_of
from harness.report.html.timeline import about, in_time
from harness.trace.record import Trace
from harness.trace.ring import Event
from harness.trace.text import microseconds

LINES = 200
_TAIL_BYTES = 64 * 1024
_LINE_LETTERS = 240
_FILES = {
    "uart.log": "UART: firmware and host",
    "shell.log": "command channel",
    "tsm.log": "TSM",
    "qemu.stderr": "QEMU",
}
_STAMPED = re.compile(r" *(\d{1,12}) ms \S+ *\| ?(.*)", re.DOTALL)
_KERNEL_STAMP = re.compile(r"\[ *(\d+\.\d{6})\]")

WALL, KERNEL, CSR = "time since power-on", "the kernel's clock", "CSR time"


@dataclass(frozen=True, slots=True)
class Line:
    """A line; `time` is in seconds of the console's clock, None before its first time."""

    time: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Console:
    """What was said in one place: the last lines, and how many there were before them."""

    name: str
    clock: str | None
    lines: tuple[Line, ...]
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What was said between two times: one block of lines for each console."""

    time: float | None
    blocks: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """Consoles with the same clock (or one without any), as rows in the order of time."""

    clock: str | None
    consoles: tuple[Console, ...]
    rows: tuple[Row, ...]


def consoles(folder: Path, trace: Trace | None, limit: int = LINES) -> list[Console]:
    """Return the consoles of a run that have said anything.

    Args:
        folder: the run's evidence.
        trace: its event rings.
        limit: most lines of each, the last ones.
    """
    found = [_console(folder / file, name, limit) for file, name in _FILES.items()]
    if trace is not None and trace.events:
        found.append(_crossings(trace, limit))
    return [console for console in found if console is not None]


def strips(found: Sequence[Console]) -> list[Strip]:
    """Put consoles of the same clock into rows in the order of time."""
    clocks = list(dict.fromkeys(console.clock for console in found))
    made = []
    for clock in clocks:
        same = tuple(console for console in found if console.clock == clock)
        rows = _rows(same) if clock and len(same) > 1 else [_one_row(same)]
        made.append(Strip(clock, same, tuple(rows)))
    return made


def _console(path: Path, name: str, limit: int) -> Console | None:
    stamped = _stamped(path, name, limit)
    if stamped is not None:
        return stamped
    tail = _tail(path)
    if tail is None:
        return None
    content, before = tail
    texts = lines_of(content)
    while texts and not texts[-1].strip():
        texts.pop()
    if not texts:
        return None
    times, clock = _kernel_times(texts)
    lines = [
        Line(time, clean(text, _LINE_LETTERS))
        for time, text in zip(times[-limit:], texts[-limit:], strict=True)
    ]
    return Console(name, clock, tuple(lines), before + max(0, len(texts) - limit))


def _tail(path: Path) -> tuple[bytes, int] | None:
    """Return the end of a file and the number of lines before it; None when it is not there."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = max(0, len(content) - _TAIL_BYTES)
    start = content.find(b"\n", start) + 1 if start else 0
    return content[start:], content.count(b"\n", 0, start)


def _stamped(path: Path, name: str, limit: int) -> Console | None:
    """Return a console from its readable copy (`uart.txt` of `uart.log`), if that is there."""
    tail = _tail(path.with_suffix(".txt")) if path.suffix == ".log" else None
    found = [_STAMPED.match(text) for text in lines_of(tail[0]) if text] if tail else []
    if tail is None or not found or None in found:
        return None
    lines = [Line(int(each[1]) / 1000, clean(each[2], _LINE_LETTERS)) for each in found if each]
    return Console(name, WALL, tuple(lines[-limit:]), tail[1] + max(0, len(lines) - limit))


def _kernel_times(texts: Sequence[str]) -> tuple[list[float | None], str | None]:
    """Return for each line the newest stamp of the kernel up to it."""
    times: list[float | None] = []
    now = None
    for text in texts:
        stamp = _KERNEL_STAMP.search(text)
        now = float(stamp[1]) if stamp else now
        times.append(now)
    return times, KERNEL if now is not None else None


def _crossings(trace: Trace, limit: int) -> Console:
    lines = [Line(microseconds(event.time) / 1e6, _told(event)) for event in in_time(trace.events)]
    return Console("crossings", CSR, tuple(lines[-limit:]), max(0, len(lines) - limit))


def _told(event: Event) -> str:
    return f"{microseconds(event.time):.1f} hart {event.hart} {event.name} {about(event)}"


def _one_row(same: Sequence[Console]) -> Row:
    return Row(None, tuple(tuple(line.text for line in console.lines) for console in same))


def _rows(same: Sequence[Console]) -> Iterator[Row]:
    """Give rows in which every line is as late as those of the rows above, or later."""
    moments = sorted(
        (time, column, number)
        for column, console in enumerate(same)
        for number, time in enumerate(_rising(console.lines))
    )
    blocks: list[list[str]] = [[] for _ in same]
    begin, last = None, -1
    for time, column, number in moments:
        # A block ends where another console speaks, so that what is lower was said later.
        if last not in (-1, column):
            yield Row(begin, tuple(map(tuple, blocks)))
            blocks, begin = [[] for _ in same], None
        begin = time if begin is None else begin
        blocks[column].append(same[column].lines[number].text)
        last = column
    yield Row(begin, tuple(map(tuple, blocks)))


def _rising(lines: Sequence[Line]) -> Iterator[float]:
    """Give the times of lines; a clock that goes back must not change the order of a console."""
    latest = 0.0
    for line in lines:
        latest = max(latest, line.time or 0.0)
        yield latest
