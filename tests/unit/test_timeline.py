# SPDX-License-Identifier: Apache-2.0
"""Readable logs: whole lines, in the order of time, with commands where they were sent."""

from __future__ import annotations

import socket
from pathlib import Path

from harness.machine.rundir import RunDir
from harness.machine.streams import Drain, Stream
from harness.machine.timeline import write_readable


class Feed:
    """A console whose far end the test holds, and whose clock it sets."""

    def __init__(self, name: str) -> None:
        near, self.far = socket.socketpair()
        self.stream: Stream = Drain().add(name, near)

    def say(self, text: bytes, seconds: float) -> None:
        self.far.sendall(text)
        before = len(self.stream.arrivals)
        self.stream._fill()
        # What arrives within the same millisecond shares its time.
        if len(self.stream.arrivals) > before:
            self.stream.arrivals[-1] = (self.stream.arrivals[-1][0], seconds)


def test_lines_have_the_time_of_their_first_byte(tmp_path: Path) -> None:
    uart = Feed("uart")
    uart.say(b"one\r\ntw", -100.0)
    uart.say(b"o\n\x1b[1mthree\x1b[0m\x00\n", -98.5)
    write_readable(RunDir(tmp_path), [uart.stream], -100.25)
    assert (tmp_path / "uart.txt").read_text().splitlines() == [
        "     250 ms uart   | one",
        "     250 ms uart   | two",
        "    1750 ms uart   | three",
    ]


def test_consoles_are_in_the_order_of_time(tmp_path: Path) -> None:
    uart, shell = Feed("uart"), Feed("shell")
    uart.say(b"early\n", -10.0)
    shell.stream.note("$ command")
    shell.say(b"answer\n", -9.0)
    uart.say(b"late\n", -8.0)
    (tmp_path / "qemu.stderr").write_bytes(b"qemu: \xff\n")
    write_readable(RunDir(tmp_path), [uart.stream, shell.stream], -10.0)
    lines = (tmp_path / "consoles.txt").read_text().splitlines()
    assert [line.partition("| ")[2] for line in lines] == [
        "early",
        "$ command",
        "answer",
        "late",
        "qemu: \N{REPLACEMENT CHARACTER}",
    ]
    assert [line.split()[2] for line in lines] == ["uart", "shell", "shell", "uart", "qemu"]


def test_times_are_bounded() -> None:
    uart = Feed("uart")
    for number in range(2000):
        uart.say(b"x", float(-1_000_000 + number))
    assert uart.stream.end == 2000
    assert len(uart.stream.arrivals) <= 2000
