# SPDX-License-Identifier: Apache-2.0
"""Symbols of the four images, the connection to the machine, and the commands."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import gdb

from harness.gdb import domains, records

_PT_LOAD = 1
_HELP = """Commands that know the machine (`help COMMAND` tells more):
  info domains      which domain has each hart, and which memory is confidential
  tee-trace [N]     the last N crossings of the event rings [default: 20]
  tee-log           the messages of each TSM
  tee-help          this
A thread of gdb is a hart. Symbols: OpenSBI, TSM, Linux and TVM; the last with guest addresses.
`detach` or the end of gdb lets the machine go on."""


def begin(images_file: str, socket: str) -> None:
    """Load the symbols, connect to the machine and add the commands.

    Args:
        images_file: images.json of the run.
        socket: path of the run's gdb.sock.
    """
    images = json.loads(Path(images_file).read_text(encoding="utf-8"))
    for line in (
        "set confirm off",
        "set pagination off",
        "set architecture riscv:rv64",
        # What is remembered of memory would be of another hart's address space.
        "set stack-cache off",
        "set code-cache off",
    ):
        gdb.execute(line, to_string=True)
    _load_symbols(images)
    _register("info domains", domains.command)
    tsms = [str(images[name]) for name in ("tsm", "tsm2") if images.get(name)]
    _register("tee-trace", records.trace_command(int(images["harts"]), tsms))
    _register("tee-log", records.log_command(tsms))
    _register("tee-help", _help)
    gdb.execute(f"target remote {socket}", to_string=True)
    print("teecall: the machine is stopped; `tee-help` lists the commands, `detach` lets it go on")


def _load_symbols(images: dict[str, object]) -> None:
    if images["linux"]:
        gdb.execute(f"symbol-file {_quoted(images['linux'])}", to_string=True)
    opensbi = str(images["opensbi"])
    bias = int(str(images["opensbi_runs_at"])) - lowest_segment(Path(opensbi).read_bytes())
    gdb.execute(f"add-symbol-file {_quoted(opensbi)} -o {bias}", to_string=True)
    for name in ("tsm", "tsm2", "tvm"):
        if images.get(name):
            gdb.execute(f"add-symbol-file {_quoted(images[name])}", to_string=True)


def lowest_segment(blob: bytes) -> int:
    """Return the lowest address that an ELF64 file loads (ELF specification, program header)."""
    (start,) = struct.unpack_from("<Q", blob, 32)
    size, count = struct.unpack_from("<HH", blob, 54)
    found: list[int] = []
    for index in range(count):
        kind, _, _, address = struct.unpack_from("<IIQQ", blob, start + index * size)
        if kind == _PT_LOAD:
            found.append(int(address))
    return min(found)


def _quoted(path: object) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _register(name: str, function: Callable[[str], None]) -> None:
    """Add a command to gdb; the function's docstring is its help."""

    class Command(gdb.Command):  # type: ignore[misc]
        __doc__ = function.__doc__

        def invoke(self, argument: str, from_tty: bool) -> None:
            function(argument)

    Command(name, gdb.COMMAND_STATUS)


def _help(_: str) -> None:
    """List the commands of teecall."""
    print(_HELP)
