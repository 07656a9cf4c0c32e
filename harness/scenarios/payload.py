# SPDX-License-Identifier: Apache-2.0
"""The guest of the smoke run: its secret, its answer and its measurement, worked out here.

The guest is the same program each time, but with a secret of this run in its image, so that no
earlier run and no part of the firmware can know the answer.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import abi
from harness.errors import ConfigError
from harness.machine.layout import Image, parse_image

PAGE = 4096
SECRET_SIZE = 32
PRIMES_BELOW_10000 = 1229
GUEST_PATH = "/payload/hello.elf"
_MASK = (1 << 64) - 1
_WHAT = "the guest (tvm.payload)"
_MIX = 0x9E3779B97F4A7C15
_SYMTAB = 2
_SYMBOL = struct.Struct("<IBBHQQ")
_HEADER = struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True, slots=True)
class Payload:
    """The guest's file with the secret of this run in it.

    `secret_gpa` is the guest physical address of the secret, None in a guest of the user's that
    has no place for one.
    """

    file: bytes
    secret: bytes
    secret_gpa: int | None
    entry: int
    pages: Mapping[int, bytes]

    def expected_lines(self, nonce: int) -> list[str]:
        """Return what the guest must print when it is launched with `nonce`."""
        return [
            f"hello: nonce={nonce:016x}",
            f"hello: answer={mix(self.secret, nonce):016x}",
            f"hello: primes={PRIMES_BELOW_10000}",
            f"hello: measurement4={measure_pages(self.pages).hex()}",
            f"hello: measurement5={measure_entry(self.entry, nonce).hex()}",
            "hello: bye",
        ]


def make_payload(path: Path, secret: bytes) -> Payload:
    """Return the guest with `secret` (SECRET_SIZE bytes) put into its ELF file.

    Raises:
        ConfigError: it is not a guest.
    """
    blob = path.read_bytes()
    if not blob.startswith(b"\x7fELF"):
        raise ConfigError(
            f"{_WHAT} {path} is a flat binary, and not an ELF file as this scenario needs",
            "run it by `teecall run payload`, or give an ELF file",
        )
    image = parse_image(blob, path, _WHAT)
    address = _secret_address(blob)
    if address is not None:
        offset = _file_offset(image, address)
        blob = blob[:offset] + secret + blob[offset + SECRET_SIZE :]
        image = parse_image(blob, path, _WHAT)
    return Payload(blob, secret, address, image.entry, measured_pages(image))


def _secret_address(blob: bytes) -> int | None:
    """Return the address of the symbol `secret`, None where there is none.

    Read here: the machine waits for this file, and loading pyelftools takes longer than the boot
    can spare. Its part of the work is done while the machine boots.
    """
    try:
        sections = _sections(blob)
        table = next(part for part in sections if part.kind == _SYMTAB)
        names = sections[table.link]
        for name_at, _, _, section, address, _ in _SYMBOL.iter_unpack(table.content):
            if section and names.content.startswith(b"secret\0", name_at):
                return int(address)
    except (struct.error, StopIteration, IndexError):
        pass
    return None


@dataclass(frozen=True, slots=True)
class _Section:
    kind: int
    link: int
    content: bytes


def _sections(blob: bytes) -> list[_Section]:
    """Return the sections of an ELF64 file (ELF specification, section header table)."""
    (start,) = struct.unpack_from("<Q", blob, 40)
    size, count = struct.unpack_from("<HH", blob, 58)
    found = []
    for index in range(count):
        _, kind, _, _, at, length, link, *_ = _HEADER.unpack_from(blob, start + index * size)
        found.append(_Section(kind, link, blob[at : at + length]))
    return found


def _file_offset(image: Image, address: int) -> int:
    for segment in image.segments:
        inside = address - segment.vaddr
        if 0 <= inside <= len(segment.data) - SECRET_SIZE:
            return segment.file_offset + inside
    raise ConfigError(
        f"{image.path.name}: the symbol `secret` has no {SECRET_SIZE} bytes in the file",
        "see guest-images/tvm/hello.c",
    )


def measured_pages(image: Image) -> dict[int, bytes]:
    """Return the content of each page that is measured, by guest physical address, ascending.

    The pages of all segments are measured, zeros where the file has no bytes.
    """
    pages: dict[int, bytearray] = {}
    for segment in image.segments:
        first = segment.paddr & ~(PAGE - 1)
        end = segment.paddr + segment.memory_size
        for address in range(first, end, PAGE):
            pages.setdefault(address, bytearray(PAGE))
        for at in range(0, len(segment.data), PAGE):
            _place(pages, segment.paddr + at, segment.data[at : at + PAGE])
    return {address: bytes(pages[address]) for address in sorted(pages)}


def _place(pages: dict[int, bytearray], address: int, data: bytes) -> None:
    """Copy at most a page of data, which may lie across the border of two pages."""
    page = address & ~(PAGE - 1)
    start = address - page
    head = data[: PAGE - start]
    pages[page][start : start + len(head)] = head
    if len(head) < len(data):
        rest = data[len(head) :]
        pages[page + PAGE][: len(rest)] = rest


def measure_pages(pages: Mapping[int, bytes]) -> bytes:
    """Return measurement register 4: M := SHA384(M | GPA as u64 LE | page), from 48 zero bytes."""
    register = bytes(abi.MEASUREMENT_DIGEST_SIZE)
    for address in sorted(pages):
        register = _extend(register, struct.pack("<Q", address) + pages[address])
    return register


def measure_entry(entry: int, argument: int) -> bytes:
    """Return measurement register 5: extended with entry pc, then with the entry argument."""
    register = bytes(abi.MEASUREMENT_DIGEST_SIZE)
    for value in (entry, argument):
        register = _extend(register, struct.pack("<Q", value))
    return register


def _extend(register: bytes, data: bytes) -> bytes:
    return hashlib.sha384(register + data).digest()


def mix(secret: bytes, nonce: int) -> int:
    """Return the guest's answer to `nonce`, as guest-images/tvm/hello.c computes it."""
    result = nonce
    for (word,) in struct.iter_unpack("<Q", secret):
        result = (result ^ word) * _MIX & _MASK
        result ^= result >> 29
    return result
