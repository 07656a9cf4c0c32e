# SPDX-License-Identifier: Apache-2.0
"""The answer of a bisection as a value: all that its report shows, made from the journal alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.bisect.journal import (
    CORNERS,
    SECOND,
    AnswerRecord,
    Bisection,
    BuildRecord,
    Step,
    TreeRecord,
)
from harness.bisect.oracle import Outcome
from harness.bisect.report_evidence import Evidence, evidence
from harness.bisect.subject import CandidateInfo


@dataclass(frozen=True, slots=True)
class Culprit:
    """A commit (or a value) that the answer names.

    `skipped` says that it could not be tested itself; `told` is what its history says of it.
    """

    candidate: str
    skipped: bool
    told: CandidateInfo

    @property
    def stat(self) -> str:
        """How much it changes, empty for a value."""
        info = self.told
        if not info.files:
            return ""
        files = "1 file" if info.files == 1 else f"{info.files} files"
        return f"{files} changed, {info.insertions} insertions(+), {info.deletions} deletions(-)"


@dataclass(frozen=True, slots=True)
class Row:
    """One step: `build` is how the candidate was built, `seconds` the time of build and run."""

    number: int
    leg: str
    candidate: str
    purpose: str
    outcome: str
    verdict: str
    signature: str
    why: str
    seconds: float
    build: str
    evidence: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer of one search, and what it rests on; `blame` alone for the corners."""

    leg: str
    key: str
    repo: str
    culprits: tuple[Culprit, ...]
    confidence: float
    conclusive: bool
    failure_rate: float
    trials: int
    blame: str
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Report:
    """A bisection on one page.

    `state` is "answered", "no answer", "interrupted" or "not ended"; `why` and `remedy` say more
    when there is no answer. `repeat` makes the same search again, `resume` goes on with this one.
    """

    id: str
    began: str
    node: str
    state: str
    why: str
    remedy: str
    fixing: bool
    findings: tuple[Finding, ...]
    rows: tuple[Row, ...]
    seconds: float
    builds: int
    cache_hits: int
    repeat: str
    resume: str
    damaged: int

    def as_json(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        return asdict(self)


def make_report(found: Bisection) -> Report:
    """Return the report of a bisection, also of one that goes on or was killed."""
    end = found.end
    builds = found.builds
    steps = found.steps()
    return Report(
        id=found.begin.id,
        began=found.begin.dt,
        node=found.begin.node,
        state=_state(found),
        why=end.why if end else "",
        remedy=end.remedy if end else "",
        fixing=found.begin.options.find_fix,
        findings=tuple(_finding(found, answer) for answer in found.answers),
        rows=tuple(_rows(steps, builds)),
        seconds=end.duration_s if end else sum(s.seconds for s in (*steps, *builds)),
        builds=sum(not build.cached for build in builds),
        cache_hits=sum(build.cached for build in builds) + sum(bool(s.same_as) for s in steps),
        repeat=found.begin.command,
        resume=shlex.join(["teecall", "bisect", "--resume", str(found.folder)]),
        damaged=found.damaged,
    )


def _state(found: Bisection) -> str:
    end = found.end
    if end is None:
        return "not ended"
    if end.interrupted:
        return "interrupted"
    return "answered" if found.answers and not end.why else "no answer"


def _finding(found: Bisection, answer: AnswerRecord) -> Finding:
    tree = _tree(found, answer.leg)
    culprits = tuple(
        Culprit(each, each in answer.skipped, answer.described.get(each, CandidateInfo(each, "")))
        for each in answer.culprits
    )
    order = _order(found, answer.leg, tree)
    shown = evidence(found.folder, found.steps(answer.leg), answer.culprits, order)
    return Finding(
        answer.leg,
        tree.component if tree else "",
        (tree.repo or "") if tree else "",
        culprits,
        answer.confidence,
        answer.conclusive,
        answer.failure_rate,
        answer.trials,
        answer.blame or "",
        shown if culprits else None,
    )


def _tree(found: Bisection, leg: str) -> TreeRecord | None:
    trees = found.begin.trees
    if leg == CORNERS or not trees:
        return None
    return trees[-1] if leg == SECOND else trees[0]


def _order(found: Bisection, leg: str, tree: TreeRecord | None) -> list[str]:
    """Return the candidates of a search in the order of the history, whichever way round."""
    record = found.leg(leg)
    if record is not None and record.history:
        lines = record.history.splitlines()
        return [line.split()[0].lstrip("-") for line in lines if line.strip()]
    return list(tree.values) if tree else []


def _rows(steps: Sequence[Step], builds: Sequence[BuildRecord]) -> Iterator[Row]:
    # A candidate is built once; a second record of it is a hit of the store.
    built: dict[tuple[str, str], BuildRecord] = {}
    for build in builds:
        built.setdefault((build.leg, build.candidate), build)
    shown: set[tuple[str, str]] = set()
    for number, step in enumerate(steps, 1):
        key = (step.leg, step.candidate)
        own = built.get(key) if key not in shown else None
        shown.add(key)
        yield Row(
            number,
            step.leg,
            step.candidate,
            step.purpose,
            str(step.outcome),
            str(step.verdict) if step.verdict is not None else "",
            step.title or step.signature or "",
            step.why,
            step.seconds + (own.seconds if own else 0.0),
            _build_word(step, own),
            step.evidence or "",
            step.values,
        )


def _build_word(step: Step, build: BuildRecord | None) -> str:
    if step.same_as:
        return f"same as {step.same_as[:12]}"
    if build is None:
        return "again"
    if build.error:
        return "does not build"
    word = "cached" if build.cached else "built"
    return f"{word} ahead" if build.ahead else word


def is_bad(row: Row) -> bool:
    """Tell whether a row shows the failure."""
    return row.outcome == Outcome.BAD


def write_json(report: Report, out: Path) -> None:
    """Write a report as JSON.

    Raises:
        StoreError, NoSpace: the file cannot be written.
    """
    import json

    from harness.files import write_atomic

    write_atomic(out, json.dumps(report.as_json(), indent=2) + "\n")
