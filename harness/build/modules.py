# SPDX-License-Identifier: Apache-2.0
"""Modules of a finished kernel: which ones are needed, and in which order they load."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from harness.errors import BuildError

# What the host needs, where a kernel has it as a module: the command port, and KVM.
WANTED = ("virtio_mmio", "virtio_console", "kvm")
LOAD_LIST = "load"
"""Names the modules of a folder, one to a line, in the order in which they load."""
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def modules_of(folder: Path, wanted: Iterable[str]) -> dict[str, bytes]:
    """Return modules and what they depend on, unpacked, in the order in which they load.

    What is wanted and not a module is passed over: it is built into the kernel, or the kernel has
    no such thing.

    Args:
        folder: lib/modules/RELEASE of a kernel, or the O= folder of its build.
        wanted: names of modules.

    Raises:
        BuildError: a module is named in modules.order and its file is not there.
    """
    files = {_name(path): path for path in _listed(folder)}
    found: dict[str, bytes] = {}

    def take(name: str) -> None:
        if name not in files or name in found:
            return
        content = _content(files[name])
        for needed in dependencies(content):
            take(needed)
        found[name] = content

    for name in wanted:
        take(name)
    return found


def write_modules(modules: Mapping[str, bytes], into: Path) -> None:
    """Write modules and the order in which they load into a folder, which is made."""
    into.mkdir()
    for name, content in modules.items():
        (into / f"{name}.ko").write_bytes(content)
    (into / LOAD_LIST).write_text("".join(f"{name}.ko\n" for name in modules), encoding="utf-8")


def dependencies(module: bytes) -> list[str]:
    """Return the modules that a module's content says it depends on."""
    found = _DEPENDS.search(module)
    return (
        [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []
    )


def _listed(folder: Path) -> Iterator[Path]:
    """Yield the files of all modules; a build's list has their objects."""
    try:
        lines = (folder / "modules.order").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return
    for line in lines:
        yield (folder / line).with_suffix(".ko")


def _content(path: Path) -> bytes:
    packed = path.with_name(f"{path.name}.xz")
    try:
        if packed.is_file():
            import lzma

            return lzma.decompress(packed.read_bytes())
        return path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}", "build the kernel's modules too: `make modules`"
        ) from None


def _name(path: Path) -> str:
    """Return a module's name: that of its file may have dashes."""
    return path.name.partition(".")[0].replace("-", "_")
