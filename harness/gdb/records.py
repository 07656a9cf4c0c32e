# SPDX-License-Identifier: Apache-2.0
"""`tee-trace` and `tee-log`: what the firmware of a stopped machine has recorded so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import gdb

from harness.errors import ConfigError
from harness.gdb.memory import GdbSymbols, PhysicalMemory
from harness.machine.symbols import ElfSymbols
from harness.trace.record import Trace
from harness.trace.ring import Ring, read_rings
from harness.trace.text import text_lines
from harness.trace.tsm import read_log

_SHOWN = 20


# Of the TSMs' events, by SDID.
_WRITERS = ("tsm", "tsm2")


def trace_command(harts: int, tsms: Sequence[str]) -> Callable[[str], None]:
    """Return the command `tee-trace` for a machine.

    Args:
        harts: how many it has.
        tsms: the ELF files of its TSMs, by SDID.
    """

    def trace(argument: str) -> None:
        """Print the last N crossings between host, M-mode, TSMs and TVMs: tee-trace [N]

        They are read from the event rings in memory, so the machine must be stopped. Each line is
        an event as `teecall trace` prints it; the newest of each hart are its last ones. A TSM
        that keeps no events is named above them.
        """
        count = _count(argument)
        memory, problems = PhysicalMemory(), list[str]()
        rings = read_rings(memory, GdbSymbols(), "tsmd", harts)
        for writer, image in zip(_WRITERS, tsms, strict=False):
            try:
                rings += read_rings(memory, ElfSymbols(Path(image)), writer, harts, "tsm_rings")
            except (ConfigError, ValueError) as error:
                problems.append(str(error))
        for line in text_lines(Trace(newest(rings, count), tuple(problems))):
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


def log_command(tsms: Sequence[str]) -> Callable[[str], None]:
    """Return the command `tee-log` for a machine with these TSMs, ELF files by SDID."""

    def log(_: str) -> None:
        """Print the messages of each TSM: tee-log"""
        for sdid, image in enumerate(tsms, 1):
            if len(tsms) > 1:
                print(f"TSM of SDID {sdid}:")
            try:
                print(read_log(PhysicalMemory(), ElfSymbols(Path(image))), end="")
            except (ConfigError, ValueError) as error:
                print(error)

    return log
