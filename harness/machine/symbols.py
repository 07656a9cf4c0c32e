# SPDX-License-Identifier: Apache-2.0
"""Symbols and source lines of the images that run in the machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import struct
import subprocess
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import itemgetter
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.elftables import ElfTables, read_tables

# Of the compiler that the build uses by default, or any that knows the machine.
_ADDR2LINE = ("riscv64-linux-gnu-addr2line", "riscv64-unknown-elf-addr2line", "llvm-addr2line")
_PATIENCE_S = 10
_TWICE = re.compile(r"^([^/]+/)\1")
_ONCE = r"\1"
_SYMBOL = struct.Struct("<IBBHQQ")
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
        index = bisect_right(self._starts, linked, key=itemgetter(0)) - 1
        if index < 0:
            return None
        start, name_at = self._starts[index]
        place = self._line(linked)
        where = f" ({place})" if place else ""
        return f"{self._name(name_at)}+{linked - start:#x}{where}"

    def prepare(self, addresses: Iterable[int]) -> None:
        """Look up the lines of many addresses at once, which takes as long as for one."""
        linked = {address - self._bias for address in addresses}
        wanted = [at for at in sorted(linked - self._places.keys()) if self._low <= at < self._high]
        if wanted:
            self._places.update(zip(wanted, source_lines(self.path, wanted), strict=True))

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
        for address, name_at, size in self._defined(kinds):
            yield Symbol(self._name(name_at), address, size)

    def _defined(self, kinds: frozenset[int]) -> Iterator[tuple[int, int, int]]:
        """Yield address, place of the name and size of the defined symbols of some kinds."""
        if self._tables.symbols is None or self._tables.names is None:
            raise ConfigError(f"{self.path.name} has no symbol table", "do not strip it")
        for name_at, info, _, section, address, size in _SYMBOL.iter_unpack(self._tables.symbols):
            if info & 0xF in kinds and section != _UNDEFINED and name_at:
                yield address, name_at, size

    def _name(self, name_at: int) -> str:
        names = self._tables.names or b""
        return names[name_at : names.index(b"\0", name_at)].decode(errors="replace")

    @cached_property
    def _objects(self) -> dict[str, Symbol]:
        return {symbol.name: symbol for symbol in self._table(_OBJECTS)}

    @cached_property
    def _functions(self) -> list[Symbol]:
        # Mapping symbols ($x) and local labels name no function.
        symbols = self._table(_FUNCTIONS)
        found = (symbol for symbol in symbols if not symbol.name.startswith(("$", ".L")))
        return sorted(found, key=lambda symbol: symbol.address)

    @cached_property
    def _starts(self) -> list[tuple[int, int]]:
        """Address and place of the name of each of `_functions`: a kernel has 30,000 of them."""
        with self._readable():
            names = self._tables.names or b""
            found = (
                (address, at)
                for address, at, _ in self._defined(_FUNCTIONS)
                if not names.startswith((b"$", b".L"), at)
            )
            return sorted(found, key=itemgetter(0))

    @cached_property
    def _places(self) -> dict[int, str | None]:
        return {}

    def _line(self, address: int) -> str | None:
        if address not in self._places:
            self._places[address] = source_lines(self.path, [address])[0]
        return self._places[address]


@cache
def _addr2line() -> str | None:
    return next((path for name in _ADDR2LINE if (path := shutil.which(name))), None)


def source_lines(elf: Path, addresses: Sequence[int]) -> list[str | None]:
    """Return `file:line` of each address, None where that is not known.

    Args:
        elf: the file, with debug information.
        addresses: as linked.

    addr2line reads only the units that it needs, and in a tenth of the time that pyelftools takes.
    """
    unknown: list[str | None] = [None] * len(addresses)
    program = _addr2line()
    if program is None:
        return unknown
    try:
        said = subprocess.run(
            [program, "-e", str(elf), *map(hex, addresses)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        # What cannot be read costs the lines, not the report.
        return unknown
    lines = said.splitlines()
    return [_place(line) for line in lines] if len(lines) == len(addresses) else unknown


def _place(said: str) -> str | None:
    place = said.split(" (discriminator", 1)[0].strip()
    name, _, number = place.rpartition(":")
    if not name or not number.isdigit() or name == "??":
        return None
    # OpenSBI's build calls its folder and the files in it alike: opensbi/opensbi/lib/...
    return f"{_TWICE.sub(_ONCE, os.path.normpath(name))}:{number}"
