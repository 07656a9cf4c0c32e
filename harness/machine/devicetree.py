# SPDX-License-Identifier: Apache-2.0
"""The machine's device tree: QEMU's own, merged with teecall's overlay, with a fresh seed."""

from __future__ import annotations

import hashlib
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, InfraError, MachineError, ToolMissing

_MAGIC = 0xD00DFEED
_BEGIN, _END, _PROP, _NOP = 1, 2, 3, 4


def merged_tree(qemu: str, machine_args: Sequence[str], overlay: Path, cache: Path) -> Path:
    """Return the file of the device tree blob, in which each boot puts a seed of its own.

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
    return path


def _make(binary: str, machine_args: Sequence[str], overlay: Path, path: Path) -> None:
    """Dump and merge next to `path`, then move into place: others may do the same right now."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        dumped, merged = Path(folder, "qemu.dtb"), Path(folder, "merged.dtb")
        _dump([binary, *_dumping(machine_args, dumped), "-display", "none"])
        if not dumped.exists():
            raise InfraError(f"{binary} gives no device tree", "correct qemu.binary")
        _run(["fdtoverlay", "-i", str(dumped), "-o", str(merged), str(overlay)])
        merged.replace(path)


def _dumping(machine_args: Sequence[str], target: Path) -> list[str]:
    args = list(machine_args)
    # QEMU's option syntax splits at single commas.
    args[args.index("-machine") + 1] += f",dumpdtb={str(target).replace(',', ',,')}"
    return args


def _dump(argv: list[str]) -> None:
    """Run QEMU on the configured machine; what it refuses is in the configuration."""
    done = _done(argv)
    lines = done.stderr.decode(errors="replace").splitlines()[:5]
    text = "\n".join(lines)
    if done.returncode == 0:
        return
    if done.returncode < 0:
        raise InfraError(f"QEMU was killed by signal {-done.returncode}", "run again")
    if "Cannot allocate memory" in text:
        raise InfraError(
            "this workstation has not enough memory for the machine",
            "lower machine.memory_mib",
            details=lines,
        )
    key = "machine.cpu" if "CPU model" in text else "machine.*"
    if "CPU model" in text or "unsupported machine type" in text:
        key += f", or qemu.binary: it must emulate riscv64, and it is {argv[0]}"
    raise ConfigError(f"QEMU refuses the machine: {_reason(lines)}", f"correct {key}")


def _reason(lines: list[str]) -> str:
    """Return the first of QEMU's messages, without the name of the program before it."""
    return lines[0].partition(": ")[2] or lines[0] if lines else "it does not say why"


def _run(argv: list[str]) -> None:
    done = _done(argv)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()[:5]
        raise MachineError(
            f"{Path(argv[0]).name} failed while the device tree was made",
            "look at the overlay in configs/dt",
            details=lines,
        )


def _done(argv: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    except FileNotFoundError as error:
        raise ToolMissing(f"{argv[0]} is not installed", "run `teecall doctor`") from error
    except subprocess.TimeoutExpired as error:
        raise InfraError(f"{argv[0]} does not end") from error


def with_fresh_seed(tree: bytes, seed: bytes) -> bytes:
    """Return `tree` with /chosen/rng-seed replaced by `seed` (cut to the property's size).

    A cached tree would otherwise hand the same randomness to every boot.
    """
    found = with_property(tree, ("", "chosen"), "rng-seed", seed)
    return tree if found is None else found


def with_property(tree: bytes, node: tuple[str, ...], name: str, value: bytes) -> bytes | None:
    """Return `tree` with a property's value replaced, cut or filled up to the size it has.

    Args:
        tree: flattened device tree.
        node: names from the root's empty one down.
        name: of the property.
        value: the new one.

    Returns:
        The tree, or None when there is no such property.
    """
    found = _find_property(tree, node, name)
    if found is None:
        return None
    offset, size = found
    return tree[:offset] + value[:size].ljust(size, b"\0") + tree[offset + size :]


def has_property(tree: bytes, node: tuple[str, ...], name: str) -> bool:
    """Tell whether a node, named as for `with_property`, is there and has a property."""
    return _find_property(tree, node, name) is not None


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
