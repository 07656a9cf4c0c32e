# SPDX-License-Identifier: Apache-2.0
"""The second level of the store: artefacts that several workstations share.

A place that fsspec knows (`file:///srv/teecall`, `s3://bucket/teecall`, `memory://`) holds, for
each key, a tar archive and a small file that is written after it and says what the archive must
be. What was fetched is believed only when its hash is right and every file in it has the content
of its own manifest; anything else is as good as missing. Nobody needs to be able to write there.

The folder's name has the format's version, so that a teecall with another format neither reads
what it cannot understand nor overwrites it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.build.store import MANIFEST, Key, Store, read_manifest, same_content
from harness.errors import NoSpace, TeecallError, UsageError
from harness.resources import cache_dir

VARIABLE = "TEECALL_STORE"
FORMAT = 1
_LOCAL = ("file:", "memory:")
_CHUNK = 1 << 20
# Objects compress to a quarter at the fastest level, and most places are behind a network.
_LEVEL = 1
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?:://|::)")

Note = Callable[[str], None]


class Share:
    """Artefacts at a URL.

    Args:
        url: a URL that fsspec knows.
        note: is told what is wrong there; the build goes on without it.

    Raises:
        UsageError: it is no such URL.
    """

    def __init__(self, url: str, note: Note) -> None:
        if not _SCHEME.match(url):
            raise UsageError(
                f"--store {url}: not a URL",
                "write file:///DIR, s3://BUCKET/DIR or another of these",
            )
        self.url = url
        self._note = note
        self._place = _opened(url)
        self._writes = True
        self._damaged: set[Key] = set()

    def fetch(self, key: Key, store: Store) -> bool:
        """Bring an artefact into the local store; tell whether it is there now.

        What is damaged or cannot be read is noted, and built by the caller.

        Raises:
            NoSpace: the local disk is full.
        """
        try:
            stated = self._stated(key)
            if stated is None:
                return False
            return self._fetched(key, stated, store)
        except NoSpace:
            raise
        except _Damaged as error:
            self._damaged.add(key)
            self._note(f"{key.short} in {self.url} is damaged ({error}); it is built here")
        except TeecallError as error:
            self._note(f"{key.short} in {self.url} cannot be had: {error.message}")
        except Exception as error:
            # Every kind of place has errors of its own.
            self._note(f"{key.short} in {self.url} cannot be read: {_told(error)}")
        return False

    def offer(self, key: Key, folder: Path) -> bool:
        """Copy an artefact to the place, unless it is there; tell whether it is there now.

        A place that cannot be written is noted once, and only read from then on.

        Args:
            key: its name.
            folder: where it is here, intact.
        """
        known = self._known(key)
        if not self._writes or (known.exists() and key not in self._damaged):
            return self._writes
        try:
            if not self._is_offered(key):
                self._offer(key, folder)
                self._damaged.discard(key)
            known.parent.mkdir(parents=True, exist_ok=True)
            known.touch()
        except Exception as error:
            self._writes = False
            self._note(f"{self.url} cannot be written, so it is only read: {_told(error)}")
            return False
        return True

    def _known(self, key: Key) -> Path:
        """Return the file that says that a key is there: asking again would cost every build."""
        place = hashlib.sha256(self.url.encode()).hexdigest()[:16]
        return cache_dir() / "stat" / "shared" / place / key.digest

    def _stated(self, key: Key) -> Mapping[str, Any] | None:
        """Return what the archive of a key must be, or None when there is none."""
        try:
            text = self._place.read(_name(key, "json"))
        except FileNotFoundError:
            return None
        try:
            stated = json.loads(text)
        except ValueError as error:
            raise _Damaged("its description is no JSON") from error
        if not isinstance(stated, dict) or not {"format", "sha256"} <= stated.keys():
            raise _Damaged("its description is incomplete")
        if stated["format"] != FORMAT:
            raise _Damaged(f"it is of format {stated['format']}, this teecall has {FORMAT}")
        return stated

    def _is_offered(self, key: Key) -> bool:
        if key in self._damaged:
            return False
        try:
            return self._stated(key) is not None
        except _Damaged:
            return False

    def _fetched(self, key: Key, stated: Mapping[str, Any], store: Store) -> bool:
        with store.build(key, None) as out:
            if out is None:
                return True
            with tempfile.TemporaryFile(dir=out.parent) as archive:
                with self._place.open(_archive(key, str(stated["sha256"])), "rb") as remote:
                    digest = _copy(remote, archive)
                if digest != stated["sha256"]:
                    raise _Damaged("its archive has another hash")
                archive.seek(0)
                _unpack(archive, out)
            _check(out)
        return True

    def _offer(self, key: Key, folder: Path) -> None:
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=_LEVEL) as tar:
                tar.add(folder, arcname=".", filter=_plain)
            archive.seek(0)
            digest = hashlib.file_digest(archive, "sha256").hexdigest()
            archive.seek(0)
            # Two that offer the same key at the same time do not write the same archive; readers
            # look at the description first: they find all of one of them, or nothing.
            with self._place.open(_archive(key, digest), "wb") as remote:
                _copy(archive, remote)
        stated = {"format": FORMAT, "sha256": digest}
        self._place.write(_name(key, "json"), json.dumps(stated).encode())


class _Damaged(Exception):
    """An entry is not what it says it is."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder of some file system of fsspec's."""

    files: Any
    folder: str

    def open(self, name: str, mode: str) -> Any:
        path = f"{self.folder}/{name}"
        if mode == "wb":
            self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
        return self.files.open(path, mode)

    def read(self, name: str) -> bytes:
        # Another workstation may have written it a moment ago.
        self.files.invalidate_cache()
        content: bytes = self.files.cat_file(f"{self.folder}/{name}")
        return content

    def write(self, name: str, content: bytes) -> None:
        self.files.pipe_file(f"{self.folder}/{name}", content)


def _opened(url: str) -> _Place:
    import fsspec

    try:
        files, folder = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise UsageError(
            f"--store {url}: {error}", "install what it names, for example: pip install s3fs"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"--store {url}: {error}", "write file:///DIR, s3://BUCKET/DIR or another of these"
        ) from error
    return _Place(files, folder.rstrip("/"))


def share_of(note: Note, offline: bool = False) -> Share | None:
    """Return the place that the environment variable TEECALL_STORE names, or None.

    Args:
        note: is told what is wrong there.
        offline: only a place on this workstation will do.

    Raises:
        UsageError: it names none.
    """
    url = os.environ.get(VARIABLE)
    if not url or (offline and not url.startswith(_LOCAL)):
        return None
    return Share(url, note)


def _name(key: Key, ending: str) -> str:
    return f"teecall-v{FORMAT}/{key.recipe}/{key.digest}.{ending}"


def _archive(key: Key, digest: str) -> str:
    return _name(key, f"{digest[:16]}.tar.gz")


def _copy(source: IO[bytes], target: IO[bytes]) -> str:
    """Copy to the end, and return the SHA-256 of what was copied, in hex."""
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Take the owner out: artefacts belong to whoever unpacks them."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _unpack(archive: IO[bytes], out: Path) -> None:
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            # This filter refuses what would be written outside of the folder, also by way of a
            # link. Links themselves may lead out: a kernel's build folder names its sources.
            tar.extractall(out, filter="tar")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise _Damaged(str(error)) from error


def _check(out: Path) -> None:
    manifest = read_manifest(out)
    if manifest is None:
        raise _Damaged(f"it has no {MANIFEST}")
    for name, entry in manifest["files"].items():
        if not same_content(out / name, entry):
            raise _Damaged(f"its file {name} is another one")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
