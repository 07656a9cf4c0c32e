# SPDX-License-Identifier: Apache-2.0
"""Modules of a finished kernel: which ones are needed, and in which order they load."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable
from pathlib import Path

from harness.errors import BuildError

LOAD_LIST = "load"
"""Names the modules of a folder, one to a line, in the order in which they load."""
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def take_modules(folder: Path, wanted: Iterable[str], into: Path) -> list[str]:
    """Copy modules and what they depend on, unpacked, and write the order in which they load.

    Args:
        folder: lib/modules/RELEASE of a kernel.
        wanted: names of modules; those that are built into the kernel are passed over.
        into: an existing folder for the modules and `LOAD_LIST`.

    Returns:
        The names, in the order in which they load.

    Raises:
        BuildError: the kernel has no such module.
    """
    builtin = set(_names((folder / "modules.builtin").read_text(encoding="utf-8").splitlines()))
    files = {_name(path.name): path for path in sorted(folder.rglob("*.ko*"))}
    order: list[str] = []

    def take(name: str) -> None:
        if name in builtin or name in order:
            return
        if name not in files:
            raise BuildError(f"the kernel has no module {name}", f"it has those in {folder}")
        content = _content(files[name])
        for needed in dependencies(content):
            take(needed)
        order.append(name)
        (into / f"{name}.ko").write_bytes(content)

    for name in wanted:
        take(name)
    (into / LOAD_LIST).write_text("".join(f"{name}.ko\n" for name in order), encoding="utf-8")
    return order


def dependencies(module: bytes) -> list[str]:
    """Return the modules that a module's content says it depends on."""
    found = _DEPENDS.search(module)
    return [_name(name) for name in found[1].decode().split(",") if name] if found else []


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def _names(lines: Iterable[str]) -> Iterable[str]:
    return (_name(Path(line).name) for line in lines)


def _name(file: str) -> str:
    """Return a module's name: that of its file has dashes at times, never underscores for them."""
    return file.partition(".")[0].replace("-", "_")
