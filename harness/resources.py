# SPDX-License-Identifier: Apache-2.0
"""Where teecall's own files are: in the checkout, or inside the installed package."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


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
    """Return the folder of downloads and built artefacts: $TEECALL_CACHE, else XDG's cache."""
    chosen = os.environ.get("TEECALL_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "teecall"
