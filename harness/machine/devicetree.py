# SPDX-License-Identifier: Apache-2.0
"""The machine's device tree: QEMU's own, merged with teecall's overlay, with a fresh seed."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.errors import InfraError, MachineError, ToolMissing

_MAGIC = 0xD00DFEED
_BEGIN, _END, _PROP, _NOP = 1, 2, 3, 4


def merged_tree(qemu: str, machine_args: Sequence[str], overlay: Path, cache: Path) -> bytes:
    """Return the device tree blob to boot with.

    QEMU's own tree depends only on QEMU and the machine's arguments, and merging only on that
    and the overlay: the result is cached.

    Args:
        qemu: name or path of QEMU.
        machine_args: arguments that shape the machine (-machine, -cpu, -smp, -m, devices).
        overlay: compiled overlay.
        cache: folder for merged trees; created when missing.
    """
    binary = shutil.which(qemu)
    if binary is None:
        raise ToolMissing(f"{qemu} is not installed", "run `teecall doctor`")
    stat = Path(binary).stat()
    identity = [binary, str(stat.st_size), str(stat.st_mtime_ns), *machine_args]
    digest = hashlib.sha256("\0".join(identity).encode() + b"\0" + overlay.read_bytes())
    path = cache / f"{digest.hexdigest()[:32]}.dtb"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _make(binary, machine_args, overlay, path)
    return with_fresh_seed(path.read_bytes(), os.urandom(32))


def _make(binary: str, machine_args: Sequence[str], overlay: Path, path: Path) -> None:
    """Dump and merge next to `path`, then move into place: others may do the same right now."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        dumped, merged = Path(folder, "qemu.dtb"), Path(folder, "merged.dtb")
        _run([binary, *_dumping(machine_args, dumped), "-display", "none"])
        _run(["fdtoverlay", "-i", str(dumped), "-o", str(merged), str(overlay)])
        merged.replace(path)


def _dumping(machine_args: Sequence[str], target: Path) -> list[str]:
    args = list(machine_args)
    args[args.index("-machine") + 1] += f",dumpdtb={target}"
    return args


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    except FileNotFoundError as error:
        raise ToolMissing(f"{argv[0]} is not installed", "run `teecall doctor`") from error
    except subprocess.TimeoutExpired as error:
        raise InfraError(f"{argv[0]} does not end") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()[:5]
        raise MachineError(
            f"{Path(argv[0]).name} failed while the device tree was made",
            "look at machine.* and qemu.extra_args, and at the overlay in configs/dt",
            details=lines,
        )


def with_fresh_seed(tree: bytes, seed: bytes) -> bytes:
    """Return `tree` with /chosen/rng-seed replaced by `seed` (cut to the property's size).

    A cached tree would otherwise hand the same randomness to every boot.
    """
    found = _find_property(tree, ("", "chosen"), "rng-seed")
    if found is None:
        return tree
    offset, size = found
    return tree[:offset] + seed[:size].ljust(size, b"\0") + tree[offset + size :]


def _find_property(tree: bytes, node: tuple[str, ...], name: str) -> tuple[int, int] | None:
    """Return offset and size of a property's value in a flattened tree, or None."""
    magic, _, structure, strings = struct.unpack_from(">IIII", tree)
    if magic != _MAGIC:
        raise MachineError("QEMU's device tree is not a flattened device tree")
    path: list[str] = []
    at = structure
    while True:
        (token,) = struct.unpack_from(">I", tree, at)
        at += 4
        if token == _BEGIN:
            end = tree.index(b"\0", at)
            path.append(tree[at:end].decode())
            at = (end + 4) & ~3
        elif token == _END:
            path.pop()
        elif token == _PROP:
            size, name_at = struct.unpack_from(">II", tree, at)
            start = strings + name_at
            if tuple(path) == node and tree[start : tree.index(b"\0", start)].decode() == name:
                return at + 8, size
            at = (at + 8 + size + 3) & ~3
        elif token != _NOP:
            return None
