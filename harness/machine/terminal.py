# SPDX-License-Identifier: Apache-2.0
"""This terminal as the machine's UART."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator

from harness.machine.machine import Machine

_LEAVE = b"\x1d"
_LOOK_S = 0.2
_CHUNK = 4096


def interact(machine: Machine) -> None:
    """Pass bytes between the terminal and UART0 until Ctrl-], end of input or power off."""
    shown = threading.Thread(target=_show, args=(machine,), name="terminal", daemon=True)
    with _raw(sys.stdin.fileno()):
        shown.start()
        _type(machine, sys.stdin.fileno())
    if machine.uart.closed:
        shown.join()


def _type(machine: Machine, source: int) -> None:
    while not machine.uart.closed:
        ready, _, _ = select.select([source], [], [], _LOOK_S)
        if not ready:
            continue
        data = os.read(source, _CHUNK)
        if not data and not os.isatty(source):
            # A script is over; what it has asked for is still to come.
            _until_closed(machine)
            return
        if not data or _LEAVE in data:
            return
        machine.uart.send(data)


def _until_closed(machine: Machine) -> None:
    while not machine.uart.closed:
        with machine.uart.news:
            machine.uart.news.wait(_LOOK_S)


def _show(machine: Machine) -> None:
    position = 0
    while True:
        closed = machine.uart.closed
        new = machine.uart.read(position)
        position += len(new)
        if new:
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()
        elif closed:
            return
        else:
            with machine.uart.news:
                machine.uart.news.wait(_LOOK_S)


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
