# SPDX-License-Identifier: Apache-2.0
"""The content-addressed store of artefacts.

An artefact's key is a hash of everything it is made from, so that a key that is present needs
no build, whoever built it. Entries are published by a rename under a lock, and carry a manifest
that they are checked against.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.files import disk_errors, locked, publish, scratch, sha256_of, write_atomic

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Key:
    """The name of an artefact: its recipe and the hash of its inputs."""

    recipe: str
    digest: str

    @property
    def short(self) -> str:
        """A name for logs and messages."""
        return f"{self.recipe}-{self.digest[:12]}"


def key_of(recipe: str, inputs: Mapping[str, object]) -> Key:
    """Return the key of a recipe with these inputs."""
    canonical = json.dumps({"recipe": recipe, **inputs}, sort_keys=True, separators=(",", ":"))
    return Key(recipe, hashlib.sha256(canonical.encode()).hexdigest())


class Store:
    """Finished artefacts under a folder of the cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._root = cache / "store"

    def place(self, key: Key) -> Path:
        """Return the folder of a key, whether it is there or not."""
        return self._root / key.recipe / key.digest

    def log(self, key: Key) -> Path:
        """Return the file of a key's build log, kept also when the build fails."""
        return self._cache / "logs" / f"{key.short}.log"

    def find(self, key: Key, full: bool = False) -> Path | None:
        """Return the folder of an intact entry.

        Args:
            key: what is looked for.
            full: read and hash every file, instead of comparing sizes and times.
        """
        place = self.place(key)
        manifest = read_manifest(place)
        if manifest is None:
            return None
        files = manifest["files"]
        # Text, not paths: a kernel's build has hundreds of files.
        top = str(place)
        if not full and all(_unchanged(f"{top}/{name}", entry) for name, entry in files.items()):
            return place
        if not all(same_content(place / name, entry) for name, entry in files.items()):
            return None
        if not full:
            # Copied or touched, but whole: remember the new times.
            _write_manifest(place, manifest["inputs"])
        return place

    @contextmanager
    def build(self, key: Key, inputs: Mapping[str, object] | None) -> Iterator[Path | None]:
        """Give a folder to build an entry in, which is published when the block ends well.

        Another process that builds the same key is waited for; the block then gets None, because
        the entry is there.

        Args:
            key: of the entry.
            inputs: what it is made from; None when the block brings a finished manifest too.

        Raises:
            NoSpace: the disk is full; nothing is published.
        """
        with locked(self._cache / "locks" / f"store-{key.short}.lock"):
            if self.find(key) is not None:
                yield None
                return
            parent = self._root / key.recipe
            with scratch(parent, key.digest[:12]) as folder:
                out = folder / "out"
                out.mkdir()
                yield out
                if inputs is not None:
                    _write_manifest(out, inputs)
                publish(out, self.place(key))

    def drop(self, key: Key) -> None:
        """Remove an entry, such as one found damaged."""
        with locked(self._cache / "locks" / f"store-{key.short}.lock"):
            shutil.rmtree(self.place(key), ignore_errors=True)


def read_manifest(place: Path) -> dict[str, Any] | None:
    """Return the manifest of an entry's folder; None when it has none that is complete."""
    try:
        manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    complete = isinstance(manifest, dict) and {"files", "inputs"} <= manifest.keys()
    return manifest if complete else None


def _write_manifest(out: Path, inputs: Mapping[str, object]) -> None:
    with disk_errors(out):
        files = {name: _describe(out / name) for name in sorted(_files(out))}
        if not files:
            raise StoreError(f"{out}: the build left nothing to keep")
        write_atomic(out / MANIFEST, json.dumps({"inputs": inputs, "files": files}, indent=0))


def _files(folder: Path) -> Iterator[str]:
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(top, name), folder)  # noqa: PTH118
            if path != MANIFEST and not os.path.islink(os.path.join(top, name)):  # noqa: PTH114,PTH118
                yield path


def _describe(path: Path) -> list[object]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, sha256_of(path)]


def _unchanged(path: str, entry: list[object]) -> bool:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return False
    return [status.st_size, status.st_mtime_ns] == entry[:2]


def same_content(path: Path, entry: list[object]) -> bool:
    """Tell whether a file has the size and the hash that a manifest says."""
    try:
        return path.stat().st_size == entry[0] and sha256_of(path) == entry[2]
    except OSError:
        return False
