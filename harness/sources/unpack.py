# SPDX-License-Identifier: Apache-2.0
"""Unpack tarballs and Debian packages into a folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from harness.errors import SourceError
from harness.files import no_space

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_CHUNK = 1 << 20


def unpack(archive: Path, into: Path, *, own: bool = False) -> Path:
    """Unpack an archive and return the top of its content.

    A tarball's single top folder is the content; of a Debian package that holds a source tarball
    (linux-source), the tarball's content is.

    Args:
        archive: a tarball or a .deb.
        into: an existing, empty folder.
        own: the archive is a file of the user's, which no fetch brings back.

    Raises:
        SourceError: the archive is damaged or of another kind.
        NoSpace: the disk is full.
    """
    try:
        return _unpack(archive, into)
    except SourceError as error:
        if own:
            error.remedy = "the file is damaged or no tarball; make it anew, or name another"
        raise


def _unpack(archive: Path, into: Path) -> Path:
    with archive.open("rb") as file:
        is_package = file.read(len(_AR_MAGIC)) == _AR_MAGIC
    if not is_package:
        _untar(archive, into)
        return _single_folder(into)
    files = into / "files"
    files.mkdir()
    data = _extract_data(archive, into)
    _untar(data, files)
    data.unlink()
    inner = sorted(files.glob("usr/src/*.tar.*"))
    if not inner:
        return files
    source = into / "source"
    source.mkdir()
    _untar(inner[0], source)
    return _single_folder(source)


def _single_folder(folder: Path) -> Path:
    children = list(folder.iterdir())
    if len(children) == 1 and children[0].is_dir():
        return children[0]
    return folder


def _untar(archive: Path, into: Path) -> None:
    # GNU tar is several times faster than tarfile on a kernel tree, and refuses paths that lead
    # out of the folder.
    command = ["tar", "-x", "--no-same-owner", "-f", str(archive), "-C", str(into)]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    if result.returncode == 0:
        return
    if "No space left" in result.stderr:
        raise no_space(into)
    raise _damaged(archive, result.stderr.strip().splitlines()[:3])


def _damaged(archive: Path, details: list[str]) -> SourceError:
    return SourceError(
        f"{archive}: does not unpack",
        "the file is damaged or no tarball; remove it and run `teecall fetch` again",
        details=details,
    )


def _extract_data(package: Path, into: Path) -> Path:
    """Copy the data tarball out of a .deb, which is an ar archive."""
    with package.open("rb") as file:
        for name, size in _members(package, file):
            if name.startswith("data.tar"):
                target = into / name
                _copy(file, target, size)
                return target
            file.seek(size + size % 2, 1)
    raise _damaged(package, ["there is no data.tar in it"])


def _members(package: Path, file: BinaryIO) -> Iterator[tuple[str, int]]:
    """Yield name and size of each member; the file stands at the member's content."""
    file.seek(len(_AR_MAGIC))
    while header := file.read(_AR_HEADER):
        if len(header) < _AR_HEADER or header[58:60] != b"`\n":
            raise _damaged(package, ["the ar header is damaged"])
        yield header[:16].decode(errors="replace").strip().rstrip("/"), int(header[48:58])


def _copy(file: BinaryIO, target: Path, size: int) -> None:
    with target.open("wb") as out:
        while size:
            chunk = file.read(min(size, _CHUNK))
            if not chunk:
                raise _damaged(target, ["the package ends too early"])
            out.write(chunk)
            size -= len(chunk)
