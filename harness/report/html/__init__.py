# SPDX-License-Identifier: Apache-2.0
"""One self-contained page for a night.

The page loads nothing: style, script and pictures are in it. Its Content-Security-Policy forbids
requests and every script but its own, so that text of a guest that should ever become markup
could still not run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import StoreError
from harness.files import write_atomic
from harness.report.history import History, Past
from harness.report.html.charts import charts, seconds
from harness.report.html.clean import clean
from harness.report.html.grid import SYMBOLS, common, grids, verdict_name
from harness.report.html.model import Full, Short, full, moment, short
from harness.report.markdown import counts_line, kinds
from harness.report.record import Night, RunRecord

# Of runs that failed in the same way, the first ones are told in full.
FULL_OF_A_KIND = 2
# Bytes of all that is told in full. With the rows of 500 cells a page stays below 5 MB.
FULL_SIZE = 3_400_000
# With less room nothing is tried any more.
_SMALLEST = 20_000
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Kind:
    """The runs that failed in one way."""

    signature: str
    title: str
    verdict: str
    first_seen: str
    detailed: tuple[tuple[Full, Markup], ...]
    others: tuple[Short, ...]
    quarantined: bool

    @property
    def count(self) -> int:
        return len(self.detailed) + len(self.others)


def write_html(night: Night, out: Path, history: History | None = None) -> None:
    """Write the page of a night.

    Args:
        night: it may still go on.
        out: the file; links to evidence are relative where that is possible.
        history: earlier runs, to tell since when something fails and how metrics went.

    Raises:
        StoreError, NoSpace: the file cannot be written.
    """
    page = render(night, out, history)
    try:
        # A reader who loads it while the night goes on sees the old page or the new one.
        write_atomic(out, page)
    except OSError as error:
        raise StoreError(f"cannot write {out}: {error.strerror}", "give another file") from error


def took(seconds: float) -> str:
    """Return a length of time in seconds as the page tells it."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def render(night: Night, out: Path, history: History | None = None) -> str:
    """Return the page; the arguments are those of `write_html`."""
    templates = environment()
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    rows = [short(night, run, f"run-{n}", out) for n, run in enumerate(night.runs)]
    targets = {id(row.run): row.target for row in rows}
    targets |= {id(run): f"not-run-{n}" for n, run in enumerate(night.not_run)}
    told = _Kinds(templates, night, rows, history).all()
    return templates.get_template("page.html.j2").render(
        night=night,
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        counts=night.counts,
        counts_line=counts_line(night),
        symbols=SYMBOLS,
        grids=grids(night, targets),
        common=common(night),
        took=took(night.end.duration_s) if night.end is not None else "",
        kinds=told,
        detailed={each.short.target for kind in told for each, _ in kind.detailed},
        rows=rows,
        charts=charts(night, history),
        has_history=history is not None,
        versions=_versions(night),
    )


def environment() -> Environment:
    """Return templates in which everything is cleaned and escaped, unless it is `Markup`."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(str(value)),
    )


class _Kinds:
    """Tells failures in full as long as there is room."""

    def __init__(
        self, environment: Environment, night: Night, rows: list[Short], history: History | None
    ) -> None:
        self._template = environment.get_template("failure.html.j2")
        self._night = night
        self._rows = {id(row.run): row for row in rows}
        self._history = history
        self._room = FULL_SIZE

    def all(self) -> list[_Kind]:
        """Return every kind of failure, the most frequent first."""
        return [self._kind(signature, runs) for signature, runs in kinds(self._night)]

    def _kind(self, signature: str, runs: list[RunRecord]) -> _Kind:
        detailed = tuple(self._told(runs))
        first = runs[0]
        return _Kind(
            signature,
            clean(first.title or signature, 300),
            verdict_name(first),
            self._first_seen(first),
            detailed,
            tuple(self._rows[id(run)] for run in runs[len(detailed) :]),
            all(run.quarantine for run in runs),
        )

    def _told(self, runs: list[RunRecord]) -> Iterator[tuple[Full, Markup]]:
        for run in runs[:FULL_OF_A_KIND]:
            if self._room < _SMALLEST:
                return
            found = full(self._night, self._rows[id(run)], self._history)
            told = Markup(self._template.render(failure=found))
            size = len(told.encode())
            if size > self._room:
                return
            self._room -= size
            yield found, told

    def _first_seen(self, run: RunRecord) -> str:
        if self._history is None or run.signature is None:
            return ""
        past: Past | None = self._history.first_seen(run.signature)
        began = seconds(self._night.begin.dt)
        # The history may have this night's runs already.
        return "this night" if past is None or past.started >= began else moment(past)


def _versions(night: Night) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for run in night.runs:
        for name, version in run.versions.items():
            found.setdefault(name, set()).add(version)
    return {name: ", ".join(sorted(found[name])) for name in sorted(found)}
