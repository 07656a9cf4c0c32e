# SPDX-License-Identifier: Apache-2.0
"""The classification of every CSR: read from firmware/audit/csrs.yaml, turned into a plan."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import msgspec

from harness.config.tree import Tree, parse_file
from harness.errors import ConfigError

MAX_CSRS = 256
_ALL = (1 << 64) - 1
_MAGIC = 0x414C502E54445541
_HEADER = struct.Struct("<QQ")
_ENTRY = struct.Struct("<QQQQ")
_HOST_WRITES, _TSM_READS, _TSM_WRITES, _PAGE_TABLE = 1, 2, 4, 8
_ROW = re.compile(r"^\s*TSMD_CSR\((\w+),\s*(0x[0-9a-fA-F]+|\d+)\s*,", re.MULTILINE)


class Kind(StrEnum):
    """What the domain switch does with a CSR."""

    SWITCHED = "switched"
    CLEARED = "cleared"
    SHARED = "shared"
    READONLY = "readonly"


@dataclass(frozen=True, slots=True)
class Csr:
    """A row of the table.

    Args:
        name, number: of the CSR.
        kind: what the switch does with it.
        line: where the row is in the table.
        host, tsm: what either side writes, None when it does not.
        finds: what the TSM finds; None: the address of its call entry.
        why: the design that shares it.
        view: the CSR of which it shows bits.
        group: "fp" or "vector" when it is looked at with that state.
        volatile: it changes by itself.
        page_table: its pattern lacks the address of a page table.
        mask: its bits that mean something.
    """

    name: str
    number: int
    kind: Kind
    line: int
    host: int | None = None
    tsm: int | None = None
    finds: int | None = 0
    why: str = ""
    view: str = ""
    group: str = ""
    volatile: bool = False
    page_table: bool = False
    mask: int = _ALL

    @property
    def compared(self) -> bool:
        """True when both sides can look at it and its value means something."""
        return not self.volatile and not self.group

    @property
    def flags(self) -> int:
        """What the two sides do with it, as in struct plan_entry of firmware/audit/audit.h."""
        return (
            _HOST_WRITES * (self.host is not None)
            | _TSM_READS * self.compared
            | _TSM_WRITES * (self.tsm is not None)
            | _PAGE_TABLE * self.page_table
        )


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"group": "with"}):
    csr: int
    kind: Kind
    host: int | None = None
    tsm: int | None = None
    finds: int | str = 0
    why: str = ""
    view: str = ""
    group: str = ""
    volatile: bool = False
    page_table: bool = False
    mask: int = _ALL
    count: int = 1


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """A row of the switch's own table, tsmd_csrs.h."""

    name: str
    number: int
    line: int


@dataclass(frozen=True)
class Table:
    """The classification, and the switch's own rows beside it.

    Args:
        path: of the classification.
        csrs: its rows in their order.
        switch: rows of tsmd_csrs.h by name.
    """

    path: Path
    csrs: tuple[Csr, ...]
    switch: Mapping[str, HeaderRow]

    @cached_property
    def by_number(self) -> dict[int, Csr]:
        """The rows by the number of their CSR."""
        return {csr.number: csr for csr in self.csrs}

    @cached_property
    def by_name(self) -> dict[str, Csr]:
        """The rows by the name of their CSR."""
        return {csr.name: csr for csr in self.csrs}

    def place(self, csr: Csr) -> str:
        """Return where the CSR stands in the two tables."""
        row = self.switch.get(csr.name)
        here = f"{self.path.name}:{csr.line} {csr.kind}"
        if csr.view:
            return f"{here}, view of {csr.view}"
        if row is not None:
            return f"{here}, tsmd_csrs.h:{row.line}"
        return f"{here}, not in tsmd_csrs.h" if csr.kind is Kind.SWITCHED else here

    def plan(self) -> bytes:
        """Return `struct plan` of firmware/audit/audit.h."""
        if len(self.csrs) > MAX_CSRS:
            raise ConfigError(f"{self.path}: more than {MAX_CSRS} CSRs", "raise AUDIT_MAX_CSRS")
        entries = (_ENTRY.pack(c.number, c.flags, c.host or 0, c.tsm or 0) for c in self.csrs)
        return _HEADER.pack(_MAGIC, len(self.csrs)) + b"".join(entries)

    def disagreements(self) -> list[str]:
        """Return where the classification and tsmd_csrs.h contradict each other."""
        return list(self._disagreements())

    def _disagreements(self) -> Iterator[str]:
        for row in self.switch.values():
            csr = self.by_number.get(row.number)
            where = f"tsmd_csrs.h:{row.line} {row.name} ({row.number:#x})"
            # M-mode's own registers answer to nobody in S-mode.
            if row.number >> 8 & 3 == 3:
                continue
            if csr is None or csr.name != row.name:
                yield f"{where} is not in {self.path.name} under this name"
            elif csr.kind is not Kind.SWITCHED or csr.view:
                yield f"{where} is {csr.kind} in {self.path.name}:{csr.line}"
        for csr in self.csrs:
            if csr.kind is Kind.SWITCHED and not csr.view and csr.name not in self.switch:
                yield f"{self.path.name}:{csr.line} {csr.name} is not in tsmd_csrs.h"


def parse_header(text: str) -> dict[str, HeaderRow]:
    """Return the rows of a tsmd_csrs.h by name."""
    found = {}
    for match in _ROW.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        found[match[1]] = HeaderRow(match[1], int(match[2], 0), line)
    return found


def read_table(path: Path, headers: Sequence[Path]) -> Table:
    """Read the classification and the switch's own table.

    Args:
        path: csrs.yaml.
        headers: the files of the domain switch that may have rows.

    Raises:
        ConfigError: one of them cannot be read or has rows that make no sense.
    """
    tree = parse_file(path)
    assert tree.mapping is not None
    csrs = [csr for name, row in tree.mapping.items() for csr in _rows(name, row)]
    taken: dict[int, Csr] = {}
    for csr in csrs:
        if csr.number in taken:
            raise ConfigError(
                f"{path}:{csr.line}: {csr.name} has the number of {taken[csr.number].name}"
            )
        taken[csr.number] = csr
    switch: dict[str, HeaderRow] = {}
    for header in headers:
        switch |= parse_header(header.read_text(encoding="utf-8"))
    return Table(path, tuple(csrs), switch)


def _rows(name: str, tree: Tree) -> Iterator[Csr]:
    try:
        row = msgspec.convert(tree.plain, _Row)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{tree.origin}: {name}: {error}") from None
    if row.kind is Kind.SHARED and not row.why:
        raise ConfigError(f"{tree.origin}: {name} is shared without a reason", "write `why:`")
    for index in range(row.count):
        yield Csr(
            name=name if row.count == 1 else f"{name}{(row.csr + index) & 31}",
            number=row.csr + index,
            kind=row.kind,
            line=tree.origin.line,
            host=row.host,
            tsm=row.tsm,
            finds=row.finds if isinstance(row.finds, int) else None,
            why=row.why,
            view=row.view,
            group=row.group,
            volatile=row.volatile,
            page_table=row.page_table,
            mask=row.mask,
        )
