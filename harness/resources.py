# SPDX-License-Identifier: Apache-2.0
"""Where teecall's own files are: in the checkout, or inside the installed package."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from harness.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent
# make, the linker and QEMU each read some of these as more than a letter of a path.
_NOT_FOR_MAKE = re.compile("[\\s\x00-\x1f\x7f\ud800-\udfff,:;$#%*?!&|=<>()\\[\\]{}\\\\'\"`]")


@cache
def root() -> Path:
    """Return the folder that holds `configs`, `firmware` and `guest-images`.

    In a checkout that is the repository itself, so that an edit takes effect at once; an
    installed wheel carries copies of the three folders as package data.
    """
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "firmware").is_dir():
        return checkout
    return _PACKAGE / "_data"


def configs() -> Path:
    """Return the folder of the shipped configurations."""
    return root() / "configs"


def firmware() -> Path:
    """Return the folder of the firmware's sources."""
    return root() / "firmware"


def guest_images() -> Path:
    """Return the folder of the host's and the guests' sources."""
    return root() / "guest-images"


def cache_dir() -> Path:
    """Return the folder of downloads and built artefacts: $TEECALL_CACHE, else XDG's cache.

    Raises:
        UsageError: components cannot be built below its path.
    """
    chosen = os.environ.get("TEECALL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _buildable(absolute(Path(chosen) if chosen else Path(base, "teecall")))


def _buildable(folder: Path) -> Path:
    found = _NOT_FOR_MAKE.search(str(folder))
    if found:
        raise UsageError(
            f"the cache cannot be at {str(folder)!r}: {found[0]!r} means something else to make",
            "choose a folder with a plainer path: TEECALL_CACHE=DIR",
        )
    return folder


def absolute(path: Path) -> Path:
    """Return a path from the root on.

    Raises:
        UsageError: it is relative, and the working directory was deleted.
    """
    try:
        return path.expanduser().absolute()
    except FileNotFoundError:
        raise UsageError(
            f"{path} is a relative path, and the working directory is deleted",
            "cd to a folder that exists",
        ) from None
