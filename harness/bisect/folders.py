# SPDX-License-Identifier: Apache-2.0
"""Where bisections are kept: the last ones, in the cache."""

from __future__ import annotations

import fcntl
import re
import secrets
import shutil
import time
from pathlib import Path

from harness.bisect.journal import JOURNAL_FILE
from harness.errors import UsageError
from harness.resources import cache_dir

_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_KEEP = 20


def folder_of() -> Path:
    """Return the folder of all bisections."""
    return cache_dir() / "bisects"


def kept() -> list[Path]:
    """Return the folders of all bisections that are kept, oldest first."""
    return sorted(p for p in folder_of().glob("*") if _NAME.fullmatch(p.name))


def new_folder() -> Path:
    """Return the folder of a new bisection; the oldest of many that do not go on are removed."""
    old = kept()
    for folder in old[: max(0, len(old) - _KEEP + 1)]:
        if not _goes_on(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return folder_of() / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def _goes_on(folder: Path) -> bool:
    try:
        with (folder / JOURNAL_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def find(name: str | None) -> Path:
    """Return the folder of a bisection: by its folder or (the end of) its id; None: the newest.

    Raises:
        UsageError: there is none, or several have this name.
    """
    if name and (Path(name) / JOURNAL_FILE).is_file():
        return Path(name).resolve()
    found = kept()
    if name:
        found = [path for path in found if path.name.startswith(name) or path.name.endswith(name)]
    if not found or (name and len(found) > 1):
        known = ", ".join(path.name for path in found) or "none"
        raise UsageError(
            f"--resume {name or ''}: no such bisection, or several", f"in {folder_of()}: {known}"
        )
    return found[-1]
