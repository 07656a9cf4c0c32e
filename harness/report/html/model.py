# SPDX-License-Identifier: Apache-2.0
"""What a page tells of each run, gathered from records, evidence and history."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness.errors import UsageError
from harness.report.history import History, Past
from harness.report.html.charts import seconds
from harness.report.html.clean import clean, file_link, lines_of, web_link
from harness.report.html.consoles import Strip, consoles, strips
from harness.report.html.grid import verdict_name
from harness.report.html.timeline import timeline
from harness.report.record import Night, RunRecord
from harness.trace.record import Trace
from harness.trace.saved import load_trace

_LETTERS = 2000
_LINES = 60
_FORENSICS_BYTES = 12_000


@dataclass(frozen=True, slots=True)
class Short:
    """A run as one row."""

    target: str
    run: RunRecord
    verdict: str
    title: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Full:
    """A failed run with all that helps to understand it."""

    short: Short
    messages: tuple[tuple[str, str], ...]
    where: tuple[str, ...]
    details: tuple[str, ...]
    changed: tuple[tuple[str, str, str], ...]
    last_pass: str | None
    forensics: str
    timeline: Markup | None
    strips: tuple[Strip, ...]
    quarantine_link: str | None


def folder_of(night: Night, run: RunRecord) -> Path | None:
    """Return the folder with a run's evidence, None when it has left none."""
    return night.folder / run.evidence if run.evidence else None


def short(night: Night, run: RunRecord, target: str, page: Path) -> Short:
    """Return a run as a row; `page` is the file that will show it."""
    folder = folder_of(night, run)
    link = file_link(folder, page) + "/" if folder is not None and folder.is_dir() else None
    title = clean(run.title or run.signature or "", 300)
    return Short(target, run, verdict_name(run), title, link)


def full(night: Night, row: Short, history: History | None) -> Full:
    """Return a run with what its evidence and its past tell."""
    run = row.run
    folder = folder_of(night, run)
    trace = _trace(folder)
    past = history.last_pass(run.id, seconds(run.started)) if history else None
    return Full(
        row,
        tuple((failure.check, clean(failure.message, _LETTERS)) for failure in run.failures),
        tuple(_lines(line for failure in run.failures for line in failure.where)),
        tuple(_lines(line for failure in run.failures for line in failure.details)),
        tuple(_changed(past, run)) if past else (),
        moment(past) if past else None,
        forensics(folder),
        timeline(trace) if trace else None,
        tuple(strips(consoles(folder, trace))) if folder is not None else (),
        web_link(run.quarantine.url) if run.quarantine else None,
    )


def moment(past: Past) -> str:
    """Return when an earlier run was, and in which night."""
    when = datetime.fromtimestamp(past.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{when} (night {past.night})"


def _trace(folder: Path | None) -> Trace | None:
    # A run that never booted has none; what a killed one has left may be cut off.
    with contextlib.suppress(UsageError):
        return load_trace(folder) if folder is not None else None
    return None


def _lines(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _LINES:
            yield "…"
            return
        yield clean(line, 400)


def _changed(past: Past, run: RunRecord) -> Iterator[tuple[str, str, str]]:
    """Give what is different from the last run of the cell that passed: name, then and now."""
    pairs: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
        ("version of", past.versions, run.versions),
        ("built", past.artefacts, run.artefacts),
        ("setting", past.settings, run.settings),
    )
    for kind, before, now in pairs:
        for name in sorted({*before, *now}):
            old, new = before.get(name, "not there"), now.get(name, "not there")
            if old != new:
                yield f"{kind} {name}", clean(str(old), 200), clean(str(new), 200)


def forensics(folder: Path | None) -> str:
    """Return what a run's forensics say, without consoles and events; empty without any."""
    if folder is None:
        return ""
    try:
        content = (folder / "forensics.txt").read_bytes()[:_FORENSICS_BYTES]
    except OSError:
        return ""
    # The consoles are shown beside each other, and the events as a picture.
    sections = "\n".join(lines_of(content)).split("\n== ")
    kept = [
        text
        for text in sections
        if not text.startswith(("UART", "TSM log", "last events")) and "\n" in text.strip()
    ]
    head = sections[0].strip()
    return "\n\n== ".join([head, *(text.strip() for text in kept if text is not sections[0])])
