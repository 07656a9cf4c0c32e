# SPDX-License-Identifier: Apache-2.0
"""Instructions that QEMU does not need and hardware does, looked for in the TSM's code.

QEMU notices by itself when code is overwritten, and never walks a page table ahead of time: no
run can show that one of these is missing.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.build.builder import build_all
from harness.config.load import load
from harness.ui import QuietUi
from tests.system.test_mutants import mutate

# By function, and in this order: what must be there.
WANTED = {
    # Guest pages were written as data, or held code of the host.
    "arch_guest_load": [r"\tfence\.i$"],
    # The fence on the way out comes later: nothing of the guest may be walked behind it.
    "arch_guest_enter": [r"<guest_switch>", r"\tcsrw\tvsatp,(0|zero)$"],
    "arch_guest_fence": [r"0x62|hfence\.gvma", r"0x22|hfence\.vvma"],
}
MUTANTS = {
    "arch_guest_load": '\t__asm__ volatile("fence.i" : : : "memory");\n',
    # With what stands behind it: the fetch of an instruction ends in the same way.
    "arch_guest_enter": "\tcsr_write(CSR_VSATP, 0);\n"
    "\t/* What is left over of the guest must not wait for M-mode to go. */\n",
    "arch_guest_fence": '\t__asm__ volatile(".insn r 0x73, 0, 0x11, x0, x0, x0" : : : "memory");\n',
}


def missing(*settings: str) -> set[str]:
    """Names of the functions of the TSM that lack an instruction they need."""
    elf = build_all(load((), settings).value, QuietUi()).tsm_elf
    return {name for name, wanted in WANTED.items() if not _stand_in(elf, name, wanted)}


def _stand_in(elf: Path, name: str, wanted: list[str]) -> bool:
    command = ["riscv64-linux-gnu-objdump", "-d", f"--disassemble={name}", str(elf)]
    listing = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    lines = iter(listing.splitlines())
    # Each is looked for behind the one before.
    return all(any(re.search(pattern, line) for line in lines) for pattern in wanted)


def test_fences_stand_where_hardware_needs_them() -> None:
    assert missing() == set()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_lost_fence_is_noticed(name: str, tmp_path: Path) -> None:
    edit = {"file": "arch/guest.c", "old": MUTANTS[name], "new": ""}
    tree = mutate({"tree": "tsm.source", "edits": [edit]}, tmp_path)
    assert missing(f"tsm.source=path:{tree}") == {name}
