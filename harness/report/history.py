# SPDX-License-Identifier: Apache-2.0
"""Every run that was ever made here, in one SQLite file: its verdict, checks and metrics.

The file is in WAL mode, so that runs which end at the same time add themselves while a report
reads. What a later question may need of a run is in columns; the rest stays in the night's own
`events.jsonl`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import NoSpace, StoreError, UsageError
from harness.report.record import RunRecord
from harness.resources import cache_dir
from harness.verdict import Verdict

VERSION = 1
_FILE = "history.sqlite"
# Runs that end together wait for each other; a report may take a while to read.
_BUSY_S = 30.0
_SCHEMA = """
CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    night TEXT NOT NULL,
    cell TEXT NOT NULL,
    label TEXT NOT NULL,
    scenario TEXT NOT NULL,
    verdict TEXT,
    signature TEXT,
    title TEXT,
    started REAL NOT NULL,
    duration_s REAL NOT NULL,
    quarantined INTEGER NOT NULL,
    spoilt INTEGER NOT NULL,
    node TEXT NOT NULL,
    evidence TEXT,
    axes TEXT NOT NULL,
    versions TEXT NOT NULL,
    artefacts TEXT NOT NULL,
    settings TEXT NOT NULL,
    command TEXT NOT NULL,
    origin TEXT NOT NULL,
    UNIQUE (night, cell, label, started)
);
CREATE INDEX run_by_cell ON run (cell, started);
CREATE INDEX run_by_time ON run (started);
CREATE TABLE run_check (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    duration_s REAL NOT NULL
);
CREATE INDEX check_by_run ON run_check (run);
CREATE TABLE metric (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    name TEXT NOT NULL,
    value REAL NOT NULL
);
CREATE INDEX metric_by_name ON metric (name, run);
CREATE INDEX metric_by_run ON metric (run);
"""


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier run, as the history knows it. `started` is in seconds since the epoch."""

    number: int
    night: str
    cell: str
    label: str
    scenario: str
    verdict: Verdict | None
    signature: str | None
    title: str | None
    started: float
    duration_s: float
    quarantined: bool
    evidence: str | None
    versions: dict[str, str]
    artefacts: dict[str, str]
    settings: dict[str, Any]
    command: str


@dataclass(frozen=True, slots=True)
class Point:
    """The value that a metric had in a run."""

    run: int
    cell: str
    label: str
    started: float
    value: float
    versions: dict[str, str]


_PAST = tuple(field.name for field in fields(Past))


class History:
    """The file, open. Use `open_history`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    def add(self, night: str, runs: Iterable[RunRecord], origin: str = "teecall") -> int:
        """Add the runs of a night that are not there yet, all or none; return how many.

        Args:
            night: its name.
            runs: what became of them.
            origin: who has made them.

        Raises:
            StoreError, NoSpace: the file cannot be written.
        """
        with _explained(self.path), self._db:
            return sum(self._add_run(night, run, origin) for run in runs)

    def _add_run(self, night: str, run: RunRecord, origin: str) -> bool:
        values = {
            "night": night,
            "cell": run.id,
            "label": run.label,
            "scenario": run.scenario,
            "verdict": run.verdict and str(run.verdict),
            "signature": run.signature,
            "title": run.title,
            "started": _seconds(run.started),
            "duration_s": run.duration_s,
            "quarantined": run.quarantine is not None,
            "spoilt": len(run.spoilt),
            "node": run.node,
            "evidence": run.evidence,
            "axes": json.dumps(run.axes),
            "versions": json.dumps(run.versions),
            "artefacts": json.dumps(run.artefacts),
            "settings": json.dumps(run.settings),
            "command": run.command,
            "origin": origin,
        }
        names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        added = self._db.execute(f"INSERT OR IGNORE INTO run ({names}) VALUES ({places})", values)
        if added.rowcount == 0:
            return False
        number = added.lastrowid
        self._db.executemany(
            "INSERT INTO run_check VALUES (?, ?, ?, ?)",
            [(number, check.name, str(check.verdict), check.duration_s) for check in run.checks],
        )
        self._db.executemany(
            "INSERT INTO metric VALUES (?, ?, ?)",
            [(number, name, value) for name, value in run.metrics.items()],
        )
        return True

    def runs(self, since: float = 0.0, cell: str | None = None) -> list[Past]:
        """Return runs from the oldest to the newest.

        Args:
            since: of those that started at this time or later, in seconds since the epoch.
            cell: only those of this cell.
        """
        return self._past(
            "started >= ? AND (? IS NULL OR cell = ?) ORDER BY started, number", since, cell, cell
        )

    def last_pass(self, cell: str, before: float) -> Past | None:
        """Return the newest run of a cell that passed before a time, or None."""
        found = self._past(
            "cell = ? AND started < ? AND verdict = 'PASS' ORDER BY started DESC LIMIT 1",
            cell,
            before,
        )
        return found[0] if found else None

    def last_pass_of(self, scenario: str, before: float) -> Past | None:
        """Return the newest run of a scenario, of any cell, that passed before a time, or None."""
        found = self._past(
            "scenario = ? AND started < ? AND verdict = 'PASS' ORDER BY started DESC LIMIT 1",
            scenario,
            before,
        )
        return found[0] if found else None

    def first_seen(self, signature: str) -> Past | None:
        """Return the oldest run that failed in this way, or None."""
        found = self._past("signature = ? ORDER BY started, number LIMIT 1", signature)
        return found[0] if found else None

    def points(self, metric: str, since: float = 0.0) -> list[Point]:
        """Return the values of a metric from the oldest to the newest."""
        query = (
            "SELECT run.number, cell, label, started, value, versions FROM metric"
            " JOIN run ON run.number = metric.run"
            " WHERE metric.name = ? AND started >= ? ORDER BY started, run.number"
        )
        with _explained(self.path):
            rows = self._db.execute(query, (metric, since)).fetchall()
        return [
            Point(run, cell, label, started, value, json.loads(versions))
            for run, cell, label, started, value, versions in rows
        ]

    def metrics(self) -> list[str]:
        """Return the names of all metrics."""
        with _explained(self.path):
            rows = self._db.execute("SELECT DISTINCT name FROM metric ORDER BY name").fetchall()
        return [name for (name,) in rows]

    def prune(self, before: float) -> int:
        """Remove the runs that started before a time, and give the space back; return how many."""
        with _explained(self.path):
            with self._db:
                removed = self._db.execute("DELETE FROM run WHERE started < ?", (before,)).rowcount
            if removed:
                self._db.execute("VACUUM")
        return removed

    def _past(self, condition: str, *values: object) -> list[Past]:
        names = ", ".join(_PAST)
        with _explained(self.path):
            rows = self._db.execute(f"SELECT {names} FROM run WHERE {condition}", values).fetchall()
        return [_past(row) for row in rows]


def _past(row: Sequence[Any]) -> Past:
    values = dict(zip(_PAST, row, strict=True))
    values["verdict"] = values["verdict"] and Verdict(values["verdict"])
    values["quarantined"] = bool(values["quarantined"])
    for name in ("versions", "artefacts", "settings"):
        values[name] = json.loads(values[name])
    return Past(**values)


def default_path() -> Path:
    """Return the history of this user, or the file that TEECALL_HISTORY names."""
    if named := os.environ.get("TEECALL_HISTORY"):
        return Path(named)
    return cache_dir() / _FILE


@contextmanager
def open_history(path: Path | None = None) -> Iterator[History]:
    """Open a history, which is made when there is none.

    Args:
        path: the file; the user's own by default.

    Raises:
        UsageError: it is no history, or one of a newer teecall.
        StoreError, NoSpace: it cannot be opened or written.
    """
    path = path or default_path()
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_S)
    try:
        with _explained(path):
            _prepare(path, connection)
        yield History(path, connection)
    finally:
        connection.close()


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode a crash of the machine may lose the newest runs, and never more.
    connection.execute("PRAGMA synchronous = NORMAL")
    if _version(connection) == 0:
        # Another process may be here as well: the first one makes the tables.
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            if _version(connection) == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
    if _version(connection) > VERSION:
        raise UsageError(
            f"{path} is a history of format {_version(connection)}, this teecall reads {VERSION}",
            "install a newer teecall, or give another file with --history",
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Let errors of SQLite and of the file say which file and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "full" in text:
            raise NoSpace(f"no space left to write {path}", "free some space") from error
        if "not a database" in text or "malformed" in text:
            raise UsageError(
                f"{path} is not a history of teecall, or is damaged",
                "move it away; a new one is begun then",
            ) from error
        raise StoreError(f"{path}: {text}", "give another file with --history") from error
    except OSError as error:
        raise StoreError(
            f"cannot write {path}: {error.strerror}", "give another file with --history"
        ) from error


def _seconds(text: str) -> float:
    """Return seconds since the epoch; a time without an offset is taken for UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return time.time()
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
