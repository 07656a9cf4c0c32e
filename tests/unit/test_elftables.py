# SPDX-License-Identifier: Apache-2.0
"""The tables of an ELF file: as pyelftools reads them, and from damaged files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.errors import ConfigError
from harness.machine.elftables import read_tables
from harness.machine.symbols import ElfSymbols
from tests.unit.elf_maker import elf

FILE = elf(
    0x8000_0000,
    bytes(32),
    symbols={"data": (0x8000_0010, 8), "more": (0x8000_0018, 8)},
    functions={"code": (0x8000_0000, 16)},
)


def test_it_reads_what_pyelftools_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.elf"
    path.write_bytes(FILE)
    found, other = read_tables(path), ELFFile(BytesIO(FILE))
    table = other.get_section_by_name(".symtab")
    assert isinstance(table, SymbolTableSection)
    assert (found.symbols, found.names) == (table.data(), table.stringtable.data())
    assert found.segments == ((0x8000_0000, 0x8000_0020),)
    assert ElfSymbols(path, runs_at=0x9000_0000).object("more").address == 0x9000_0018


@pytest.mark.parametrize("size", [0, 10, 63, 100, 200, len(FILE) - 1])
def test_a_file_that_ends_too_early(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.elf"
    path.write_bytes(FILE[:size])
    with pytest.raises(ValueError, match="too early"):
        read_tables(path)
    with pytest.raises(ConfigError, match="is damaged"):
        ElfSymbols(path).object("data")


@pytest.mark.parametrize(("at", "byte"), [(0, 0), (4, 1), (5, 2), (54, 0), (58, 0)], ids=str)
def test_a_damaged_header(tmp_path: Path, at: int, byte: int) -> None:
    path = tmp_path / "a.elf"
    path.write_bytes(FILE[:at] + bytes([byte]) + FILE[at + 1 :])
    with pytest.raises(ConfigError, match="is damaged"):
        ElfSymbols(path).object("data")
