# SPDX-License-Identifier: Apache-2.0
"""From artefacts to files that QEMU can boot, with everything checked that can be checked."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import PurePosixPath

from harness.build.artefacts import Artefacts
from harness.build.cpio import Member, archive
from harness.config.schema import Config
from harness.errors import ConfigError
from harness.machine.argv import BootFiles, machine_args
from harness.machine.devicetree import merged_tree
from harness.machine.layout import (
    check_layout,
    device_tree_span,
    firmware_span,
    initrd_span,
    kernel_span,
    read_image,
)
from harness.machine.rundir import RunDir
from harness.resources import cache_dir

_MIB = 1 << 20


def prepare_boot(
    config: Config, artefacts: Artefacts, run: RunDir, files: Mapping[str, bytes]
) -> BootFiles:
    """Check the images, merge the device tree and put what is special to this run into its folder.

    Args:
        config: the machine.
        artefacts: what the build made.
        run: takes the device tree and the initrd.
        files: content by absolute path, added to the initramfs.

    Raises:
        ConfigError: an image is of the wrong kind, or two overlap in memory.
    """
    tree = merged_tree(
        config.qemu.binary, machine_args(config), artefacts.dt_overlay, cache_dir() / "dtb"
    )
    try:
        initrd = appended(artefacts.initrd.read_bytes(), files)
    except OSError as error:
        raise ConfigError(f"host.initrd {artefacts.initrd}: {error.strerror}") from error
    _check(config, artefacts, len(initrd), len(tree))
    return BootFiles(
        firmware=artefacts.opensbi_bin,
        tsm=artefacts.tsm_elf,
        kernel=artefacts.kernel_image,
        initrd=run.write("initrd.cpio", initrd) if files else artefacts.initrd,
        device_tree=run.write("machine.dtb", tree),
    )


def appended(initrd: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return an initramfs with `files`, by absolute path, added as executables.

    The kernel unpacks archives that follow each other one after the other, so the initramfs
    stays as it was built.
    """
    if not files:
        return initrd
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents[:-1]}
    members = [Member(name, stat.S_IFDIR | 0o755) for name in sorted(folders)]
    members += [Member(name, stat.S_IFREG | 0o755, content=data) for name, data in files.items()]
    # Archives start at a multiple of four bytes.
    return initrd + bytes(-len(initrd) % 4) + archive(members)


def _check(config: Config, artefacts: Artefacts, initrd_size: int, tree_size: int) -> None:
    memory = config.machine.memory_mib * _MIB
    firmware = read_image(artefacts.opensbi_elf, "the firmware")
    tsm = read_image(artefacts.tsm_elf, "the TSM (tsm.elf)")
    spans = (
        firmware_span(firmware, config.machine.harts),
        kernel_span(artefacts.kernel_image),
        initrd_span(initrd_size, memory),
        device_tree_span(tree_size, memory),
    )
    check_layout(spans, config, tsm)
