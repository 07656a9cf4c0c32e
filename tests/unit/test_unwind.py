# SPDX-License-Identifier: Apache-2.0
"""Backtraces of a dead TSM from its stack, and the lines of source behind discarded functions."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from harness.machine.symbols import ElfSymbols
from harness.machine.unwind import Place, Unwinder, last_death

BASE, STACK, STACK_SIZE = 0x8F000000, 0x8F100000, 512
# No compressed instructions: every one has 4 bytes. A frame of 32 bytes, and one of 16 in it.
PROGRAM = """
    .option norvc
    .option norelax
    .cfi_sections .debug_frame
    .globl outer, inner
outer:
    .cfi_startproc
    addi sp, sp, -32
    .cfi_def_cfa_offset 32
    sd ra, 24(sp)
    .cfi_offset ra, -8
    jal ra, inner
    nop
    .cfi_endproc
inner:
    .cfi_startproc
    addi sp, sp, -16
    .cfi_def_cfa_offset 16
    sd ra, 8(sp)
    .cfi_offset ra, -8
    unimp
    .cfi_endproc
"""
# As the compiler does it without optimisation: the frame is counted from s0.
POINTED = PROGRAM.replace(
    """    .cfi_offset ra, -8
    jal ra, inner
""",
    """    .cfi_offset ra, -8
    addi s0, sp, 32
    .cfi_def_cfa s0, 0
    jal ra, inner
""",
)
OUTER, INNER = BASE, BASE + 16
AFTER_CALL = OUTER + 12


class Stack:
    """Memory that has nothing but a stack."""

    def __init__(self, **words: int) -> None:
        self.data = bytearray(STACK_SIZE)
        for name, value in words.items():
            struct.pack_into("<Q", self.data, int(name.removeprefix("at")), value)

    def read(self, address: int, size: int) -> bytes:
        start = address - STACK
        if not 0 <= start <= STACK_SIZE - size:
            raise ValueError(address)
        return bytes(self.data[start : start + size])


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = assembled(PROGRAM, tmp_path_factory.mktemp("elf"))
    assert ElfSymbols(target).function("inner").address == INNER
    return target


def assembled(text: str, folder: Path) -> Path:
    source, target = folder / "frames.S", folder / "frames.elf"
    source.write_text(text)
    flags = ["-g", "-nostdlib", "-static", "-Wl,--build-id=none", f"-Wl,-Ttext={BASE:#x},-e,outer"]
    subprocess.run(["riscv64-linux-gnu-gcc", *flags, "-o", target, source], check=True)
    return target


def test_the_callers_are_found_on_the_stack(elf: Path) -> None:
    place = Place("fault", INNER + 8, 0, STACK)
    assert Unwinder(elf).backtrace(place, Stack(at8=AFTER_CALL)) == [INNER + 8, AFTER_CALL]


def test_a_frame_that_is_counted_from_a_frame_pointer_is_found(tmp_path: Path) -> None:
    elf = assembled(POINTED, tmp_path)
    inner = ElfSymbols(elf).function("inner").address
    place = Place("fault", inner + 8, 0, STACK)
    # What called the outer function is where its frame of 32 bytes has it, behind the inner's.
    found = Unwinder(elf).backtrace(place, Stack(at8=OUTER + 16, at40=BASE - 4))
    assert found == [inner + 8, OUTER + 16, BASE - 4]


def test_before_the_frame_is_made_the_register_has_the_caller(elf: Path) -> None:
    place = Place("fault", INNER, AFTER_CALL, STACK)
    assert Unwinder(elf).backtrace(place, Stack(at24=BASE - 4)) == [INNER, AFTER_CALL, BASE - 4]


def test_a_jump_to_nowhere_begins_at_the_callers_frame(elf: Path) -> None:
    place = Place("fault", 0x80200000, INNER + 12, STACK)
    found = Unwinder(elf).backtrace(place, Stack(at8=AFTER_CALL))
    assert found == [0x80200000, INNER + 12, AFTER_CALL]


def test_a_stack_that_is_not_memory_ends_the_backtrace(elf: Path) -> None:
    place = Place("fault", INNER + 8, 0, STACK + STACK_SIZE)
    assert Unwinder(elf).backtrace(place, Stack()) == [INNER + 8]


def test_a_recursion_without_end_ends(elf: Path) -> None:
    again = {f"at{offset}": INNER + 12 for offset in range(8, STACK_SIZE, 16)}
    found = Unwinder(elf).backtrace(Place("fault", INNER + 8, 0, STACK), Stack(**again))
    assert set(found[1:]) == {INNER + 12}
    assert len(found) == 1 + STACK_SIZE // 16


def _report(kind: str, pc: int) -> str:
    return f"tsmd: TSM {kind} at: mepc=0x{pc:x} ra=0x2 sp=0x3"


def test_harts_that_left_a_dead_tsm_come_behind_the_one_that_found_it() -> None:
    before = [_report("left", 1), _report("fault", 2), "", "OpenSBI v1.8.1"]
    # A hart that leaves may report first.
    now = [_report("left", 3), _report("hang", 4), _report("left", 5)]
    assert [(place.kind, place.pc) for place in last_death("\n".join(before + now))] == [
        ("hang", 4),
        ("left", 3),
        ("left", 5),
    ]
    assert last_death(_report("left", 1)) == []
