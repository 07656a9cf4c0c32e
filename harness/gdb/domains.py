# SPDX-License-Identifier: Apache-2.0
"""`info domains`: which supervisor domain has each hart, and which memory is confidential."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gdb

from harness.gdb.memory import physical
from harness.machine.registers import parse_registers

_PAGE = 4096
_LEVELS = {0: "U", 1: "HS", 3: "M"}
_GUEST_LEVELS = {0: "VU", 1: "VS"}


def command(_: str) -> None:
    """Show which supervisor domain has each hart, at which privilege, and the memory of each.

    A hart in M-mode is counted to the domain that it came from. `in a TVM` is a guest of the TSM,
    `in a guest of KVM` one of the host.
    """
    virtual = _virtual_harts()
    here = gdb.selected_thread()
    try:
        for thread in sorted(gdb.selected_inferior().threads(), key=lambda one: int(one.num)):
            thread.switch()
            hart = int(thread.num) - 1
            print(_hart_line(hart, hart in virtual))
    finally:
        here.switch()
    for line in _domain_lines():
        print(line)


def _virtual_harts() -> set[int]:
    """Return the harts whose virtualization mode is on (V = 1)."""
    text = gdb.execute("monitor info registers -a", to_string=True)
    return {state.hart for state in parse_registers(text.replace("\r", "")) if state.virtual}


def _hart_line(hart: int, virtual: bool) -> str:
    with physical():
        state = gdb.parse_and_eval(f"tsmd_harts[{hart}]")
        in_tsm, seen = bool(state["in_tsm"]), bool(state["seen"])
        sdid = int(state["sdid"]) if in_tsm else 0
    # Bit 2 is V in newer versions of QEMU.
    level = int(gdb.parse_and_eval("$priv")) & 3
    pc = int(gdb.parse_and_eval("$pc"))
    domain = "TSM domain" if in_tsm else "host domain"
    return (
        f"hart {hart}: {domain} (SDID {sdid}), {_mode(level, virtual, in_tsm)}"
        f" at {pc & (1 << 64) - 1:#x} {_symbol(pc)}".rstrip()
        + ("" if seen else ", not started by the host yet")
    )


def _mode(level: int, virtual: bool, in_tsm: bool) -> str:
    if not virtual:
        return f"{_LEVELS.get(level, level)}-mode"
    guest = "in a TVM" if in_tsm else "in a guest of KVM"
    return f"{_GUEST_LEVELS.get(level, level)}-mode {guest}"


def _symbol(pc: int) -> str:
    found = str(gdb.execute(f"info symbol {pc & (1 << 64) - 1:#x}", to_string=True)).strip()
    return "" if found.startswith("No symbol") else f"<{found.partition(' in section')[0]}>"


def _domain_lines() -> Iterator[str]:
    with physical():
        for index in range(int(gdb.parse_and_eval("tsmd_domain_count"))):
            yield from _domain(gdb.parse_and_eval(f"tsmd_domains[{index}]"))


def _domain(tsm: Any) -> Iterator[str]:
    state = str(tsm["state"]).removeprefix("TSMD_")
    confidential = tsm["confidential"]
    ranges = [confidential["range"][index] for index in range(int(confidential["count"]))]
    yield f"TSM domain (SDID {int(tsm['sdid'])}): {state}, memory {_range(tsm['tsm'])}"
    yield f"pool: {_range(tsm['pool'])}"
    for part in ranges:
        yield f"confidential: {_range(part)}"
    if not ranges:
        yield "confidential: nothing of the pool"


def _range(value: Any) -> str:
    start, end = int(value["start"]), int(value["end"])
    return f"{start:#x}-{end:#x} ({(end - start) // _PAGE} pages)"
