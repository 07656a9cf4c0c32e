# SPDX-License-Identifier: Apache-2.0
"""The git tree id of a folder, computed as git does, without git.

The id names content: a tarball, a clone and a folder with the same files have the same id.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StoreError
from harness.files import write_atomic

# What a build leaves in a source folder, and what is never part of the content.
SKIPPED = frozenset({".git", "build", "__pycache__"})
# A file changed this shortly before it was hashed may change again within the clock's tick.
_RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, script or symbolic link of a tree."""

    mode: bytes
    sha: bytes


@dataclass(slots=True)
class BlobCache:
    """Hashes of files that need not be read again while their stat does not change.

    With it a second look at a big tree costs one stat per file.
    """

    path: Path
    known: dict[str, list[object]] = field(default_factory=dict)
    fresh: dict[str, list[object]] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def open(cls, path: Path) -> BlobCache:
        """Read the cache; one that cannot be read is empty."""
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        return cls(path, known if isinstance(known, dict) else {})

    def lookup(self, name: str, status: os.stat_result) -> bytes | None:
        """Return the hash of a file whose stat has not changed."""
        entry = self.known.get(name)
        if not isinstance(entry, list) or entry[:-1] != _signature(status):
            return None
        self.fresh[name] = entry
        return bytes.fromhex(str(entry[-1]))

    def remember(self, name: str, status: os.stat_result, sha: bytes) -> None:
        """Keep a hash, unless the file is so new that its stat proves nothing."""
        self.changed = True
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _RACY_NS:
            self.fresh[name] = [*_signature(status), sha.hex()]

    def save(self) -> None:
        """Write what was seen; a cache that cannot be written is only slower."""
        if not self.changed and len(self.fresh) == len(self.known):
            return
        try:
            write_atomic(self.path, json.dumps(self.fresh, separators=(",", ":")))
        except (OSError, StoreError):
            return


def _signature(status: os.stat_result) -> list[object]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def tree_id(folder: Path, *, skip: Iterable[str] = (), cache: BlobCache | None = None) -> str:
    """Return the git tree id of a folder's content.

    Args:
        folder: the top of the tree. Empty folders do not count, as in git.
        skip: names of files and folders to leave out, wherever they are.
        cache: hashes from an earlier look; saved afterwards.
    """
    names = frozenset(skip)
    return _finish(folder, _walk(folder, "", names), cache)


def working_tree_id(folder: Path, cache: BlobCache | None = None) -> str:
    """Return the id of a user's folder: without git's own files and without build output.

    In a git working tree the files count that git knows or would add, so that ignored build
    output does not; elsewhere everything does but the usual output folders.
    """
    if (folder / ".git").exists():
        names = _git_files(folder)
        if names is not None:
            return _finish(folder, names, cache)
    return tree_id(folder, skip=SKIPPED, cache=cache)


def _finish(folder: Path, names: Iterable[str], cache: BlobCache | None) -> str:
    entries = {name: _entry(folder, name, cache) for name in names}
    if cache is not None:
        cache.save()
    return id_of_entries({name: entry for name, entry in entries.items() if entry})


def _walk(folder: Path, prefix: str, skip: frozenset[str]) -> Iterator[str]:
    with os.scandir(folder / prefix if prefix else folder) as items:
        for item in items:
            if item.name in skip:
                continue
            name = f"{prefix}{item.name}"
            if item.is_dir(follow_symlinks=False):
                yield from _walk(folder, f"{name}/", skip)
            else:
                yield name


def _git_files(folder: Path) -> list[str] | None:
    command = ["git", "-C", str(folder), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        result = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    names = result.stdout.decode(errors="surrogateescape").split("\0")
    return [name for name in dict.fromkeys(names) if name and os.path.lexists(folder / name)]


def _entry(folder: Path, name: str, cache: BlobCache | None) -> Entry | None:
    """Return the entry of one path; sockets, devices and submodules are no content."""
    path = f"{folder}/{name}"
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return Entry(b"120000", _blob(os.fsencode(os.readlink(path))))
    if not stat.S_ISREG(status.st_mode):
        return None
    mode = b"100755" if status.st_mode & stat.S_IXUSR else b"100644"
    known = cache.lookup(name, status) if cache else None
    if known is not None:
        return Entry(mode, known)
    with open(path, "rb") as file:
        sha = _blob(file.read())
    if cache is not None:
        cache.remember(name, status, sha)
    return Entry(mode, sha)


def _blob(content: bytes) -> bytes:
    return _object(b"blob", content)


def _object(kind: bytes, content: bytes) -> bytes:
    # SHA-1 is git's name for content here, no protection against an attacker who can collide it.
    digest = hashlib.sha1(b"%s %d\0" % (kind, len(content)), usedforsecurity=False)
    digest.update(content)
    return digest.digest()


def id_of_entries(entries: dict[str, Entry]) -> str:
    """Return the tree id of files given by their paths."""
    folders: dict[str, dict[bytes, Entry]] = {"": {}}
    for name, entry in entries.items():
        folder, _, base = name.rpartition("/")
        folders.setdefault(folder, {})[os.fsencode(base)] = entry
        while folder and (parent := folder.rpartition("/")[0]) not in folders:
            folders[parent] = {}
            folder = parent
    # The deepest folders first: a folder's id is an entry of its parent.
    for folder in sorted(folders, key=lambda path: path.count("/"), reverse=True):
        if folder:
            parent, _, base = folder.rpartition("/")
            folders[parent][os.fsencode(base)] = Entry(b"40000", _tree(folders[folder]))
    return _tree(folders[""]).hex()


def _tree(entries: dict[bytes, Entry]) -> bytes:
    def order(name: bytes) -> bytes:
        return name + b"/" if entries[name].mode == b"40000" else name

    content = b"".join(
        b"%s %s\0%s" % (entries[name].mode, name, entries[name].sha)
        for name in sorted(entries, key=order)
    )
    return _object(b"tree", content)


def stat_signature(folder: Path) -> str:
    """Return a hash of every file's name, size, time and mode: was the folder touched?

    It reads no content, so that it takes half a second where the tree id takes several.
    """
    digest = hashlib.sha256()
    for name in sorted(_walk(folder, "", frozenset())):
        status = os.lstat(f"{folder}/{name}")
        digest.update(
            f"{name}\0{status.st_size} {status.st_mtime_ns} {status.st_mode}\n".encode(
                errors="surrogateescape"
            )
        )
    return digest.hexdigest()
