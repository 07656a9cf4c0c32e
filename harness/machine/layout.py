# SPDX-License-Identifier: Apache-2.0
"""What lies where in the machine's memory, checked before the machine starts.

Two images in one place make a machine that dies in silence, so overlaps are found here, where
both can still be named.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from harness.config.domains import TsmDomain, domains
from harness.config.schema import Config
from harness.errors import ConfigError
from harness.machine.ram import RAM_BASE

KERNEL_BASE = RAM_BASE + (2 << 20)
_MIB = 1 << 20
_PAGE = 4096
_EM_RISCV = 243
_ELFCLASS64 = 2
_PT_LOAD = 1
_TSM_SEGMENT = "TSM segment"
_ELF_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_IMAGE_HEADER = struct.Struct("<IIQQQIIQ8sI")
# OpenSBI puts its per-hart stacks and its heap behind the image it is linked as.
_FIRMWARE_EXTRA = 0x8000
_FIRMWARE_EXTRA_PER_HART = 0x3000


@dataclass(frozen=True, slots=True)
class Span:
    """A named range of physical memory."""

    name: str
    base: int
    size: int

    @property
    def end(self) -> int:
        """First address behind the range."""
        return self.base + self.size

    def overlaps(self, other: Span) -> bool:
        """Tell whether the two ranges share a byte."""
        return self.base < other.end and other.base < self.end

    def holds(self, other: Span) -> bool:
        """Tell whether `other` lies inside this range."""
        return self.base <= other.base and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.name} [{self.base:#x}, {self.end:#x})"


@dataclass(frozen=True, slots=True)
class Segment:
    """A loadable segment of an ELF file; `data` is its file content, at `file_offset`."""

    file_offset: int
    vaddr: int
    paddr: int
    memory_size: int
    writable: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Image:
    """A RISC-V ELF file, as far as loading it goes."""

    path: Path
    entry: int
    segments: tuple[Segment, ...]


def read_image(path: Path, what: str) -> Image:
    """Read the entry and the loadable segments of a 64-bit RISC-V ELF file.

    Raises:
        ConfigError: not such a file; `what` names it in the message.
    """
    try:
        return parse_image(path.read_bytes(), path, what)
    except OSError as error:
        raise ConfigError(f"{what} {path}: {error.strerror}") from error


def parse_image(blob: bytes, path: Path, what: str) -> Image:
    """Do what `read_image` does with the file's content.

    This runs before every boot, so it reads the two headers by itself: a library costs more
    time to import than the whole check takes.
    """
    remedy = f"give a 64-bit RISC-V ELF file as {what}"
    if blob[:4] != b"\x7fELF" or len(blob) < _ELF_HEADER.size:
        raise ConfigError(f"{what} {path} is not an ELF file", remedy)
    fields = _ELF_HEADER.unpack_from(blob)
    if fields[1] != _ELFCLASS64:
        raise ConfigError(f"{what} {path} is a 32-bit ELF file", remedy)
    if fields[5] != _EM_RISCV:
        raise ConfigError(
            f"{what} {path} is an ELF file for another machine (e_machine {fields[5]})", remedy
        )
    try:
        segments = tuple(_segments(blob, fields[8], fields[12], fields[13]))
    except struct.error as error:
        raise _damaged(path, what) from error
    sections_end = fields[9] + fields[14] * fields[15] if fields[9] else 0
    if sections_end > len(blob):
        raise _damaged(path, what)
    if not segments:
        raise ConfigError(f"{what} {path} has nothing to load", remedy)
    return Image(path, fields[7], segments)


def _damaged(path: Path, what: str) -> ConfigError:
    return ConfigError(f"{what} {path} is damaged: it is cut short", "build or copy it anew")


def _segments(blob: bytes, offset: int, entry_size: int, count: int) -> list[Segment]:
    found = []
    for index in range(count):
        kind, flags, start, vaddr, paddr, file_size, memory_size, _ = _PROGRAM_HEADER.unpack_from(
            blob, offset + index * entry_size
        )
        if kind == _PT_LOAD and memory_size:
            data = blob[start : start + file_size]
            if len(data) < file_size or file_size > memory_size:
                raise struct.error("the file ends inside a segment")
            found.append(Segment(start, vaddr, paddr, memory_size, bool(flags & 2), data))
    return found


def firmware_span(image: Image, harts: int) -> Span:
    """Return what OpenSBI occupies, wherever it was linked: it runs at the start of memory."""
    low = min(segment.vaddr for segment in image.segments)
    high = max(segment.vaddr + segment.memory_size for segment in image.segments)
    extra = _FIRMWARE_EXTRA + harts * _FIRMWARE_EXTRA_PER_HART
    return Span("firmware (OpenSBI)", RAM_BASE, high - low + extra)


def kernel_span(path: Path) -> Span:
    """Return what a kernel Image occupies, its bss included."""
    try:
        with path.open("rb") as file:
            header = file.read(_IMAGE_HEADER.size)
        fields = _IMAGE_HEADER.unpack(header)
        size = path.stat().st_size
    except OSError as error:
        raise ConfigError(f"host.kernel {path}: {error.strerror}") from error
    except struct.error:
        fields, size = (), 0
    if not fields or fields[8] != b"RISCV\0\0\0":
        raise ConfigError(
            f"host.kernel {path} is not a RISC-V kernel Image",
            "give arch/riscv/boot/Image, not vmlinux or a compressed Image",
        )
    return Span("kernel Image", KERNEL_BASE, max(size, fields[3]))


def initrd_span(size: int, memory: int) -> Span:
    """Return where QEMU puts an initrd of `size` bytes in `memory` bytes of RAM."""
    return Span("initrd", KERNEL_BASE + min(memory // 2, 512 * _MIB), size)


def device_tree_span(size: int, memory: int) -> Span:
    """Return where QEMU puts the device tree: at the end of memory, below 3 GiB."""
    end = min(RAM_BASE + memory, 3 << 30)
    return Span("device tree", (end - size) & ~(2 * _MIB - 1), size)


def check_layout(spans: Sequence[Span], config: Config, *tsms: Image) -> None:
    """Check that no two images overlap and that each TSM lies in its region.

    Args:
        spans: firmware, kernel, initrd and device tree.
        config: for the regions and the size of memory.
        tsms: the TSM's ELF file of each domain, by SDID.

    Raises:
        ConfigError: names both sides.
    """
    memory = Span("memory", RAM_BASE, config.machine.memory_mib * _MIB)
    found = domains(config)
    pools = [_pool(domain) for domain in found]
    regions = [_region(domain) for domain in found]
    parts = [part for domain, tsm in zip(found, tsms, strict=True) for part in _parts(domain, tsm)]
    _check_disjoint([*spans, *parts, *pools])
    _check_disjoint([*spans, *regions, *pools])
    for span in (*spans, *regions, *pools):
        if not memory.holds(span):
            raise ConfigError(
                f"{span} does not fit in {memory}", "raise machine.memory_mib or move it"
            )
    for domain, tsm in zip(found, tsms, strict=True):
        _check_image(domain, tsm)


def _region(domain: TsmDomain) -> Span:
    return Span(f"{domain.keys.label}TSM region", domain.tsm_base, domain.tsm_size)


def _pool(domain: TsmDomain) -> Span:
    return Span(f"{domain.keys.label}confidential pool", domain.pool_base, domain.pool_size)


def _parts(domain: TsmDomain, tsm: Image) -> list[Span]:
    name = f"{domain.keys.label}{_TSM_SEGMENT}"
    return [
        Span(f"{name} {index} of {tsm.path.name}", segment.paddr, segment.memory_size)
        for index, segment in enumerate(tsm.segments)
    ]


def _check_image(domain: TsmDomain, tsm: Image) -> None:
    """Check that M-mode finds the TSM where the device tree says it is."""
    # The last page of the region carries the boot information from M-mode to the TSM.
    usable = Span(_region(domain).name, domain.tsm_base, domain.tsm_size - _PAGE)
    base = f"memory.{domain.keys.tsm_base}"
    parts = _parts(domain, tsm)
    for part in parts:
        if not usable.holds(part):
            raise ConfigError(
                f"{part} does not fit in {usable}",
                f"link the TSM at {base}; the region's last page is the boot information",
            )
    if not any(part.base <= tsm.entry < part.end for part in parts):
        raise ConfigError(
            f"{domain.keys.label}TSM {tsm.path.name} has its entry at {tsm.entry:#x}, where"
            " nothing of it is loaded",
            "name its first instruction by ENTRY() in its linker script",
        )


def _check_disjoint(spans: Sequence[Span]) -> None:
    for one, other in combinations(spans, 2):
        if one.overlaps(other):
            linked = any(_TSM_SEGMENT in span.name for span in (one, other))
            if one.name.startswith("payload "):
                raise ConfigError(
                    f"{one} and {other} overlap in memory", f"link the payload at {KERNEL_BASE:#x}"
                )
            raise ConfigError(
                f"{one} and {other} overlap in memory",
                "link the TSM anew at memory.tsm_base, a second one at memory.tsm2_base"
                if linked
                else "move memory.tsm_base or memory.pool_base (tsm2_base, pool2_base), or raise"
                " machine.memory_mib",
            )
