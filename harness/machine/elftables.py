# SPDX-License-Identifier: Apache-2.0
"""The tables of an ELF file that every run reads: its segments and its symbols.

Read here (ELF-64 object file format, little-endian): to load pyelftools and let it open a file
takes longer than all that is read. What only a failure needs, lines and frames, is pyelftools'.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("<6s10xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_MAGIC = b"\x7fELF\x02\x01"
_PT_LOAD = 1
_SHT_SYMTAB = 2


@dataclass(frozen=True, slots=True)
class ElfTables:
    """What was read.

    `segments` are the first address and the address behind each PT_LOAD segment as linked;
    `symbols` the entries of .symtab with `names` their string table, both None without one.
    """

    segments: tuple[tuple[int, int], ...]
    symbols: bytes | None
    names: bytes | None


def read_tables(path: Path) -> ElfTables:
    """Read an ELF file's tables; only they are read, a kernel's file is large.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no 64-bit little-endian ELF file, or ends too early.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _tables(file)
    except struct.error as error:
        raise ValueError(str(error)) from error
    finally:
        os.close(file)


def _tables(file: int) -> ElfTables:
    header = _HEADER.unpack(_read(file, 0, _HEADER.size))
    if header[0] != _MAGIC:
        raise ValueError("it is no 64-bit little-endian ELF file")
    _, _, _, _, _, segments_at, sections_at, _, _, size, count, section_size, sections, _ = header
    segments = tuple(
        (entry[3], entry[3] + entry[6])
        for entry in _entries(file, _SEGMENT, segments_at, size, count)
        if entry[0] == _PT_LOAD
    )
    table = list(_entries(file, _SECTION, sections_at, section_size, sections))
    symtab = next((entry for entry in table if entry[1] == _SHT_SYMTAB), None)
    if symtab is None:
        return ElfTables(segments, None, None)
    if symtab[6] >= len(table):
        raise ValueError("its symbol table has no string table")
    names = table[symtab[6]]
    return ElfTables(segments, _read(file, symtab[4], symtab[5]), _read(file, names[4], names[5]))


def _entries(
    file: int, layout: struct.Struct, at: int, size: int, count: int
) -> Iterator[tuple[int, ...]]:
    data = _read(file, at, size * count)
    for index in range(count):
        yield layout.unpack_from(data, index * size)


def _read(file: int, at: int, size: int) -> bytes:
    data = os.pread(file, size, at)
    if len(data) != size:
        raise ValueError("it ends too early")
    return data
