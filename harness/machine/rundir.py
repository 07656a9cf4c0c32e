# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: everything somebody needs to understand it afterwards."""

from __future__ import annotations

import contextlib
import errno
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from harness.errors import NoSpace, StoreError
from harness.resources import cache_dir

_NO_SPACE = {"ENOSPC", "EDQUOT"}


@dataclass(frozen=True, slots=True)
class RunDir:
    """A folder that keeps the evidence of one run."""

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of an evidence file."""
        return self.path / name

    def write(self, name: str, content: str | bytes) -> Path:
        """Write an evidence file and return its path.

        Raises:
            StoreError, NoSpace: it cannot be written.
        """
        path = self.path / name
        data = content.encode() if isinstance(content, str) else content
        try:
            path.write_bytes(data)
        except OSError as error:
            raise _storage_error(path, error) from error
        return path

    def write_json(self, name: str, value: object) -> Path:
        """Write an evidence file in JSON and return its path."""
        return self.write(name, json.dumps(value, indent=2) + "\n")


def new_run(path: Path | None = None) -> RunDir:
    """Make the folder of a new run; `latest` beside it points at it.

    Args:
        path: folder to use; None makes `runs/<timestamp>-<id>` in the cache.
    """
    if path is not None:
        return RunDir(_made(path.absolute()))
    runs = cache_dir() / "runs"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = _made(runs / f"{stamp}-{secrets.token_hex(3)}")
    _point_latest(runs, folder.name)
    return RunDir(folder)


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _storage_error(path, error) from error
    return path


def _point_latest(runs: Path, name: str) -> None:
    """Replace the link in one step: two runs may end up here at the same time."""
    fresh = runs / f".latest-{secrets.token_hex(3)}"
    with contextlib.suppress(OSError):
        fresh.symlink_to(name)
        fresh.replace(runs / "latest")


def _storage_error(path: Path, error: OSError) -> StoreError:
    if errno.errorcode.get(error.errno or 0) in _NO_SPACE:
        return NoSpace(f"no space left to write {path}", "free some, or use --run-dir")
    return StoreError(f"cannot write {path}: {error.strerror}", "use --run-dir")
