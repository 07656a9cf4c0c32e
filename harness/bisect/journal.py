# SPDX-License-Identifier: Apache-2.0
"""`journal.jsonl`: all that a bisection has done, as typed values; it goes on from there.

Every report of a bisection is made from these lines and from nothing else. Each is on the disk
before the next thing happens, so that a crash loses at most the steps in hand. What has ended a
trial is one line: `trial` (it was judged), `skip` (it cannot be judged) or `infra` (it is made
again). These lines in their order are the whole state of the search.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec
from msgspec import Struct, field

from harness.bisect.oracle import Observation, Outcome
from harness.bisect.subject import CandidateInfo
from harness.errors import StoreError, UsageError
from harness.files import disk_errors
from harness.report.record import RunRecord
from harness.verdict import Verdict

VERSION = 1
JOURNAL_FILE = "journal.jsonl"
# The names of what is searched. CORNERS is the decision of `--also`, which tests pairs.
FIRST = "first"
SECOND = "second"
CORNERS = "corners"


class TreeRecord(Struct, frozen=True, kw_only=True):
    """One tree with its ends: `good` and `bad` as they were named, `*_commit` what they are.

    `component`, `repo`, `values` and `stock` are what `subject.subject_for` takes.
    """

    component: str
    good: tuple[str, ...]
    bad: str
    repo: str | None = None
    good_commits: tuple[str, ...] = ()
    bad_commit: str = ""
    values: tuple[str, ...] = ()
    stock: bool = False


class JudgeRecord(Struct, frozen=True, kw_only=True):
    """What decides about a candidate: the options of `teecall bisect` that say so."""

    scenario: str = "smoke"
    check: str | None = None
    payload: str | None = None
    expect: str | None = None
    reject: str | None = None
    metric: str | None = None
    worse_by: str | None = None
    lower_is_worse: bool = False
    script: str | None = None
    any_failure: bool = False
    limit_s: float | None = None


class OptionsRecord(Struct, frozen=True, kw_only=True):
    """How it is searched (see `plan.Options`), and with what the machines are made."""

    error: float = 0.01
    failure_rate: float | None = None
    find_fix: bool = False
    first_parent: bool = False
    max_trials: int | None = None
    files: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    offline: bool = False
    jobs: int | None = None
    scheduler: str | None = None
    store: str | None = None
    fresh: bool = False


class BeginRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="begin"):
    """A bisection begins: all that it is told. `trees` are one, or two with `--also`.

    `versions` are those of teecall, QEMU and the sources at the start, as far as known. `directory`
    is where it was begun: what settings and scripts name without a full path is there.
    """

    dt: str
    version: int
    id: str
    command: str
    trees: tuple[TreeRecord, ...]
    judge: JudgeRecord
    options: OptionsRecord
    versions: dict[str, str] = field(default_factory=dict)
    node: str = ""
    cpus: int = 0
    directory: str = ""


class ResumeRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="resume"):
    """It goes on after an interruption or a crash."""

    dt: str
    command: str
    node: str = ""


class LegRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="leg"):
    """A search begins: its name, how many candidates, and how many trials are expected.

    `fixed` are settings of the configuration that stay in this search: the other tree's end.
    `history` is the `Dag` as `Dag.from_rev_list` reads it; empty for values. `notes`: `Subject`.
    """

    dt: str
    leg: str
    good: tuple[str, ...]
    bad: str
    candidates: int
    expected: int
    fixed: tuple[str, ...] = ()
    history: str = ""
    notes: tuple[str, ...] = ()


class BuildRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="build"):
    """A candidate was built, or found in the store (`cached`); `error` when it does not build.

    `ahead` says that it was built before the search asked for it.
    """

    dt: str
    leg: str
    candidate: str
    keys: dict[str, str] = field(default_factory=dict)
    identity: str = ""
    seconds: float = 0.0
    cached: bool = False
    ahead: bool = False
    error: str | None = None


class SampleRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="sample"):
    """One value of the metric; `baseline` when it is one of the good end's to compare with."""

    dt: str
    leg: str
    candidate: str
    value: float
    baseline: bool = False
    seconds: float = 0.0
    evidence: str | None = None


class Tested(Struct, frozen=True, kw_only=True):
    """What `trial`, `skip` and `infra` have in common.

    `verdict`, `signature` and `title` are those of the run; `why` says in one line for people how
    `outcome` follows from it. `same_as` is the candidate with the same artefacts whose trial this
    is. `identity` is that of the build. `evidence` is the run's folder, relative to the
    bisection's. `run` has all of the run where there was one. `known` is the id of the earlier
    bisection whose trial this is.
    """

    dt: str
    leg: str
    candidate: str
    purpose: str
    outcome: Outcome
    why: str = ""
    verdict: Verdict | None = None
    signature: str | None = None
    title: str | None = None
    seconds: float = 0.0
    evidence: str | None = None
    same_as: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    identity: str = ""
    values: tuple[float, ...] = ()
    run: RunRecord | None = None
    known: str | None = None


class TrialRecord(Tested, frozen=True, kw_only=True, tag_field="event", tag="trial"):
    """A trial was judged: GOOD or BAD."""


class SkipRecord(Tested, frozen=True, kw_only=True, tag_field="event", tag="skip"):
    """A candidate cannot be judged; `stage` says where: build, boot, failure or script."""

    stage: str = ""


class InfraRecord(Tested, frozen=True, kw_only=True, tag_field="event", tag="infra"):
    """The environment stood in the way of a trial, which is made again."""


class AnswerRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="answer"):
    """The answer of a search, as `plan.Answer`; for CORNERS `blame` is a `Blame`.

    `described` says for each culprit what the history tells of it.
    """

    dt: str
    leg: str
    culprits: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    confidence: float = 0.0
    conclusive: bool = True
    failure_rate: float = 1.0
    trials: int = 0
    blame: str | None = None
    described: dict[str, CandidateInfo] = field(default_factory=dict)


class EndRecord(Struct, frozen=True, kw_only=True, tag_field="event", tag="end"):
    """It ends, with an answer or without: `why` says why then, `remedy` what helps."""

    dt: str
    exit_code: int
    duration_s: float
    why: str = ""
    remedy: str = ""
    interrupted: bool = False


Step = TrialRecord | SkipRecord | InfraRecord
Record = (
    BeginRecord
    | ResumeRecord
    | LegRecord
    | BuildRecord
    | SampleRecord
    | TrialRecord
    | SkipRecord
    | InfraRecord
    | AnswerRecord
    | EndRecord
)

_DECODER = msgspec.json.Decoder(Record)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Bisection:
    """All that a journal tells. `damaged` counts lines that could not be read: one at most."""

    folder: Path
    begin: BeginRecord
    records: tuple[Record, ...]
    damaged: int = 0

    def steps(self, leg: str | None = None) -> tuple[Step, ...]:
        """Return the ended trials of a search (of all for None), in their order."""
        return tuple(r for r in self.records if isinstance(r, Step) and leg in (None, r.leg))

    def observations(self, leg: str) -> list[Observation]:
        """Return what a search was told."""
        return [Observation(step.candidate, step.outcome) for step in self.steps(leg)]

    def leg(self, name: str) -> LegRecord | None:
        """Return a search that was begun."""
        return next((r for r in self.records if isinstance(r, LegRecord) and r.leg == name), None)

    @property
    def builds(self) -> tuple[BuildRecord, ...]:
        """The builds, in their order."""
        return tuple(r for r in self.records if isinstance(r, BuildRecord))

    @property
    def samples(self) -> tuple[SampleRecord, ...]:
        """The values of the metric, in their order."""
        return tuple(r for r in self.records if isinstance(r, SampleRecord))

    @property
    def answers(self) -> tuple[AnswerRecord, ...]:
        """The answers, that of the corners first where there are some."""
        return tuple(r for r in self.records if isinstance(r, AnswerRecord))

    @property
    def end(self) -> EndRecord | None:
        """How it has ended; None while it goes on, after a crash, and after a resume."""
        last = self.records[-1]
        return last if isinstance(last, EndRecord) else None


def load_bisection(folder: Path) -> Bisection:
    """Load a bisection.

    Args:
        folder: its folder, or its `journal.jsonl`.

    Raises:
        UsageError: there is none, it does not begin as one does, or a newer teecall wrote it.
    """
    path = folder if folder.is_file() else folder / JOURNAL_FILE
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "give the folder of a bisection"
        ) from error
    found = list(_decoded(lines))
    begin = found[0] if found else None
    if not isinstance(begin, BeginRecord):
        raise UsageError(
            f"{path} does not begin like the journal of a bisection", "begin a new bisection"
        )
    if begin.version > VERSION:
        raise UsageError(
            f"{path} is of format {begin.version}, this teecall reads {VERSION}",
            "install a newer teecall",
        )
    records = tuple(record for record in found if record is not None)
    return Bisection(path.parent, begin, records, sum(record is None for record in found))


def _decoded(lines: Sequence[bytes]) -> Iterator[Record | None]:
    for line in lines:
        if not line.strip():
            continue
        try:
            yield _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield None


class Journal:
    """A `journal.jsonl` that is being written; only one process at a time can.

    Args:
        folder: of the bisection; it is made.
        seen: is called with every record that was written.

    Raises:
        UsageError: another process goes on with this bisection.
        StoreError, NoSpace: it cannot be written.
    """

    def __init__(self, folder: Path, seen: Callable[[Record], None] = lambda record: None) -> None:
        self.path = folder / JOURNAL_FILE
        self.seen = seen
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise UsageError(
                f"another teecall goes on with {folder}", "wait for it, or end it"
            ) from None
        with disk_errors(folder):
            self._cut_torn()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _cut_torn(self) -> None:
        """Remove what a killed writer has left of a line: the next one begins there."""
        data = self.path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            os.ftruncate(self._file, end)
        os.lseek(self._file, end, os.SEEK_SET)

    def write(self, record: Record) -> None:
        """Add a record, and have it on the disk.

        Raises:
            StoreError, NoSpace: it cannot be written; then the line is not there at all.
        """
        line = _ENCODER.encode(record) + b"\n"
        start = os.lseek(self._file, 0, os.SEEK_CUR)
        try:
            with disk_errors(self.path.parent):
                written = os.write(self._file, line)
                if written != len(line):
                    # A disk that is nearly full: the rest of the line tells why it does not fit.
                    os.write(self._file, line[written:])
                    raise StoreError(f"cannot write all of {self.path}", "free some space")
                os.fsync(self._file)
        except StoreError:
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise
        self.seen(record)
