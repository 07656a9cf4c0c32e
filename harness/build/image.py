# SPDX-License-Identifier: Apache-2.0
"""Kernel Images: read them, also compressed ones, and tell what they are and need.

The header is that of Linux, Documentation/arch/riscv/boot-image-header.rst.
"""

from __future__ import annotations

import importlib
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from harness.config.kernels import NAMES
from harness.errors import ConfigError

_HEADER = struct.Struct("<8sQQQII8s8s4sI")
_MAGIC = b"RSC\x05"
_ELF = b"\x7fELF"
_EFI_ZBOOT = b"zimg"
_BLOCK = 2 << 20
# What a kernel build names Image.gz, Image.xz and so on, by its first bytes: the module with the
# function `decompress`, imported when there is something packed.
_PACKED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "lzma", b"\x5d\0\0": "lzma", b"BZh": "bz2"}
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"\x02\x21\x4c\x18": "lz4", b"\x89LZO": "lzo"}
_BANNER = re.compile(rb"Linux version \d[^\n\0]* #\d[^\n\0]*")
_REMEDY = "give arch/riscv/boot/Image of a riscv64 kernel build, or its Image.gz"


@dataclass(frozen=True, slots=True)
class KernelImage:
    """A RISC-V kernel Image as it is loaded.

    `offset` is where it wants to lie behind a multiple of 2 MiB, `size` what it needs from there,
    its bss included; both in bytes.
    """

    content: bytes
    offset: int
    size: int


def read_kernel(path: Path, key: str) -> KernelImage:
    """Read a kernel's Image; one that gzip, xz, lzma or bzip2 has packed is unpacked.

    Args:
        path: of the file.
        key: of the configuration, or what else names the file in a message.

    Raises:
        ConfigError: it cannot be read, or is no riscv64 Image.
    """
    remedy = f"{key} is {', '.join(NAMES)} or the file of an Image"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{key}: {path} is not there", remedy) from None
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}", remedy) from None
    return parse_kernel(_unpacked(content, path, key), path, key)


def _unpacked(content: bytes, path: Path, key: str) -> bytes:
    for magic, module in _PACKED.items():
        if content.startswith(magic):
            unpacker = importlib.import_module(module)
            own = getattr(unpacker, "LZMAError", OSError)
            try:
                return bytes(unpacker.decompress(content))
            except (OSError, EOFError, ValueError, zlib.error, own) as error:
                raise ConfigError(
                    f"{key}: {path} does not unpack: {error}", "it is damaged: copy it anew"
                ) from None
    for magic, name in _OTHERS.items():
        if content.startswith(magic):
            raise ConfigError(
                f"{key}: {path} is packed by {name}", "unpack it, or give the Image beside it"
            )
    return content


def parse_kernel(content: bytes, path: Path, key: str) -> KernelImage:
    """Check the header of an Image that is not packed.

    Raises:
        ConfigError: it is no riscv64 Image, or its header cannot be right.
    """
    if content.startswith(_ELF):
        raise ConfigError(f"{key}: {path} is an ELF file, such as vmlinux", _REMEDY)
    if content[4:8] == _EFI_ZBOOT:
        raise ConfigError(f"{key}: {path} is an EFI program that unpacks its kernel", _REMEDY)
    if len(content) < _HEADER.size or content[56:60] != _MAGIC:
        raise ConfigError(f"{key}: {path} is not a riscv64 kernel Image", _REMEDY)
    fields = _HEADER.unpack_from(content)
    offset, size = fields[1], fields[2]
    if offset % _BLOCK or size < len(content):
        raise ConfigError(
            f"{key}: {path} is damaged: its header says {size:#x} bytes at offset {offset:#x}, and"
            f" the file has {len(content):#x}",
            "build or copy it anew",
        )
    return KernelImage(content, offset, size)


def banner_of(content: bytes) -> str:
    """Return the line by which a kernel introduces itself, from its Image; "" if it has none.

    It is in the Image as it is shown: "Linux version 6.12.107 (builder@host) (compiler) #1 SMP".
    """
    found = _BANNER.search(content)
    return found[0].decode(errors="replace") if found else ""
