# SPDX-License-Identifier: Apache-2.0
"""Renew `sources.lock` from the mirror."""

from __future__ import annotations

from pathlib import Path

from harness.files import write_atomic
from harness.sources import lock
from harness.sources.fetch import Fetcher
from harness.ui import Ui


def update_lock(path: Path, cache: Path, ui: Ui) -> list[str]:
    """Pin the newest version of each series, and return what changed, one sentence each.

    Raises:
        SourceError: the mirror cannot be reached.
    """
    fetcher = Fetcher(cache, ui, offline=False)
    pins = lock.read(path)
    renewed = {name: fetcher.newest(pin) or pin for name, pin in pins.items()}
    changes = [
        f"{name}: {pins[name].origins[0]} -> {pin.origins[0]}"
        for name, pin in renewed.items()
        if pin != pins[name]
    ]
    if changes:
        write_atomic(path, lock.render(renewed))
    return changes
