# SPDX-License-Identifier: Apache-2.0
"""This terminal, or a script on standard input, as the machine's UART."""

from __future__ import annotations

import contextlib
import os
import re
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator

from harness.errors import UsageError
from harness.machine.deadline import Deadline, scaled, slowness
from harness.machine.machine import Machine
from harness.machine.streams import Stream

_LEAVE = b"\x1d"
_LOOK_S = 0.2
_CHUNK = 4096
# The shell asks the terminal where its cursor is, each time it is about to read a line. Nobody in
# a pipe answers, and an answer that comes late is typed into whatever runs by then.
_QUESTION = b"\x1b[6n"
_PROMPT = re.compile(rb"(?:\A|\n)[^\n]{0,40}[#$>] (?:\x1b\[6n)?\Z")
# Our init starts the UART's shell only for somebody who wants it, where programs have the port.
_OFFER = b"teecall: press Enter for a shell"
# A program that reads the script itself gives no prompt. Its next line is then sent anyway.
_NO_PROMPT_S = 1.0


class Unasked:
    """Takes the question for the cursor out of what the machine says, however it is cut."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be shown; what may be the question's beginning is kept for later."""
        text = (self._kept + data).replace(_QUESTION, b"")
        size = next((n for n in range(3, 0, -1) if text.endswith(_QUESTION[:n])), 0)
        self._kept = text[len(text) - size :]
        return text[: len(text) - size]

    def rest(self) -> bytes:
        """Return what was kept, at the end of the machine."""
        return self._kept


def require_input() -> int:
    """Return the descriptor of standard input.

    Raises:
        UsageError: it is closed.
    """
    try:
        return sys.stdin.fileno()
    except (AttributeError, ValueError, OSError) as error:
        raise UsageError(
            "standard input is closed", "give a terminal, a pipe or a file of commands"
        ) from error


def interact(machine: Machine) -> None:
    """Pass bytes between standard input and UART0 until it is over.

    A terminal is passed on key by key until Ctrl-] or power off. Anything else is a script: its
    lines are typed once the shell is there, and at its end the machine is switched off.

    Raises:
        UsageError: standard input is closed.
        MachineCrash, MachineHang, DeadlineExceeded: a script found no shell, or did not end.
    """
    source = require_input()
    shown = threading.Thread(target=_show, args=(machine.uart,), name="terminal", daemon=True)
    with _raw(source):
        shown.start()
        threading.Thread(target=_enter, args=(machine.uart,), name="enter", daemon=True).start()
        if os.isatty(source):
            _type(machine, source)
        else:
            _play(machine, source)
    if machine.uart.closed:
        shown.join()


def attend(machine: Machine) -> None:
    """Pass bytes between standard input and the UART of a payload until it has switched off.

    A terminal's Ctrl-] ends it too; the end of a pipe or a file does not.

    Raises:
        UsageError: standard input is closed.
        MachineCrash, MachineHang, DeadlineExceeded: it did not switch off.
    """
    source = require_input()
    shown = threading.Thread(target=_show, args=(machine.uart,), name="terminal", daemon=True)
    with _raw(source):
        shown.start()
        if os.isatty(source):
            _type(machine, source)
        else:
            threading.Thread(target=_feed, args=(machine, source), daemon=True).start()
            times, factor = machine.config.timeouts, slowness()
            machine.wait_off(Deadline("payload", times.stall_s * factor, times.guest_s * factor))
    if machine.uart.closed:
        shown.join()


def _feed(machine: Machine, source: int) -> None:
    while data := os.read(source, _CHUNK):
        machine.uart.send(data)


def _enter(uart: Stream) -> None:
    """Press Enter once the host offers a shell; one that starts by itself offers none."""
    position, offered = 0, False
    with uart.news:
        while not uart.closed and not offered:
            offered = _OFFER in uart.read(position)
            position = max(0, uart.end - len(_OFFER))
            if not offered:
                uart.news.wait()
    if offered:
        uart.send(b"\n")


def _type(machine: Machine, source: int) -> None:
    while not machine.uart.closed:
        ready, _, _ = select.select([source], [], [], _LOOK_S)
        if not ready:
            continue
        data = os.read(source, _CHUNK)
        if not data or _LEAVE in data:
            return
        machine.uart.send(data)


def _play(machine: Machine, source: int) -> None:
    """Type a script line by line: a UART loses what nobody reads, and a terminal long input."""
    times = machine.config.timeouts
    factor = slowness()
    boot = Deadline("boot to a prompt", times.stall_s * factor, times.boot_s * factor)
    _await_prompt(machine, 0, boot)
    with os.fdopen(os.dup(source), "rb", buffering=0) as script:
        for line in iter(script.readline, b""):
            if machine.uart.closed:
                return
            said = machine.uart.end
            machine.uart.send(line.rstrip(b"\n") + b"\n")
            _settle(machine, said)
    machine.uart.send(b"poweroff -f\n")
    machine.wait_off(scaled("the end of the script on standard input", times.command_s))


def _await_prompt(machine: Machine, start: int, deadline: Deadline) -> None:
    """Wait until the machine has said a prompt behind `start`."""
    while not _prompted(machine.uart, start):
        machine.check()
        deadline.progress(machine.said())
        deadline.check()
        _news(machine.uart, lambda: _prompted(machine.uart, start), deadline.remaining())


def _settle(machine: Machine, start: int) -> None:
    """Wait for the prompt that follows a line, or for a while in which nothing is said."""
    quiet_since, said = time.monotonic(), start
    while not machine.uart.closed and not _prompted(machine.uart, start, after_line=True):
        left = quiet_since + _NO_PROMPT_S - time.monotonic()
        if left <= 0:
            return
        _news(machine.uart, lambda: _prompted(machine.uart, start, after_line=True), left)
        if machine.uart.end != said:
            quiet_since, said = time.monotonic(), machine.uart.end


def _news(uart: Stream, come: Callable[[], bool], seconds: float) -> None:
    with uart.news:
        if not uart.closed and not come():
            uart.news.wait(min(seconds, _LOOK_S))


def _prompted(uart: Stream, start: int, *, after_line: bool = False) -> bool:
    """Tell whether a prompt is the last thing said behind `start`, below the line's own echo."""
    said = uart.read(start)[-_CHUNK:]
    return _PROMPT.search(said) is not None and not (after_line and b"\n" not in said)


def _show(uart: Stream) -> None:
    position, unasked = 0, Unasked()
    while True:
        closed = uart.closed
        new = uart.read(position)
        position += len(new)
        if new:
            _write(unasked.feed(new))
        elif closed:
            _write(unasked.rest())
            return
        else:
            with uart.news:
                if uart.end == position and not uart.closed:
                    uart.news.wait(_LOOK_S)


def _write(data: bytes) -> None:
    if data:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def _raw(source: int) -> Iterator[None]:
    """Let every key through to the machine, and leave the terminal as it was."""
    if not os.isatty(source):
        yield
        return
    saved = termios.tcgetattr(source)
    tty.setraw(source)
    try:
        yield
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, saved)
