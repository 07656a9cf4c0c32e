# SPDX-License-Identifier: Apache-2.0
"""The files of a Linux guest: `tvm.kernel`, `tvm.initrd`, and whether they fit into its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.build import image
from harness.build.linux_guest import INITRAMFS, GuestInitramfsRecipe
from harness.build.recipe import Recipe
from harness.build.referenced import given, named_kernel
from harness.config.kernels import DEBIAN, SMALL
from harness.config.schema import Config
from harness.errors import ConfigError

_BLOCK = 2 << 20
_MIB = 1 << 20
_CPIO = (b"070701", b"070702")
# What kernels unpack by themselves, if their configuration has it (init/initramfs.c).
_PACKED = (
    b"\x1f\x8b",
    b"\xfd7zXZ\0",
    b"\x5d\0\0",
    b"BZh",
    b"\x28\xb5\x2f\xfd",
    b"\x02\x21",
    b"\x89LZ",
)


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """What `tvm linux` boots."""

    kernel: bytes
    initrd: bytes


def needs_uart(config: Config) -> bool:
    """Tell whether the guest has its console on a 16550.

    Only the small kernel is known to have a driver for the console of SBI.
    """
    return named_kernel(config, "tvm.kernel") != SMALL


def recipes(config: Config) -> tuple[Recipe, ...]:
    """Return what has to be built for the guest."""
    found: list[Recipe] = []
    if not given(config, "tvm.initrd"):
        found.append(GuestInitramfsRecipe())
    kernel = named_kernel(config, "tvm.kernel")
    if kernel == SMALL:
        from harness.build.kernel import KernelRecipe

        found.append(KernelRecipe())
    if kernel == DEBIAN:
        from harness.build.debian import DebianKernelRecipe

        found.append(DebianKernelRecipe())
    return tuple(found)


def guest_files(config: Config, places: Mapping[str, Path]) -> GuestFiles:
    """Return the guest's files.

    Args:
        config: names them.
        places: the folder of each component by its recipe's name, those of `recipes` among them.

    Raises:
        ConfigError: a file of the user's will not do.
    """
    kernel = guest_kernel(config, places)
    own = given(config, "tvm.initrd")
    initrd = Path(own) if own else places[GuestInitramfsRecipe.name] / INITRAMFS
    content = read_initrd(initrd, "tvm.initrd")
    check_fits(config, kernel, len(content))
    return GuestFiles(kernel.content, content)


def guest_kernel(config: Config, places: Mapping[str, Path]) -> image.KernelImage:
    """Return the kernel of a Linux guest: `tvm.kernel`.

    Args:
        config: names it.
        places: the folder of each component by its recipe's name, those of `recipes` among them.

    Raises:
        ConfigError: a file of the user's will not do.
    """
    built = {SMALL: ("kernel", "build/arch/riscv/boot/Image"), DEBIAN: ("debian-kernel", "Image")}
    name = named_kernel(config, "tvm.kernel")
    recipe, file = built[name] if name else ("", "")
    path = places[recipe] / file if name else Path(given(config, "tvm.kernel") or "")
    return image.read_kernel(path, "tvm.kernel")


def check_given_guest(config: Config) -> None:
    """Check the files of a Linux guest that are the user's, before anything is built.

    Raises:
        ConfigError: one is not there, is not what its key needs, or they do not fit together.
    """
    kernel, initrd = given(config, "tvm.kernel"), given(config, "tvm.initrd")
    content = read_initrd(Path(initrd), "tvm.initrd") if initrd else b""
    if kernel:
        check_fits(config, image.read_kernel(Path(kernel), "tvm.kernel"), len(content))
    small = named_kernel(config, "tvm.kernel") == SMALL
    if initrd and small and not content.startswith(_CPIO):
        raise ConfigError(
            f"tvm.initrd: {initrd} is packed, and the small kernel unpacks nothing",
            "unpack the file, or take a kernel that can: tvm.kernel=debian",
        )


def read_initrd(path: Path, key: str) -> bytes:
    """Read an initramfs.

    Raises:
        ConfigError: it cannot be read, or is no archive that a kernel takes.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{key}: {path} is not there", f"correct {key}") from None
    except OSError as error:
        what = "is a folder" if path.is_dir() else error.strerror
        raise ConfigError(f"{key}: {path} {what}", f"name the file by {key}") from None
    check_archive(content, path, key)
    return content


def check_archive(content: bytes, path: Path, key: str) -> None:
    """Check that what a file begins with is what an initramfs begins with.

    Raises:
        ConfigError: it is no archive that a kernel takes.
    """
    if not content.startswith(_CPIO + _PACKED):
        raise ConfigError(
            f"{key}: {path} is no initramfs",
            "give a cpio archive, as `cpio -o -H newc` makes it, packed or not",
        )


def check_fits(config: Config, kernel: image.KernelImage, initrd: int) -> None:
    """Check that kernel and initramfs fit into the guest's memory, and that into the pool.

    The `tvm` tool places the kernel at its offset, the initramfs in the next block of 2 MiB, and
    lets the guest look at its last block before the kernel runs.

    Args:
        config: has the sizes.
        kernel: the guest's.
        initrd: size of the initramfs in bytes.

    Raises:
        ConfigError: they do not fit.
    """
    memory = config.tvm.memory_mib * _MIB
    blocks = -(-(kernel.offset + kernel.size) // _BLOCK) + -(-initrd // _BLOCK) + 1
    if blocks * _BLOCK > memory:
        raise ConfigError(
            f"tvm.memory_mib: {config.tvm.memory_mib} MiB are too few for a kernel of"
            f" {kernel.size / _MIB:.1f} MiB and an initramfs of {initrd / _MIB:.1f} MiB",
            f"give it {blocks * _BLOCK // _MIB} at least, and what its programs need",
        )
    if memory >= config.memory.pool_size:
        raise ConfigError(
            f"tvm.memory_mib: {config.tvm.memory_mib} MiB do not fit into the pool of"
            f" {config.memory.pool_size // _MIB} MiB, of which the TSM needs some",
            "lower it, or raise memory.pool_size and machine.memory_mib",
        )
