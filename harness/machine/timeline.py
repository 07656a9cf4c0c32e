# SPDX-License-Identifier: Apache-2.0
"""Console logs for people: without escape sequences, each line with the time it was said at.

The raw logs stay as they are. `uart.txt` and `shell.txt` have one console each, `consoles.txt`
all of them in the order of time, with QEMU's own messages and the TSM's.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.machine.deaths import clean
from harness.machine.rundir import RunDir
from harness.machine.streams import Stream

# Of what a console has said, this much of the end is made readable; the raw log has all of it.
_MOST = 4 << 20
COMBINED = "consoles.txt"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a console.

    `ms` is the host's time in milliseconds since power-on at which its first byte arrived.
    """

    ms: int
    console: str
    text: str

    def __str__(self) -> str:
        """The line as it stands in a log."""
        return f"{self.ms:>8} ms {self.console:<6} | {self.text}"


def lines_of(stream: Stream, power_on: float) -> Iterator[Line]:
    """Yield the lines of a console, and the commands that were sent where they were sent.

    Args:
        stream: the console.
        power_on: monotonic seconds at which the machine was started.
    """
    data = stream.tail(_MOST)
    start = stream.end - len(data)
    positions = [position for position, _ in stream.arrivals]
    notes = [note for note in stream.notes if note[0] >= start]
    noted, position = 0, start

    def stamped(at: int, text: str) -> Line:
        index = max(0, bisect_right(positions, at) - 1)
        when = stream.arrivals[index][1] if positions else power_on
        return Line(max(0, round((when - power_on) * 1000)), stream.name, text)

    for raw in data.split(b"\n"):
        while noted < len(notes) and notes[noted][0] <= position:
            yield stamped(max(start, notes[noted][0] - 1), notes[noted][1])
            noted += 1
        text = clean(raw).decode(errors="replace")
        if text:
            yield stamped(position, text)
        position += len(raw) + 1
    for _, note in notes[noted:]:
        yield stamped(stream.end - 1, note)


def write_readable(run: RunDir, streams: Iterable[Stream], power_on: float) -> None:
    """Write the readable logs of a machine that is off.

    Args:
        run: folder with the raw logs.
        streams: all consoles.
        power_on: monotonic seconds at which the machine was started.
    """
    everything: list[Line] = []
    for stream in streams:
        found = list(lines_of(stream, power_on))
        everything += found
        _write(run, f"{stream.name}.txt", found)
    # Neither of these says when; both are about what was said last.
    last = max((line.ms for line in everything), default=0)
    for console, name in (("tsm", "tsm.log"), ("qemu", "qemu.stderr")):
        with contextlib.suppress(OSError):
            text = clean(run.file(name).read_bytes()).decode(errors="replace")
            everything += [Line(last, console, line) for line in text.splitlines()]
    _write(run, COMBINED, sorted(everything, key=lambda line: line.ms))


def _write(run: RunDir, name: str, lines: Iterable[Line]) -> None:
    # A full disk is said by what the verdict depends on.
    with contextlib.suppress(OSError):
        run.file(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
