# SPDX-License-Identifier: Apache-2.0
"""The lines of `events.jsonl`: what happened in a night, or in one run, as typed values.

Every report, the history and the pages are made from these lines and from nothing else, so that
they agree in every count. A line that another version of teecall has written may have fields that
this one does not know; they are skipped. A file of a newer major version is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.errors import UsageError
from harness.verdict import Verdict

VERSION = 1
EVENTS_FILE = "events.jsonl"


class CheckRecord(Struct, frozen=True, kw_only=True):
    """One check of a run."""

    name: str
    verdict: Verdict
    detail: str = ""
    duration_s: float = 0.0


class FailureRecord(Struct, frozen=True, kw_only=True):
    """What broke: `where` are lines for people, `file` and `line` the source place if known.

    `open` is the evidence file to look at first, relative to the run's folder.
    """

    check: str
    message: str
    details: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    remedy: str = ""
    open: str | None = None
    file: str | None = None
    line: int | None = None


class QuarantineRecord(Struct, frozen=True, kw_only=True):
    """Why a failure does not count, where it is reported, and the last day on which it holds."""

    reason: str
    url: str
    expires: str


class RunRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="run"):
    """What came of one run (a cell of a night, or a run of its own).

    `id` identifies the configuration (equal for equal cells of different nights), `label` is for
    people. `axes` are the values of the matrix. `verdict` is None when the user has to correct
    something first. `signature` groups runs that failed in the same way; `title` is for people.
    `artefacts` has the store's key of each built component, `versions` that of each source.
    `spoilt` says for each earlier attempt what was wrong with the environment. `evidence` is the
    run's folder: relative to the night's, or absolute.
    """

    dt: str
    id: str
    label: str
    scenario: str
    verdict: Verdict | None
    exit_code: int
    started: str
    duration_s: float
    axes: dict[str, str] = field(default_factory=dict)
    signature: str | None = None
    title: str | None = None
    checks: tuple[CheckRecord, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    artefacts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    spoilt: tuple[str, ...] = ()
    quarantine: QuarantineRecord | None = None
    evidence: str | None = None
    command: str = ""
    node: str = ""
    repeat: int = 1

    @property
    def counts(self) -> bool:
        """Whether a bad verdict makes the night fail."""
        return self.quarantine is None


class BeginRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="begin"):
    """A night begins: what made it, on what, and how much is planned."""

    dt: str
    version: int
    night: str
    command: str = ""
    teecall: dict[str, str | None] = field(default_factory=dict)
    node: str = ""
    cpus: int = 0
    matrix: str | None = None
    suite: str | None = None
    shard: str | None = None
    planned: int = 0
    budget_s: float | None = None


class BuildRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="build"):
    """A component was built, or found in the store (`cached`); `error` when it does not build."""

    dt: str
    component: str
    key: str = ""
    seconds: float = 0.0
    cached: bool = False
    error: str | None = None


class StartRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="start"):
    """A run begins."""

    dt: str
    id: str
    label: str
    attempt: int = 1
    node: str = ""


class NotRunRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="not-run"):
    """A planned run was not made."""

    dt: str
    id: str
    label: str
    scenario: str
    why: str
    axes: dict[str, str] = field(default_factory=dict)


class EndRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="end"):
    """A night ends; `why` says why it ended before everything was run."""

    dt: str
    exit_code: int
    duration_s: float
    why: str = ""


Record = BeginRecord | BuildRecord | StartRecord | RunRecord | NotRunRecord | EndRecord

_BAD = (Verdict.FAIL, Verdict.CRASH, Verdict.HANG, Verdict.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Night:
    """All that `events.jsonl` tells.

    `end` is None while the night goes on, or when it was killed. `damaged` counts lines that
    could not be read: a killed writer leaves at most one.
    """

    folder: Path
    begin: BeginRecord
    runs: tuple[RunRecord, ...] = ()
    not_run: tuple[NotRunRecord, ...] = ()
    builds: tuple[BuildRecord, ...] = ()
    end: EndRecord | None = None
    damaged: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Runs of each verdict; `ERROR` for runs that the user has to correct first."""
        found: dict[str, int] = {}
        for run in self.runs:
            name = str(run.verdict) if run.verdict is not None else "ERROR"
            found[name] = found.get(name, 0) + 1
        return found

    @property
    def bad(self) -> tuple[RunRecord, ...]:
        """Runs in which what is under test was at fault, quarantined ones included."""
        return tuple(run for run in self.runs if run.verdict in _BAD)


_DECODER = msgspec.json.Decoder(Record)
_ENCODER = msgspec.json.Encoder()


def encode(record: Record) -> bytes:
    """Return the line of a record, with its line feed."""
    return _ENCODER.encode(record) + b"\n"


def decode(lines: Iterable[bytes]) -> Iterator[Record | None]:
    """Give the record of each line, None for one that cannot be read."""
    for line in lines:
        if not line.strip():
            continue
        try:
            yield _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield None


def load_night(folder: Path) -> Night:
    """Load a night.

    Args:
        folder: its folder, or its `events.jsonl`.

    Raises:
        UsageError: there is none, it does not begin as one does, or a newer teecall wrote it.
    """
    path = folder if folder.is_file() else folder / EVENTS_FILE
    try:
        with path.open("rb") as file:
            records = list(decode(file))
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "give the folder of a night"
        ) from error
    return night_of(path.parent, records)


def night_of(folder: Path, records: Sequence[Record | None]) -> Night:
    """Return the night that records tell of.

    Raises:
        UsageError: the first record does not begin a night, or a newer teecall wrote it.
    """
    begin = records[0] if records else None
    if not isinstance(begin, BeginRecord):
        raise UsageError(
            f"{folder / EVENTS_FILE} does not begin like the events of a night",
            "give the folder that `teecall nightly` or `teecall run` has named",
        )
    if begin.version > VERSION:
        raise UsageError(
            f"{folder / EVENTS_FILE} is of format {begin.version}, this teecall reads {VERSION}",
            "install a newer teecall",
        )
    return Night(
        folder,
        begin,
        tuple(record for record in records if isinstance(record, RunRecord)),
        tuple(record for record in records if isinstance(record, NotRunRecord)),
        tuple(record for record in records if isinstance(record, BuildRecord)),
        next((record for record in records if isinstance(record, EndRecord)), None),
        sum(record is None for record in records),
    )
