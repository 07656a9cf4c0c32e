# SPDX-License-Identifier: Apache-2.0
"""Symbols and source lines of the images that run in the machine."""

from __future__ import annotations

import contextlib
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import ConfigError
from harness.machine.elftables import ElfTables, read_tables

_SYMBOL = struct.Struct("<IBBHQQ")
# The header of a unit in .debug_aranges: length, version, unit, sizes of address and segment.
_ARANGES = struct.Struct("<IHIBB")
_PAIR = struct.Struct("<QQ")
_UNDEFINED = 0
# STT_NOTYPE has the labels of assembler code.
_FUNCTIONS = frozenset({0, 2})
_OBJECTS = frozenset({1})


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol at the address it was linked at."""

    name: str
    address: int
    size: int


class ElfSymbols:
    """The symbols of one ELF file.

    Args:
        path: the file.
        runs_at: address its lowest segment runs at, None where it was linked.
    """

    def __init__(self, path: Path, runs_at: int | None = None) -> None:
        self.path = path
        self._runs_at = runs_at

    def object(self, name: str) -> Symbol:
        """Return the symbol called `name` at the address where it is when the image runs.

        Raises:
            ConfigError: there is none, or the file has no symbol table.
        """
        found = self._objects.get(name)
        if found is None:
            raise ConfigError(
                f"{self.path.name} has no symbol {name}",
                "it must not be stripped (strip -g is fine)",
            )
        return Symbol(name, found.address + self._bias, found.size)

    def function(self, name: str) -> Symbol:
        """Return the function called `name` at the address where it is when the image runs.

        Raises:
            ConfigError: there is none, or the file has no symbol table.
        """
        found = next((symbol for symbol in self._functions if symbol.name == name), None)
        if found is None:
            raise ConfigError(
                f"{self.path.name} has no function {name}",
                "it must not be stripped (strip -g is fine)",
            )
        return Symbol(name, found.address + self._bias, found.size)

    def describe(self, address: int) -> str | None:
        """Return `function+offset` and, where known, `(file:line)` for an address of the image.

        None if the address is not in the image's code.
        """
        linked = address - self._bias
        if not self._low <= linked < self._high:
            return None
        index = bisect_right(self._functions, linked, key=lambda symbol: symbol.address) - 1
        if index < 0:
            return None
        symbol = self._functions[index]
        place = self._line(linked)
        where = f" ({place})" if place else ""
        return f"{symbol.name}+{linked - symbol.address:#x}{where}"

    @cached_property
    def _elf(self) -> Any:
        from elftools.elf.elffile import ELFFile

        # Left open: pyelftools reads sections when they are asked for.
        with self._readable():
            file: BinaryIO = self.path.open("rb")
            return ELFFile(file)

    @cached_property
    def _tables(self) -> ElfTables:
        with self._readable():
            return read_tables(self.path)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """Name the file that cannot be read: pyelftools raises whatever it stumbles over."""
        try:
            yield
        except ConfigError:
            raise
        except OSError as error:
            raise ConfigError(f"{self.path}: {error.strerror}", "check the file") from error
        except Exception as error:
            raise ConfigError(
                f"{self.path.name} is damaged: {error}", "build or copy it anew"
            ) from error

    @property
    def _low(self) -> int:
        return min((low for low, _ in self._tables.segments), default=0)

    @property
    def _high(self) -> int:
        return max((high for _, high in self._tables.segments), default=0)

    @cached_property
    def _bias(self) -> int:
        return 0 if self._runs_at is None else self._runs_at - self._low

    def _table(self, kinds: frozenset[int]) -> list[Symbol]:
        """Return the defined symbols of some kinds."""
        with self._readable():
            return list(self._symbols(kinds))

    def _symbols(self, kinds: frozenset[int]) -> Iterator[Symbol]:
        """Yield the defined symbols of some kinds."""
        table, names = self._tables.symbols, self._tables.names
        if table is None or names is None:
            raise ConfigError(f"{self.path.name} has no symbol table", "do not strip it")
        for name_at, info, _, section, address, size in _SYMBOL.iter_unpack(table):
            if info & 0xF in kinds and section != _UNDEFINED and name_at:
                name = names[name_at : names.index(b"\0", name_at)]
                yield Symbol(name.decode(errors="replace"), address, size)

    @cached_property
    def _objects(self) -> dict[str, Symbol]:
        return {symbol.name: symbol for symbol in self._table(_OBJECTS)}

    @cached_property
    def _functions(self) -> list[Symbol]:
        # Mapping symbols ($x) and local labels name no function.
        symbols = self._table(_FUNCTIONS)
        found = (symbol for symbol in symbols if not symbol.name.startswith(("$", ".L")))
        return sorted(found, key=lambda symbol: symbol.address)

    def _line(self, address: int) -> str | None:
        try:
            return self._lines.line(address) if self._lines else None
        except (KeyError, ValueError, AttributeError, AssertionError):
            # Debug information that pyelftools cannot read costs the line, not the report.
            return None

    @cached_property
    def _lines(self) -> _Lines | None:
        return _Lines(self._elf.get_dwarf_info()) if self._elf.has_dwarf_info() else None


def address_ranges(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and compilation unit of the ranges in .debug_aranges (DWARF 5, 6.1.2).

    Args:
        data: the section, of a little-endian ELF with addresses of 64 bits.

    A function that the linker discarded leaves a range of zeros, which looks like the end of its
    unit's: only the unit's length tells, so pyelftools loses the ranges behind it.
    """
    start = 0
    while start + _ARANGES.size <= len(data):
        length, _, unit, _, _ = _ARANGES.unpack_from(data, start)
        end = start + 4 + length
        # The pairs are aligned to their own size, counted from the unit's header.
        first = start + -(-_ARANGES.size // _PAIR.size) * _PAIR.size
        pairs = data[first:end]
        whole = len(pairs) // _PAIR.size * _PAIR.size
        for address, size in _PAIR.iter_unpack(pairs[:whole]):
            if size:
                yield address, address + size, unit
        start = end


class _Lines:
    """Source lines by address; only the compilation units that are asked for are read."""

    def __init__(self, dwarf: Any) -> None:
        self._dwarf = dwarf
        section = dwarf.debug_aranges_sec
        data = section.stream.getvalue() if section is not None else b""
        self._units = sorted(address_ranges(data))

    def line(self, address: int) -> str | None:
        """Return `file:line` of an address."""
        index = bisect_right(self._units, address, key=lambda unit: unit[0]) - 1
        if index < 0 or address >= self._units[index][1]:
            return None
        program = self._dwarf.line_program_for_CU(self._dwarf.get_CU_at(self._units[index][2]))
        last: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            known = last is not None and not last.end_sequence
            if known and last.address <= address < state.address:
                return f"{_file_name(program, last.file)}:{last.line}"
            last = state
        return None


def _file_name(program: Any, index: int) -> str:
    header = program.header
    # DWARF 5 counts files and folders from 0, the versions before from 1.
    base = 0 if header.version >= 5 else 1
    entry = header.file_entry[index - base]
    folder = entry.dir_index - base
    parts = [entry.name.decode()]
    if folder >= 0:
        parts.insert(0, header.include_directory[folder].decode())
    return "/".join(parts)
