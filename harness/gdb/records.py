# SPDX-License-Identifier: Apache-2.0
"""`tee-trace` and `tee-log`: what the firmware of a stopped machine has recorded so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gdb

from harness.gdb.memory import GdbSymbols, PhysicalMemory
from harness.trace.record import Trace
from harness.trace.ring import Ring, read_rings
from harness.trace.text import text_lines
from harness.trace.tsm import read_log

_SHOWN = 20


def trace_command(harts: int) -> Callable[[str], None]:
    """Return the command `tee-trace` for a machine with so many harts."""

    def trace(argument: str) -> None:
        """Print the last N crossings between host, M-mode, TSM and TVM: tee-trace [N]

        They are read from the event rings in memory, so the machine must be stopped. Each line is
        an event as `teecall trace` prints it; the newest of each hart are its last ones.
        """
        memory, symbols = PhysicalMemory(), GdbSymbols()
        rings = [
            ring
            for writer in ("tsmd", "tsm")
            for ring in read_rings(memory, symbols, writer, harts)
        ]
        for line in text_lines(Trace(newest(rings, _count(argument)), ())):
            print(line)

    return trace


def _count(argument: str) -> int:
    if not argument.strip():
        return _SHOWN
    if not argument.strip().isdigit() or not int(argument):
        raise gdb.GdbError(f"tee-trace takes a number of events, not `{argument}`")
    return int(argument)


def newest(rings: list[Ring], count: int) -> tuple[Ring, ...]:
    """Return the rings with the `count` newest events of all of them together."""
    events = sorted((event for ring in rings for event in ring.events), key=lambda one: one.time)
    kept = {id(event) for event in events[-count:]}
    return tuple(
        replace(ring, events=tuple(event for event in ring.events if id(event) in kept))
        for ring in rings
    )


def log_command(_: str) -> None:
    """Print the TSM's messages: tee-log"""
    print(read_log(PhysicalMemory(), GdbSymbols()), end="")
