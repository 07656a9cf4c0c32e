# SPDX-License-Identifier: Apache-2.0
"""A payload of the user's: S-mode code that starts with a0 = hart id, a1 = device tree.

It is an ELF file, which says where it goes, or a flat binary, which goes where firmware starts a
kernel. It prints by SBI's console and ends by SBI's system reset (SRST).
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
from pathlib import Path

from harness.errors import ConfigError
from harness.machine.layout import KERNEL_BASE, Image, Span, parse_image
from harness.machine.ram import RAM_BASE
from harness.resources import cache_dir

_MIB = 1 << 20
_ELF = b"\x7fELF"
_TYPE_AT, _EXECUTABLE = 16, 2
_JUMP = struct.Struct("<II")
_LINK = f"link it at {KERNEL_BASE:#x}: -Wl,-Ttext={KERNEL_BASE:#x}"
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}


def payload_span(path: Path, key: str, memory_mib: int) -> Span:
    """Return where a payload goes, once it has been looked at.

    Args:
        path: of the file.
        key: the option or key that names it.
        memory_mib: what it has to fit into.

    Raises:
        ConfigError: it is no payload; names the file and the remedy.
    """
    content = _read(path, key, memory_mib * _MIB)
    if not content.startswith(_ELF):
        _check_flat(content, path, key)
        return Span(f"payload {path.name}", KERNEL_BASE, len(content))
    image = _executable(content, path, key)
    low = min(part.paddr for part in image.segments)
    end = max(part.paddr + part.memory_size for part in image.segments)
    return Span(f"payload {path.name}", low, end - low)


def _executable(content: bytes, path: Path, key: str) -> Image:
    image = parse_image(content, path, key)
    (kind,) = struct.unpack_from("<H", content, _TYPE_AT)
    if kind != _EXECUTABLE:
        raise ConfigError(
            f"{key} {path} is not an executable at a fixed address",
            "link it with -static -no-pie, or make a flat binary of it with objcopy -O binary",
        )
    if not any(0 <= image.entry - part.vaddr < part.memory_size for part in image.segments):
        raise ConfigError(
            f"{key} {path}: its entry {image.entry:#x} is in no segment", "name it by ENTRY() or -e"
        )
    return image


def flat_payload(path: Path, key: str, memory_mib: int) -> Path:
    """Return a flat binary that firmware can start at KERNEL_BASE.

    It is the file itself, or for an ELF file what it is in memory, kept in the cache.

    With an ELF file as -kernel, and no initrd, QEMU 10.0.2 puts the device tree where the firmware
    of this machine does not come up; a flat binary has one place only.

    Raises:
        ConfigError: it is no payload, or linked to another place.
    """
    span = payload_span(path, key, memory_mib)
    content = path.read_bytes()
    if not content.startswith(_ELF):
        return path
    if span.end > RAM_BASE + memory_mib * _MIB:
        raise ConfigError(f"{key}: {span} is not in memory", _LINK)
    flat = _laid_out(_executable(content, path, key), span, key)
    place = cache_dir() / "payloads" / f"{hashlib.sha256(flat).hexdigest()[:32]}.bin"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as fresh:
            fresh.write(flat)
        Path(fresh.name).replace(place)
    return place


def _laid_out(image: Image, span: Span, key: str) -> bytes:
    flat = bytearray(span.end - KERNEL_BASE if span.end > KERNEL_BASE else 0)
    free, entry = KERNEL_BASE + _JUMP.size, image.entry
    for part in image.segments:
        # The linker may put the file's own headers in front of the code; nothing runs there.
        below = max(0, KERNEL_BASE - part.paddr)
        if below and (part.file_offset or below >= part.memory_size):
            raise ConfigError(f"{key}: {span} is not behind {KERNEL_BASE:#x}", _LINK)
        start = part.paddr + below
        flat[start - KERNEL_BASE : start - KERNEL_BASE + len(part.data) - below] = part.data[below:]
        free = min(free, start)
        if 0 <= image.entry - part.vaddr < part.memory_size:
            entry = image.entry - part.vaddr + part.paddr
    if entry != KERNEL_BASE:
        if free < KERNEL_BASE + _JUMP.size:
            raise ConfigError(
                f"{key} {image.path} starts at {entry:#x}, and firmware at {KERNEL_BASE:#x}",
                "let the linker script put the entry first",
            )
        flat[: _JUMP.size] = _jump(entry - KERNEL_BASE)
    return bytes(flat)


def _jump(offset: int) -> bytes:
    """Return `auipc t0, …; jr …(t0)` (RISC-V unprivileged specification, RV32I)."""
    high = (offset + 0x800) >> 12
    return _JUMP.pack(high << 12 & 0xFFFFFFFF | 0x297, (offset & 0xFFF) << 20 | 0x28067)


def _read(path: Path, key: str, memory: int) -> bytes:
    if path.is_dir():
        raise ConfigError(f"{key}: {path} is a folder", f"name the file by {key}")
    try:
        size = path.stat().st_size
        if size > memory:
            raise ConfigError(
                f"{key} {path} has {size // _MIB} MiB, more than the machine's memory",
                "a note far below the code makes a flat binary so large: link with "
                "-Wl,--build-id=none, or give the ELF file",
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{key}: {path} is not there", f"correct {key}") from None
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}", f"correct {key}") from None


def _check_flat(content: bytes, path: Path, key: str) -> None:
    remedy = "give an ELF file, or a flat binary (objcopy -O binary)"
    if not content.strip(b"\0"):
        raise ConfigError(f"{key} {path} has no code: it is empty, or all zeros", remedy)
    for magic, name in _PACKED.items():
        if content.startswith(magic):
            raise ConfigError(f"{key} {path} is packed ({name})", "unpack it first")
    if not content.translate(None, _TEXT):
        raise ConfigError(f"{key} {path} is a text file", remedy)


_TEXT = bytes(range(0x20, 0x7F)) + b"\t\n\r"
