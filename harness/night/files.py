# SPDX-License-Identifier: Apache-2.0
"""The files that are made from a night, and its folder."""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.files import write_atomic
from harness.report.history import History
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.record import Night
from harness.resources import absolute, cache_dir

# Nights without a name of the user's: this many of the newest stay.
_KEEP = 20
_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


def nights() -> Path:
    """Return the folder of the nights without a name of the user's."""
    return cache_dir() / "nights"


def new_night(out: Path | None) -> Path:
    """Return the folder of a new night; the journal makes it.

    Args:
        out: folder to use; None makes a new one in the cache, where old ones are removed.
    """
    if out is not None:
        return absolute(out)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    old = sorted(path for path in _named()) if nights().is_dir() else []
    for folder in old[: max(0, len(old) - _KEEP + 1)]:
        shutil.rmtree(folder, ignore_errors=True)
    return nights() / name


def _named() -> Iterator[Path]:
    return (path for path in nights().iterdir() if _NAME.fullmatch(path.name))


def latest_night() -> Path | None:
    """Return the folder of the newest night in the cache, or None."""
    if not nights().is_dir():
        return None
    return max(_named(), default=None)


def as_json(night: Night) -> str:
    """Return everything about a night as a JSON document."""
    document = {
        "night": night.begin.night,
        "ended": night.end is not None,
        "exit_code": night.end and night.end.exit_code,
        "counts": night.counts,
        "planned": night.begin.planned,
        "not_run_count": len(night.not_run),
        "damaged_lines": night.damaged,
        "begin": night.begin,
        "builds": night.builds,
        "runs": night.runs,
        "not_run": night.not_run,
        "end": night.end,
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def write_all(night: Night, history: History | None) -> list[Path]:
    """Write the files of a night into its folder, and return them.

    Raises:
        StoreError, NoSpace: one cannot be written.
    """
    makers = {"junit.xml": junit, "report.json": as_json, "summary.md": markdown}
    texts = {name: make(night) for name, make in makers.items()}
    for name, text in texts.items():
        write_atomic(night.folder / name, text)
    written = [night.folder / name for name in texts]
    page = night.folder / "report.html"
    if write_page(night, page, history):
        written.append(page)
    return written


def write_page(night: Night, out: Path, history: History | None) -> bool:
    """Write a night as a page; tell whether this teecall can."""
    if importlib.util.find_spec("harness.report.html") is None:
        return False
    importlib.import_module("harness.report.html").write_html(night, out, history)
    return True
