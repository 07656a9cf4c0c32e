# SPDX-License-Identifier: Apache-2.0
"""The configuration of a command without `-c` and `--set`, kept between commands.

It follows from the text of one file and the code that reads it. To read YAML and check it costs a
smoke a sixth of what it takes before its machine runs; a kept value costs a look at both.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness import resources
from harness.config.schema import Config
from harness.errors import StoreError

DEFAULT = "default.yaml"
_CODE = Path(__file__).parent


class _Kept(msgspec.Struct, frozen=True):
    """A configuration with what it follows from."""

    basis: str
    config: Config


def load_config(files: Sequence[Path] = (), sets: Sequence[str] = ()) -> Config:
    """Return what `harness.config.load.load` gives, from the cache where that is the same.

    With files or assignments what a relative path means depends on the file system: nothing of
    that is kept.

    Args:
        files: `-c` files.
        sets: `a.b=c` assignments.

    Raises:
        ConfigError: a file cannot be read, a key or value is wrong, or values do not fit together.
        UsageError: an assignment is not of the form KEY=VALUE.
    """
    if files or sets:
        return _loaded(files, sets)
    basis, place = _basis(), _place()
    kept = None if basis is None else _read(place)
    if kept is not None and kept.basis == basis:
        return kept.config
    config = _loaded()
    if basis is not None and _stands_alone(config):
        _write(place, _Kept(basis, config))
    return config


def _place() -> Path:
    """Return the file of the cache; each checkout has its own."""
    name = hashlib.sha256(str(resources.configs()).encode()).hexdigest()[:16]
    return resources.cache_dir() / "stat" / f"config-{name}.json"


def _read(place: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None


def _loaded(files: Sequence[Path] = (), sets: Sequence[str] = ()) -> Config:
    from harness.config.load import load

    return load(files, sets).value


def _basis() -> str | None:
    """Return the name of everything the default configuration follows from; None without it."""
    digest = hashlib.sha256(f"{sys.version} {msgspec.__version__}".encode())
    try:
        digest.update((resources.configs() / DEFAULT).read_bytes())
        with os.scandir(_CODE) as items:
            code = sorted((item.name, item.stat()) for item in items if item.name.endswith(".py"))
    except OSError:
        return None
    for name, status in code:
        digest.update(f"\n{name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _stands_alone(config: Config) -> bool:
    """Tell whether no value has come from another file, or is a path found by looking."""
    from harness.config.load import defaults

    text = msgspec.json.encode(config)
    return len(defaults()) == 1 and b'"/' not in text and b":/" not in text


def _write(place: Path, kept: _Kept) -> None:
    from harness.files import write_atomic

    try:
        write_atomic(place, msgspec.json.encode(kept).decode())
    except (OSError, StoreError):
        # Without it the next command is slower, and that is all.
        return
