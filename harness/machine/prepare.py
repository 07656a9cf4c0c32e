# SPDX-License-Identifier: Apache-2.0
"""From artefacts to files that QEMU can boot, with everything checked that can be checked."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.build.artefacts import Artefacts
from harness.build.cpio import Member, archive
from harness.config.domains import TsmDomain, domains
from harness.config.schema import Config
from harness.errors import ConfigError
from harness.machine.argv import BootFiles, machine_args
from harness.machine.devicetree import (
    has_property,
    merged_tree,
    with_fresh_seed,
    with_property,
)
from harness.machine.layout import (
    Span,
    check_layout,
    device_tree_span,
    firmware_span,
    initrd_span,
    kernel_span,
    read_image,
)
from harness.machine.ram import RAM_BASE
from harness.machine.rundir import RunDir
from harness.resources import cache_dir

if TYPE_CHECKING:
    from harness.attest.root import RootOfTrust

_MIB = 1 << 20
IMAGES = "images.json"
PAYLOAD_OPTION = "--payload"


def prepare_boot(
    config: Config,
    artefacts: Artefacts,
    run: RunDir,
    files: Mapping[str, bytes],
    rng_seed: bytes | None = None,
    root: RootOfTrust | None = None,
) -> BootFiles:
    """Check what is to be booted and put what is special to this run into its folder.

    Args:
        config: the machine.
        artefacts: what the build made.
        run: takes the device tree and the initrd.
        files: content by absolute path, added to the initramfs.
        rng_seed: what the kernel seeds its random numbers with; None: chance.
        root: measures firmware and TSMs and gives each its key; None: there is no evidence.

    Raises:
        ConfigError: an image is of the wrong kind, or two overlap in memory.
    """
    size = 0 if artefacts.is_payload else _size(artefacts.initrd)
    more = addition(size, files)
    behind = b"".join(map(_read, artefacts.initrd_more))
    ready = plan_boot(config, artefacts, size + len(more) + len(behind))
    run.write_json(IMAGES, symbol_files(config, artefacts))
    tree = with_fresh_seed(ready.device_tree.read_bytes(), rng_seed or os.urandom(32))
    for domain, tsm in zip(domains(config), ready.tsms, strict=True):
        tree = _told(tree, domain, tsm, root, ready)
    ready = replace(ready, device_tree=run.write("machine.dtb", tree))
    if artefacts.is_payload or not (files or behind):
        return ready
    return replace(
        ready,
        initrd=run.copy("initrd.cpio", artefacts.initrd, more + behind),
        initrd_parts=(
            artefacts.initrd,
            run.write("initrd-added.cpio", more),
            *artefacts.initrd_more,
        ),
    )


def _told(
    tree: bytes, domain: TsmDomain, tsm: Path, root: RootOfTrust | None, ready: BootFiles
) -> bytes:
    """Return the device tree with the TSM's entry and what the root of trust says of its image."""
    entry = read_image(tsm, "the TSM (tsm.elf)").entry
    values = {"entry": entry.to_bytes(8, "big")}
    if root is not None:
        found = root.handover(ready.firmware.read_bytes(), tsm.read_bytes())
        values |= {"seed": found.seed, "dice-handover": found.blob}
    node = ("", "chosen", domain.keys.node)
    if not has_property(tree, node, "sdid"):
        # A machine without TSM domains, as the one that measures OpenSBI's own switch.
        return tree
    for name, value in values.items():
        changed = with_property(tree, node, name, value)
        if changed is None:
            raise ConfigError(
                f"the device tree has no room for the TSM's {name}",
                f"see the node {domain.keys.node} in configs/dt/teecall.dtso",
            )
        tree = changed
    return tree


def plan_boot(config: Config, artefacts: Artefacts, initrd_size: int) -> BootFiles:
    """Check what is to be booted and return the files as they were built.

    Raises:
        ConfigError: an image is of the wrong kind, or two overlap in memory.
    """
    tree = merged_tree(
        config.qemu.binary, machine_args(config), artefacts.dt_overlay, cache_dir() / "dtb"
    )
    _check(config, artefacts, initrd_size, tree.stat().st_size)
    return BootFiles(
        firmware=artefacts.opensbi_bin,
        tsm=artefacts.tsm_elf,
        tsm2=artefacts.tsm2_elf,
        kernel=artefacts.kernel_image,
        initrd=None if artefacts.is_payload else artefacts.initrd,
        device_tree=tree,
    )


def symbol_files(config: Config, artefacts: Artefacts) -> dict[str, object]:
    """Return what a debugger of the machine loads symbols from, for images.json in its folder."""
    return {
        "opensbi": str(artefacts.opensbi_elf),
        "opensbi_runs_at": RAM_BASE,
        "tsm": str(artefacts.tsm_elf),
        "tsm2": artefacts.tsm2_elf and str(artefacts.tsm2_elf),
        "linux": artefacts.vmlinux and str(artefacts.vmlinux),
        "tvm": str(artefacts.hello_elf),
        "harts": config.machine.harts,
    }


def _size(initrd: Path) -> int:
    try:
        with initrd.open("rb") as content:
            return os.fstat(content.fileno()).st_size
    except OSError as error:
        raise ConfigError(f"host.initrd {initrd}: {error.strerror}") from error


def _read(initrd: Path) -> bytes:
    try:
        return initrd.read_bytes()
    except OSError as error:
        raise ConfigError(f"host.initrd {initrd}: {error.strerror}") from error


def addition(size: int, files: Mapping[str, bytes]) -> bytes:
    """Return what is appended to an initramfs of `size` bytes to add `files` as executables.

    The kernel unpacks archives that follow each other one after the other, so the initramfs
    stays as it was built.

    Args:
        size: of the initramfs.
        files: content by absolute path.
    """
    if not files:
        return b""
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents[:-1]}
    members = [Member(name, stat.S_IFDIR | 0o755) for name in sorted(folders)]
    members += [Member(name, stat.S_IFREG | 0o755, content=data) for name, data in files.items()]
    # Archives start at a multiple of four bytes.
    return bytes(-size % 4) + archive(members)


def _check(config: Config, artefacts: Artefacts, initrd_size: int, tree_size: int) -> None:
    memory = config.machine.memory_mib * _MIB
    firmware = read_image(artefacts.opensbi_elf, "the firmware")
    tsms = [read_image(path, "the TSM (tsm.elf)") for path in artefacts.tsm_elfs]
    check_layout(
        (
            firmware_span(firmware, config.machine.harts),
            *_host_spans(config, artefacts, initrd_size),
            device_tree_span(tree_size, memory),
        ),
        config,
        *tsms,
    )


def _host_spans(config: Config, artefacts: Artefacts, initrd_size: int) -> list[Span]:
    memory_mib = config.machine.memory_mib
    if artefacts.is_payload:
        from harness.machine.payload import payload_span

        return [payload_span(artefacts.kernel_image, PAYLOAD_OPTION, memory_mib)]
    return [kernel_span(artefacts.kernel_image), initrd_span(initrd_size, memory_mib * _MIB)]
