# SPDX-License-Identifier: Apache-2.0
"""Files and folders that other processes share: locks, atomic writes, a full disk."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import NoSpace, StoreError
from harness.locks import wait_for_lock

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CHUNK = 1 << 20
_SCRATCH = "tmp-"
_SETTLED_S = 10.0


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk under a folder refuses into errors with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise no_space(folder) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise StoreError(
                f"cannot write {error.filename or folder}: {error.strerror}",
                "make it writable, or choose another folder with TEECALL_CACHE=DIR",
            ) from error
        raise


def no_space(folder: Path) -> NoSpace:
    """Return the error of a full disk. What was being written was not published."""
    return NoSpace(
        f"no space left on the disk of {folder}",
        "free some space (about 4 GB are needed), or choose another disk with TEECALL_CACHE=DIR; "
        "nothing half-written was kept",
    )


def require_space(folder: Path, size: int) -> None:
    """Check that a disk has room for what is about to be written, in bytes.

    For tools that do not survive a full disk: apt waits for ever.

    Raises:
        NoSpace: it has not.
    """
    if shutil.disk_usage(folder).free < size:
        raise no_space(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that dies with the process. The file itself stays.

    Raises:
        Cancelled: `worker_pool` ended while another process had the lock.
    """
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    wait_for_lock(handle)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def scratch(parent: Path, prefix: str) -> Iterator[Path]:
    """Give a folder that is gone afterwards, unless it was renamed to where it belongs.

    It lies on the same disk as its parent, so that a rename publishes it atomically. Folders
    that a killed process left are removed on the way.
    """
    with disk_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{prefix}.", dir=parent))
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # The lock says that the folder is in use, as long as this process lives.
        fcntl.flock(handle, fcntl.LOCK_EX)
        # mkdtemp makes it private; a store on a shared disk is read by others.
        folder.chmod(0o755)
        with disk_errors(parent):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _sweep(parent: Path) -> None:
    """Remove scratch folders whose process is gone."""
    for folder in parent.glob(f"{_SCRATCH}*"):
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            # One that was just made may not be locked yet.
            if time.time() - os.fstat(handle).st_ctime > _SETTLED_S:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)


def publish(folder: Path, final: Path) -> None:
    """Rename a finished folder to its final name, replacing a damaged one.

    The caller holds the lock of the final name.
    """
    if final.exists():
        doomed = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}old.", dir=final.parent))
        final.rename(doomed / final.name)
        folder.rename(final)
        shutil.rmtree(doomed, ignore_errors=True)
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(final)


def write_atomic(path: Path, content: str) -> None:
    """Write a small file so that a reader sees the old or the new content, never a part."""
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).rename(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
