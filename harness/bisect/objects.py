# SPDX-License-Identifier: Apache-2.0
"""Objects that were compiled before, by the content of the files that they were compiled from.

A search goes back and forth: the middle commit has most files as one of the ends has them. An
object is that of another commit when each file of its dependency file has the same content in
both, and when no file is new or gone, as a new header may stand in front of another one of its
name. So objects are kept by the tree's `shape` first: all names, and the content of all that is no
C or assembler file (makefiles, Kconfig, linker files, scripts).

    objects/SHAPE/NAME/deps-HASH    what an object of this name was compiled from, a path a line
    objects/SHAPE/NAME/o-HASH       the object, by the content of these
    objects/SHAPE/NAME/dep-HASH     its dependency file, with a word in the slot's place

The folder is for one set of flags and tools, like the slots beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.files import disk_errors, write_atomic

# What kconfig makes of files of the shape, so that it is the same in all trees of the shape.
_MADE = "output/platform/generic/kconfig/autoconf.h"
_SLOT = "@SLOT@"
# A tree has some 190 objects; the oldest shapes are removed.
_SHAPES = 8
# Versions of an object that are kept, newest first.
_VERSIONS = 64


def shape_of(digests: Mapping[str, str], compiled: Callable[[str], bool]) -> str:
    """Return an id of all that is not the content of a file which dependency files name.

    Args:
        digests: what a tree is: kind, mode and content of each path.
        compiled: whether the content of a path is left to dependency files.
    """
    found = hashlib.sha256()
    for name, digest in sorted(digests.items()):
        found.update(f"{name}\0{digest[0] if compiled(name) else digest}\0".encode())
    return found.hexdigest()[:16]


class Objects:
    """The objects of trees of one shape.

    Args:
        folder: of all shapes.
        shape: see `shape_of`.
    """

    def __init__(self, folder: Path, shape: str) -> None:
        self._all = folder
        self._folder = folder / shape

    def restore(self, slot: Path, digests: Mapping[str, str]) -> int:
        """Put the objects into a slot's output that it lacks and that fit its tree.

        Args:
            slot: its tree has all files in place; what is restored is newer for make.
            digests: of the files of the tree.

        Returns:
            How many there were.
        """
        if not self._folder.is_dir():
            return 0
        os.utime(self._folder)
        output = slot / "output"
        count = 0
        for kept in self._folder.iterdir():
            target = output / kept.name.replace("+", "/")
            if target.parent.is_dir() and not target.exists():
                count += _restore(kept, target, slot, digests)
        return count

    def save(self, slot: Path, digests: Mapping[str, str]) -> None:
        """Keep the objects of a slot whose build has ended well."""
        output = slot / "output"
        for target in output.rglob("*.o"):
            dependencies = target.with_suffix(".dep")
            with suppress(FileNotFoundError):
                text = dependencies.read_text(encoding="utf-8").replace(str(slot), _SLOT)
                names = _names(text)
                if all(name in digests for name in names):
                    place = self._folder / target.relative_to(output).as_posix().replace("/", "+")
                    _save(place, target, text, names, digests)
        self._prune()

    def _prune(self) -> None:
        with suppress(FileNotFoundError):
            shapes = sorted(self._all.iterdir(), key=lambda path: path.stat().st_mtime)
            for old in shapes[:-_SHAPES]:
                shutil.rmtree(old, ignore_errors=True)


def _names(text: str) -> list[str]:
    """Return the paths that a dependency file names, from the top of the tree."""
    words = text.replace("\\\n", " ").split(":", 1)[-1].split()
    paths = [word.removeprefix(f"{_SLOT}/") for word in words if word != f"{_SLOT}/{_MADE}"]
    # A path elsewhere is in no tree, so that an object which needs it is not kept.
    return sorted(path.removeprefix("opensbi/") for path in paths)


def _content(names: Iterable[str], digests: Mapping[str, str]) -> str | None:
    """Return an id of what these files have in them; None when one is missing."""
    found = hashlib.sha256()
    for name in names:
        digest = digests.get(name)
        if digest is None:
            return None
        found.update(f"{name}\0{digest}\0".encode())
    return found.hexdigest()[:32]


def _save(
    place: Path, target: Path, text: str, names: Sequence[str], digests: Mapping[str, str]
) -> None:
    content = _content(names, digests)
    kept = place / f"o-{content}"
    if content is None or kept.exists():
        return
    place.mkdir(parents=True, exist_ok=True)
    listed = "\n".join(names)
    hashed = hashlib.sha256(listed.encode()).hexdigest()[:16]
    write_atomic(place / f"deps-{hashed}", listed)
    write_atomic(place / f"dep-{content}", text)
    # The object comes last: where it is, all is.
    part = place / f".{kept.name}.{os.getpid()}"
    with disk_errors(place):
        shutil.copyfile(target, part)
        part.rename(kept)
    versions = sorted(place.glob("o-*"), key=lambda path: path.stat().st_mtime)
    for old in versions[:-_VERSIONS]:
        old.unlink(missing_ok=True)
        (place / old.name.replace("o-", "dep-", 1)).unlink(missing_ok=True)


def _restore(kept: Path, target: Path, slot: Path, digests: Mapping[str, str]) -> bool:
    for listed in kept.glob("deps-*"):
        content = _content(listed.read_text(encoding="utf-8").split("\n"), digests)
        try:
            data = (kept / f"o-{content}").read_bytes()
            text = (kept / f"dep-{content}").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        # For make the object must be newer than its dependency file, and both than the sources.
        target.with_suffix(".dep").write_text(text.replace(_SLOT, str(slot)), encoding="utf-8")
        target.write_bytes(data)
        return True
    return False
