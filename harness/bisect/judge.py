# SPDX-License-Identifier: Apache-2.0
"""What a run says about its candidate: the failure that is looked for, none, or another one.

A failure is known by its signature, that of the first failure at the bad end. A candidate that
fails in another way says nothing about this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.bisect.journal import JudgeRecord, Tested
from harness.bisect.oracle import Outcome
from harness.errors import UsageError
from harness.report.record import CheckRecord, RunRecord
from harness.verdict import Verdict

# Checks until the host has a shell: what fails in them says nothing about what comes later.
_BOOT = ("tools", "sources", "boot")
_FINE = (Verdict.PASS, Verdict.SKIP)
# Exit codes of `git bisect run`: this one skips, and those from 128 on end the search.
SCRIPT_SKIP = 125
SCRIPT_ABORT = 128


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run says, why in a line for people, and for SKIP at which stage it stopped."""

    outcome: Outcome
    why: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """The failure that is looked for: its signature, and whether it is one of the boot."""

    signature: str | None
    title: str
    at_boot: bool


def reference_of(steps: Sequence[Tested]) -> Reference | None:
    """Return the failure that is looked for: the first that counted; None before there is one."""
    for step in steps:
        if step.outcome is Outcome.BAD and step.run is not None:
            title = step.title or step.why
            return Reference(step.signature, title, _at_boot(step.run))
    return None


def judge_run(run: RunRecord, judge: JudgeRecord, reference: Reference | None) -> Judged:
    """Return what a run says about its candidate.

    Args:
        run: the run.
        judge: what decides.
        reference: the failure that is looked for; None while every failure is taken for it.
    """
    title = run.title or (run.failures[0].message if run.failures else str(run.verdict))
    if run.verdict is Verdict.INFRA:
        return Judged(Outcome.INFRA, title)
    if run.verdict is None:
        return Judged(Outcome.SKIP, f"it cannot be run: {title}", "failure")
    if judge.check is not None:
        return _judge_check(run, judge.check)
    if run.verdict is Verdict.PASS:
        return Judged(Outcome.GOOD, "passed")
    if run.verdict is Verdict.SKIP:
        return Judged(Outcome.SKIP, "nothing was checked", "failure")
    if reference is None or run.signature == reference.signature:
        return Judged(Outcome.BAD, title)
    if _at_boot(run) and not reference.at_boot:
        return Judged(Outcome.SKIP, f"does not boot: {title}", "boot")
    if judge.any_failure:
        return Judged(Outcome.BAD, title)
    return Judged(Outcome.SKIP, f"another failure: {title}", "failure")


def _judge_check(run: RunRecord, name: str) -> Judged:
    found = next((check for check in run.checks if check.name == name), None)
    if found is None:
        names = ", ".join(check.name for check in run.checks)
        # A run that ended early does not tell which checks there are.
        if run.verdict is Verdict.PASS:
            raise UsageError(
                f"--check {name}: {run.scenario} has no such check", f"it has: {names}"
            )
        return Judged(Outcome.SKIP, f"it did not come to the check {name}", "boot")
    if found.verdict is Verdict.PASS:
        return Judged(Outcome.GOOD, f"{name} passed")
    if found.verdict is Verdict.SKIP:
        return Judged(Outcome.SKIP, f"{name} was skipped: {found.detail}", "boot")
    if found.verdict is Verdict.INFRA:
        return Judged(Outcome.INFRA, found.detail)
    return Judged(Outcome.BAD, f"{name}: {found.detail}")


def metric_of(run: RunRecord, name: str) -> float | Judged:
    """Return the value of a metric, or what the run says without one.

    Raises:
        UsageError: the run passed and has no such metric.
    """
    if run.verdict is Verdict.INFRA:
        return Judged(Outcome.INFRA, run.title or "the environment stood in the way")
    if run.verdict is not Verdict.PASS:
        return Judged(Outcome.SKIP, f"it fails: {run.title or run.verdict}", "failure")
    if name not in run.metrics:
        raise UsageError(
            f"--metric {name}: {run.scenario} has no such metric",
            f"it has: {', '.join(sorted(run.metrics))}",
        )
    return run.metrics[name]


@dataclass(frozen=True, slots=True)
class ScriptRan:
    """What came of a script: its exit code (None: it was killed), and the end of its output."""

    code: int | None
    tail: tuple[str, ...]
    seconds: float


def judge_script(ran: ScriptRan, limit_s: float) -> Judged:
    """Return what a script says, by the exit codes of `git bisect run`.

    Args:
        ran: what came of it.
        limit_s: time that it had, in seconds.

    Raises:
        UsageError: it asks to end the search (128 and more), or a signal has ended it.
    """
    said = ran.tail[-1] if ran.tail else "it printed nothing"
    if ran.code is None:
        why = f"the script was killed after {limit_s:.0f} s: {said}"
        return Judged(Outcome.SKIP, why, "script")
    if ran.code == 0:
        return Judged(Outcome.GOOD, "the script passed")
    if ran.code == SCRIPT_SKIP:
        return Judged(Outcome.SKIP, f"the script skips it: {said}", "script")
    if ran.code >= SCRIPT_ABORT or ran.code < 0:
        how = f"exit code {ran.code}" if ran.code > 0 else f"signal {-ran.code}"
        raise UsageError(
            f"the script ends the search: {how}: {said}",
            "mend it; codes are 0 good, 1 to 124 and 126, 127 bad, 125 skip",
            details=ran.tail,
        )
    return Judged(Outcome.BAD, f"the script failed with {ran.code}: {said}")


def _at_boot(run: RunRecord) -> bool:
    bad: CheckRecord | None = next((c for c in run.checks if c.verdict not in _FINE), None)
    return bad is not None and bad.name in _BOOT
