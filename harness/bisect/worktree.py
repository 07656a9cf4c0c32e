# SPDX-License-Identifier: Apache-2.0
"""OpenSBI in a work tree that is kept, so that the next commit compiles only what it changes.

The result is what a clean build makes, to the bit, because nothing is left to make's comparison
of times. Before a build every object is removed that was compiled from a file that differs, as its
dependency file says, and each object without such a file. Whatever else a commit changes (a
makefile, a Kconfig or linker file, a script, a file that is new or gone) starts from nothing.
OpenSBI's own dependency files would not do: they are written anew only when the C file changes,
so a header that a header has begun to include is not in them.

What was removed and is not new comes back from the objects of other commits; see `objects`.

A slot serves one build at a time, and only one set of flags and tools.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.bisect.objects import Objects, shape_of
from harness.bisect.seed import seed
from harness.build.firmware import FOLDER, OpenSbiRecipe
from harness.build.recipe import Bench, Facts, Inputs
from harness.errors import BuildError
from harness.files import disk_errors, locked, write_atomic
from harness.sources.gittree import SKIPPED

# Only these are in dependency files; a change of one needs the objects that name it.
_COMPILED = frozenset({".c", ".h", ".S"})
# What no rule of OpenSBI's build reads.
_INERT_FOLDERS = frozenset({"docs", ".github", "LICENSES"})
_INERT_SUFFIXES = frozenset({".md", ".rst"})
_STATE = "state.json"
# In the state, where the slot was: what make has written names its files by their full paths.
_PLACE = "/"


@dataclass(frozen=True, slots=True)
class Item:
    """A file of the tree: where it comes from, and a hash of its kind, mode and content."""

    source: Path
    digest: str


Tree = Mapping[str, Item]


class KeptOpenSbiRecipe(OpenSbiRecipe):
    """`OpenSbiRecipe` with a kept work tree: the same inputs, key and result, made faster.

    Args:
        slots: the folder of the kept trees.
        ready: so many slots are to be fit for the next build when one has ended; those that would
            begin from nothing become copies.

    Attributes:
        clean: whether the last build began from nothing; None before the first.
        restored: how many of its objects were those of other commits.
    """

    def __init__(self, slots: Path, ready: int = 1) -> None:
        self._slots = slots
        self._ready = ready
        self._tools = ""
        self.clean: bool | None = None
        self.restored = 0

    def inputs(self, facts: Facts) -> Inputs:
        """Return the inputs of the recipe it stands for."""
        inputs = super().inputs(facts)
        # make does not compare command lines, so other flags or tools need another tree.
        same = [inputs["flags"], inputs["compiler"], facts.config.build.cross_compile]
        self._tools = hashlib.sha256(json.dumps(same).encode()).hexdigest()[:12]
        return inputs

    def build(self, bench: Bench) -> None:
        """Build in the free slot that has most of the objects."""
        bench.expect("opensbi", "an OpenSBI tree", "lib/sbi/objects.mk", "opensbi.source")
        bench.expect("overlay", "a domain switch", "objects.mk", "opensbi.overlay")
        wanted = _composed(bench)
        with _slot(self._slots / f"opensbi-{self._tools}", wanted) as folder:
            tree, output = folder / "opensbi", folder / "output"
            bench.copies[tree / "lib/sbi" / FOLDER] = bench.sources.materialise("overlay")
            bench.copies[tree] = bench.sources.materialise("opensbi")
            self.clean = bring(folder, wanted)
            digests = {name: item.digest for name, item in wanted.items() if not _inert(name)}
            objects = Objects(self._slots / f"objects-{self._tools}", shape_of(digests, _compiled))
            self.restored = objects.restore(folder, digests)
            try:
                self.compile(bench, tree, output)
            except BuildError:
                if self.clean:
                    raise
                # What harm a kept tree may have come to says nothing about the commit.
                self.clean = bring(folder, wanted)
                self.compile(bench, tree, output)
            objects.save(folder, digests)
            digests = {name: item.digest for name, item in wanted.items()}
            write_atomic(folder / _STATE, json.dumps({_PLACE: str(folder), **digests}))
            self._spread(folder, wanted)

    def _spread(self, folder: Path, wanted: Tree) -> None:
        """Make copies of a slot, whose lock is held, of slots that have nothing of this tree."""
        for number in range(min(self._ready, os.cpu_count() or 1)):
            other = folder.with_name(str(number))
            handle = _try_lock(folder.with_name(f"{number}.lock")) if other != folder else None
            if handle is not None:
                with _held(handle):
                    if needs_clean(_state(other), wanted):
                        other.mkdir(exist_ok=True)
                        seed(folder, other, _STATE)


def _composed(bench: Bench) -> Tree:
    """Return upstream's tree with the domain switch and the ABI headers in it."""
    place = f"lib/sbi/{FOLDER}/"
    tree = _files(bench.sources.materialise("opensbi"), "")
    tree |= _files(bench.sources.materialise("overlay"), place)
    headers = bench.sources.materialise("overlay-abi").glob("*.h")
    return tree | {f"{place}{path.name}": _item(path) for path in headers}


def _files(top: Path, prefix: str) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in SKIPPED]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(folder) / name
            if name not in SKIPPED:
                found[f"{prefix}{path.relative_to(top).as_posix()}"] = _item(path)
    return found


def _item(path: Path) -> Item:
    link = path.is_symlink()
    content = os.fsencode(path.readlink()) if link else path.read_bytes()
    kind = "l" if link else "x" if os.access(path, os.X_OK) else "f"
    return Item(path, f"{kind}{hashlib.sha256(content).hexdigest()}")


@contextmanager
def _slot(parent: Path, wanted: Tree) -> Iterator[Path]:
    """Give the free slot that differs least, with its lock held; a new one when none is free."""
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
    most = os.cpu_count() or 1
    free: dict[Path, int] = {}
    for number in range(most):
        folder = parent / str(number)
        if free and not folder.is_dir():
            break
        handle = _try_lock(parent / f"{number}.lock")
        if handle is not None:
            free[folder] = handle
    # Where all are in use one of them is waited for.
    folder = min(
        free,
        key=lambda slot: len(changed(_state(slot), wanted)),
        default=parent / str(os.getpid() % most),
    )
    for other, handle in free.items():
        if other != folder:
            os.close(handle)
    with locked(parent / f"{folder.name}.lock") if not free else _held(free[folder]):
        folder.mkdir(exist_ok=True)
        yield folder.resolve()


@contextmanager
def _held(handle: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(handle)


def _try_lock(path: Path) -> int | None:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _state(folder: Path) -> dict[str, str]:
    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    there = isinstance(state, dict) and state.pop(_PLACE, "") == str(folder.resolve())
    return state if there else {}


def changed(before: Mapping[str, str], wanted: Tree) -> list[str]:
    """Return the paths that are new, gone or different."""
    names = before.keys() | wanted.keys()
    return sorted(n for n in names if n not in wanted or before.get(n) != wanted[n].digest)


def needs_clean(before: Mapping[str, str], wanted: Tree) -> bool:
    """Tell whether dependency files cannot say what a change touches."""
    return not before or any(
        not (_inert(name) or _only_content(name, before, wanted))
        for name in changed(before, wanted)
    )


def _inert(name: str) -> bool:
    path = PurePosixPath(name)
    return path.parts[0] in _INERT_FOLDERS or path.suffix in _INERT_SUFFIXES


def _only_content(name: str, before: Mapping[str, str], wanted: Tree) -> bool:
    # A new header may stand in front of another one of its name.
    there = name in before and name in wanted and before[name][0] == wanted[name].digest[0]
    return there and _compiled(name)


def _compiled(name: str) -> bool:
    return PurePosixPath(name).suffix in _COMPILED


def bring(folder: Path, wanted: Tree) -> bool:
    """Make a slot's tree the wanted one and remove each object that may differ.

    Args:
        folder: the slot, whose lock is held.
        wanted: the files.

    Returns:
        Whether everything is to be compiled.
    """
    before = _state(folder)
    clean = needs_clean(before, wanted)
    # Without its state an interrupted build's slot is worth nothing.
    (folder / _STATE).unlink(missing_ok=True)
    if clean:
        for path in (folder / "opensbi", folder / "output"):
            if path.exists():
                shutil.rmtree(path)
        before = {}
    names = changed(before, wanted)
    for name in names:
        _place(folder / "opensbi" / name, wanted.get(name))
    built_from = [name for name in names if not _inert(name)]
    if built_from and not clean:
        forget(folder / "output", built_from, made=reach_made(built_from, wanted))
    return clean


def _place(path: Path, item: Item | None) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    if item is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the source's time: an older commit's file must still be newer than what it makes.
    shutil.copy(item.source, path, follow_symlinks=False)


def reach_made(names: list[str], wanted: Tree) -> bool:
    """Tell whether changed files may be part of what is compiled from a file that make has made.

    Objects of such files, the driver tables, have no dependency file. Their source follows from
    files whose change starts from nothing, so that all else in them comes from headers: one that
    has changed, or one that names a file which has.

    Args:
        names: files that have changed, and are neither new nor gone.
        wanted: the tree with them.
    """
    if any(PurePosixPath(name).suffix == ".h" for name in names):
        return True
    bases = [os.fsencode(PurePosixPath(name).name) for name in names]
    headers = (item.source for name, item in wanted.items() if name.endswith(".h"))
    return any(base in text for text in map(Path.read_bytes, headers) for base in bases)


def forget(output: Path, names: list[str], *, made: bool = True) -> None:
    """Remove what was made from files, and all that is linked.

    Args:
        output: make's output folder.
        names: paths of the files from the top of the tree.
        made: remove the objects without a dependency file too.
    """
    # By the last part only: `#include "../sbi/x.h"` has another path there for the same file.
    last = [f"/{PurePosixPath(name).name}" for name in names]
    for dependencies in list(output.rglob("*.dep")):
        text = dependencies.read_text(encoding="utf-8", errors="surrogateescape")
        if any(name in text for name in last):
            dependencies.with_suffix(".o").unlink(missing_ok=True)
            dependencies.with_suffix(".ld").unlink(missing_ok=True)
            dependencies.unlink()
    for found in list(output.rglob("*")):
        lone = found.suffix == ".o" and not found.with_suffix(".dep").exists()
        if (lone and made) or found.suffix in {".a", ".elf", ".bin", ".ld"}:
            found.unlink()
