# SPDX-License-Identifier: Apache-2.0
"""Makes small ELF files, so that tests need no compiler."""

from __future__ import annotations

import struct
from collections.abc import Mapping

RISCV = 243
_HEADER = 64
_PROGRAM = 56
_SECTION = 64
_STT_OBJECT, _STT_FUNC = 1, 2


def elf(
    address: int,
    content: bytes,
    *,
    symbols: Mapping[str, tuple[int, int]] | None = None,
    functions: Mapping[str, tuple[int, int]] | None = None,
    machine: int = RISCV,
    bits: int = 64,
    flags: int = 5,
) -> bytes:
    """Return an ELF file with one segment and a symbol table.

    Args:
        address: where the segment is linked; its first byte is the entry.
        content: the segment.
        symbols: address and size of objects by name.
        functions: address and size of functions by name.
        machine: e_machine.
        bits: 32 or 64, in the identification only.
        flags: p_flags.
    """
    entries = {name: (_STT_OBJECT, *place) for name, place in (symbols or {}).items()}
    entries |= {name: (_STT_FUNC, *place) for name, place in (functions or {}).items()}
    start = _HEADER + _PROGRAM
    names = b"\0" + b"".join(name.encode() + b"\0" for name in entries)
    table = bytes(24)
    for name, (kind, value, size) in entries.items():
        table += struct.pack("<IBBHQQ", names.index(name.encode()), kind, 0, 1, value, size)
    section_names = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    parts = [content, table, names, section_names]
    offsets = [start]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    identity = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH",
        2, machine, 1, address, _HEADER, offsets[4], 0, _HEADER, _PROGRAM, 1, _SECTION, 5, 4,
    )  # fmt: skip
    segment = struct.pack(
        "<IIQQQQQQ", 1, flags, start, address, address, len(content), len(content), 4096
    )

    def section(name: bytes, kind: int, part: int, link: int = 0, size: int = 0) -> bytes:
        at = section_names.index(name)
        where = address if kind == 1 else 0
        return struct.pack(
            "<IIQQQQIIQQ", at, kind, 0, where, offsets[part], len(parts[part]), link, 0, 8, size
        )

    sections = bytes(_SECTION)
    sections += section(b".text", 1, 0)
    sections += section(b".symtab", 2, 1, link=3, size=24)
    sections += section(b".strtab", 3, 2)
    sections += section(b".shstrtab", 3, 3)
    return header + segment + b"".join(parts) + sections
