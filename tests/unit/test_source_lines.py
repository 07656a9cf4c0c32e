# SPDX-License-Identifier: Apache-2.0
"""Lines of source behind addresses."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine import symbols
from harness.machine.symbols import ElfSymbols, source_lines

PROGRAM = "int other(int x);\n\nint one(int x)\n{\n\treturn x + 1;\n}\n"
BASE = 0x80000


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """Return a file that is built as the firmware is: its folder has another name in it."""
    source, made = tmp_path / "one.c", tmp_path / "one.elf"
    source.write_text(PROGRAM)
    options = ["-g", "-O0", "-nostdlib", "-static", f"-Wl,-Ttext={BASE:#x}", "-Wl,-e,one"]
    prefix = f"-ffile-prefix-map={tmp_path}=opensbi"
    command = ["riscv64-linux-gnu-gcc", *options, prefix, "-o", str(made), str(source)]
    subprocess.run(command, check=True, cwd=tmp_path)
    return made


@pytest.fixture
def no_tool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no addr2line be there."""
    monkeypatch.setattr(symbols, "_ADDR2LINE", ())
    symbols._addr2line.cache_clear()
    yield
    symbols._addr2line.cache_clear()


def test_the_line_of_a_function(elf: Path) -> None:
    address = ElfSymbols(elf).function("one").address
    assert source_lines(elf, [address]) == ["opensbi/one.c:4"]
    assert source_lines(elf, [address + 0x10000, address]) == [None, "opensbi/one.c:4"]


def test_lines_that_are_prepared_are_asked_for_once(
    elf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbols_of = ElfSymbols(elf)
    address = symbols_of.function("one").address
    said = symbols_of.describe(address)
    ready = ElfSymbols(elf)
    # An address of no image is left out.
    ready.prepare([address, address, 1])
    monkeypatch.setattr(symbols, "source_lines", lambda *_: pytest.fail("asked again"))
    assert ready.describe(address) == said == "one+0x0 (opensbi/one.c:4)"


def test_a_file_without_lines(tmp_path: Path) -> None:
    file = tmp_path / "no.elf"
    assert source_lines(file, [BASE]) == [None]
    file.write_bytes(b"\x7fELF")
    assert source_lines(file, [BASE]) == [None]


@pytest.mark.usefixtures("no_tool")
def test_without_the_tool_the_function_is_named_still(elf: Path) -> None:
    symbols_of = ElfSymbols(elf)
    assert symbols_of.describe(symbols_of.function("one").address) == "one+0x0"
