# SPDX-License-Identifier: Apache-2.0
"""One search that goes on: begins builds and trials while there is room, and writes it all down.

A trial is built first, then run. While it runs the builds that are likely to be wanted next are
made. Nothing is told to the search before it is in the journal, so that what was told to it can
be told again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.bisect.builds import Builds
from harness.bisect.journal import (
    InfraRecord,
    Journal,
    JudgeRecord,
    SampleRecord,
    SkipRecord,
    Step,
    Tested,
    TrialRecord,
)
from harness.bisect.judge import (
    Judged,
    ScriptRan,
    judge_run,
    judge_script,
    metric_of,
    reference_of,
)
from harness.bisect.known import Known
from harness.bisect.labour import Hands, Ran, Searching
from harness.bisect.metric import Metric, more_baseline
from harness.bisect.oracle import JUDGED, Outcome
from harness.bisect.plan import Purpose, Trial
from harness.bisect.subject_build import BuiltCandidate
from harness.errors import InfraError, own_error
from harness.night.journal import now
from harness.night.stops import Stops
from harness.report.record import RunRecord
from harness.verdict import Verdict

SIGNALLED = 128
# Builds that are made before the search asks for them, at most, for each trial at once.
_AHEAD = 2
_PAIR = 2


@dataclass
class Loop:
    """A search that goes on; `interrupted` is the exit code when somebody has asked to end.

    Args:
        name: of the search, in the journal.
        search: what is asked and told.
        judge: what decides about a run.
        hands: do the work.
        journal: takes the records.
        stops: says when somebody asks to end.
        folder: of the bisection.
        baseline: candidate whose metric the others are compared with: the good end.
        past: what the journal has of this search already: steps and samples.
        earlier: steps of searches before this one, for the failure that is looked for.
        known: trials of earlier bisections; None for none.
        hints: candidates whose known trials are told as soon as the ends are verified.
    """

    name: str
    search: Searching
    judge: JudgeRecord
    hands: Hands
    journal: Journal
    stops: Stops
    folder: Path
    baseline: str = ""
    metric: Metric | None = None
    limit_s: float = 0.0
    past: Sequence[Step] = ()
    earlier: Sequence[Step] = ()
    samples: Sequence[SampleRecord] = ()
    known: Known | None = None
    hints: list[str] = field(default_factory=list)
    interrupted: int = 0
    _steps: list[Tested] = field(default_factory=list)
    _values: dict[str, list[float]] = field(default_factory=dict)
    _base: list[float] = field(default_factory=list)
    _hinted: set[str] = field(default_factory=set)
    _verified: bool = False
    _waiting: list[Trial] = field(default_factory=list)
    _running: dict[Future[Any], tuple[Trial, Path, float]] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._steps = list(self.past)
        self._builds = Builds(self.name, self.hands, self.journal)
        self._built = self._builds.built
        for sample in self.samples:
            values = (
                self._base if sample.baseline else self._values.setdefault(sample.candidate, [])
            )
            values.append(sample.value)

    def run(self) -> None:
        """Search until there is an answer, a problem, or somebody asks to end.

        Raises:
            UsageError: a check or metric does not exist, or a script ends the search.
            StoreError, NoSpace: the journal cannot be written.
        """
        try:
            while not self.search.ended and not self.interrupted:
                told = len(self.search.observations), len(self.hints), len(self._hinted)
                self._ask()
                self._start()
                if self._running or self._builds.running:
                    self._wait()
                elif told == (len(self.search.observations), len(self.hints), len(self._hinted)):
                    raise InfraError(
                        "the search has nothing to do and no answer",
                        "please report this with the bisection's folder",
                    )
            while self._running and not self.interrupted:
                # What still runs after the answer is evidence too.
                self._wait()
        finally:
            if self._running or self._builds.running:
                self._abandon()

    @property
    def _begun(self) -> list[Trial]:
        return self._waiting + [trial for trial, _, _ in self._running.values()]

    @property
    def _active(self) -> list[str]:
        return [trial.commit for trial in self._begun]

    @property
    def _width(self) -> int:
        """How many commits between the ends are tested at once.

        With two slots, a sure failure and builds that take time it is one. The other core makes
        the builds of both commits that may be next, which gains as much as testing two commits,
        and two of three builds are used: each third of an n-section is a build for half a bit.
        """
        slots = self.hands.slots
        builds = any(not built.cached for built in self._built.values())
        return 1 if slots == _PAIR and builds and self.search.progress.sure else slots

    def _ask(self) -> None:
        """Take the next trials; until the failure is known only those that may show it."""
        active = self._active
        free = self.hands.slots - len(active)
        trials = self.search.next(free, active)
        room = self._width - sum(trial.purpose is Purpose.SEARCH for trial in self._begun)
        if len(trials) > max(room, 0) and trials[0].purpose is Purpose.SEARCH:
            trials = self.search.next(room, active)
        if self.metric is not None and more_baseline(self._base):
            missing = more_baseline(self._base) - active.count(self.baseline)
            slots = max(0, min(missing, free))
            trials = [Trial(self.baseline, Purpose.GOOD_END)] * slots
        elif self._reference_missing and any(t.purpose is Purpose.BAD_END for t in trials):
            trials = [trial for trial in trials if trial.purpose is Purpose.BAD_END]
        self._waiting += self._hints_for(trials)

    def _hints_for(self, trials: list[Trial]) -> list[Trial]:
        """Return candidates that were tested in an earlier bisection before the search's own."""
        # The first of them stands for verified ends; a trial of an end that comes later is only
        # for certainty, and what is known gives that as well.
        self._verified |= any(trial.purpose is Purpose.SEARCH for trial in trials)
        if not self.hints or not self._verified:
            return trials
        count = len(trials)
        hints, self.hints[:count] = self.hints[:count], []
        self._hinted |= set(hints)
        return [Trial(commit, Purpose.SEARCH) for commit in hints]

    @property
    def _reference_missing(self) -> bool:
        by_run = self.metric is None and self.judge.script is None and self.judge.check is None
        return by_run and reference_of([*self.earlier, *self._steps]) is None

    # --- builds ---

    def _start(self) -> None:
        for trial in list(self._waiting):
            built = self._built.get(trial.commit)
            if built is None:
                continue
            self._waiting.remove(trial)
            if built.error is not None:
                why = f"does not build: {built.error.message}"
                self._tell(trial, Judged(Outcome.SKIP, why, "build"), built.seconds)
            elif trial.commit in self._hinted:
                # All that is known of it, and no more: the search may not need it.
                self._hinted.discard(trial.commit)
                while self._recalled(trial, built):
                    pass
            elif not (self._shared(trial, built) or self._recalled(trial, built)):
                self._begin(trial)
        if not self.search.ended:
            self._build()

    def _build(self) -> None:
        """Begin the builds that are waited for; else one that is likely to be."""
        for trial in self._waiting:
            self._builds.begin(trial.commit, ahead=False)
        # Before the next step is asked for, a build of chance would only stand before its own.
        if self._running and self._builds.room:
            width = self._width
            likely = self.search.speculate(_AHEAD * width, self._active, width)
            for commit in [commit for commit in likely if commit not in self._built][:1]:
                self._builds.begin(commit, ahead=True)

    def _unbuilt(self, candidate: str, error: Exception) -> None:
        """The environment has spoilt a build: the trials that wait for it have not been made."""
        for trial in [trial for trial in self._waiting if trial.commit == candidate]:
            self._waiting.remove(trial)
            self._tell(trial, Judged(Outcome.INFRA, str(error)), 0.0)
        self._hinted.discard(candidate)
        self._builds.spoilt(candidate, error)

    def _shared(self, trial: Trial, built: BuiltCandidate) -> bool:
        """Take the verdict of a candidate that is the same machine; tell whether there is one.

        A failure is one of both. A pass of a failure that does not always show is no second pass:
        then the candidate is tested itself. So are the ends and the answer.
        """
        if trial.purpose is not Purpose.SEARCH or not built.identity:
            return False
        for step in self._steps:
            same = step.identity == built.identity and step.candidate != trial.commit
            sure = step.outcome is Outcome.BAD or self.search.progress.sure
            if same and step.outcome in JUDGED and sure:
                why = f"the same machine as {step.candidate[:12]}: {step.why}"
                self._tell(trial, Judged(step.outcome, why), 0.0, step.run, step.evidence, step)
                return True
        return False

    def _recalled(self, trial: Trial, built: BuiltCandidate) -> bool:
        """Take a trial that an earlier bisection has made of this machine, if there is one."""
        step = self.known.take(built.identity) if self.known is not None else None
        if step is None or step.run is None:
            return False
        judged = judge_run(step.run, self.judge, reference_of([*self.earlier, *self._steps]))
        why = f"bisection {step.known}: {judged.why}"
        recalled = Judged(judged.outcome, why, judged.stage)
        self._tell(trial, recalled, 0.0, step.run, step.evidence, known=step.known)
        return True

    # --- trials ---

    def _begin(self, trial: Trial) -> Future[Any]:
        self._numbers[trial.commit] += 1
        stem = "".join(c if c.isalnum() or c in "._-" else "_" for c in trial.commit)[:40]
        place = self.folder / "runs" / f"{self.name}-{stem}-{self._numbers[trial.commit]}"
        while place.exists():
            self._numbers[trial.commit] += 1
            place = place.with_name(f"{self.name}-{stem}-{self._numbers[trial.commit]}")
        try:
            future = self.hands.begin(trial.commit, place)
        except Exception as error:
            future = Future()
            future.set_exception(error)
        self._running[future] = trial, place, time.monotonic()
        return future

    def _wait(self) -> None:
        waited: set[Future[Any]] = {*self._running, *self._builds.running, self.stops.asked}
        done, _ = wait(waited, return_when=FIRST_COMPLETED)
        for future in [future for future in self._running if future in done]:
            self._settle(future)
        for candidate, error in self._builds.take(done):
            self._unbuilt(candidate, error)
        if self.stops.asked.done():
            self.interrupted = SIGNALLED + self.stops.asked.result()

    def _settle(self, future: Future[Any]) -> None:
        trial, place, begun = self._running.pop(future)
        evidence = str(place.relative_to(self.folder))
        try:
            ran = self.hands.take(future, trial.commit)
        except Exception as caught:
            # Executors have errors of their own for workers that they lose.
            error = own_error(caught)
            if error.verdict is not Verdict.INFRA:
                raise
            seconds = time.monotonic() - begun
            self._tell(trial, Judged(Outcome.INFRA, error.message), seconds, None, evidence)
            return
        seconds = time.monotonic() - begun
        run = ran if isinstance(ran, RunRecord) else None
        if run is not None and run.evidence:
            evidence = run.evidence
        judged = self._judged(trial, ran, seconds, evidence)
        if judged is not None:
            self._tell(trial, judged, seconds, run, evidence)

    def _judged(self, trial: Trial, ran: Ran, seconds: float, evidence: str) -> Judged | None:
        """Return what a trial says; None when it takes another run."""
        if isinstance(ran, ScriptRan):
            return judge_script(ran, self.limit_s)
        if self.metric is None:
            return judge_run(ran, self.judge, reference_of([*self.earlier, *self._steps]))
        assert self.judge.metric is not None
        value = metric_of(ran, self.judge.metric)
        if isinstance(value, Judged):
            return value
        is_base = trial.commit == self.baseline
        self.journal.write(
            SampleRecord(
                dt=now(),
                leg=self.name,
                candidate=trial.commit,
                value=value,
                baseline=is_base,
                seconds=round(seconds, 3),
                evidence=evidence,
            )
        )
        return self._compared(trial, value, is_base)

    def _compared(self, trial: Trial, value: float, is_base: bool) -> Judged | None:
        assert self.metric is not None
        if is_base:
            self._base.append(value)
            if more_baseline(self._base):
                return None
            return Judged(Outcome.GOOD, f"{self.judge.metric} {value:g}: what others are held to")
        values = self._values.setdefault(trial.commit, [])
        values.append(value)
        outcome = self.metric.judge(self._base, values)
        if outcome is None:
            self._waiting.append(trial)
            return None
        mean, base = sum(values) / len(values), sum(self._base) / len(self._base)
        return Judged(outcome, f"{self.judge.metric} {mean:g}, the good end has {base:g}")

    def _tell(
        self,
        trial: Trial,
        judged: Judged,
        seconds: float,
        run: RunRecord | None = None,
        evidence: str | None = None,
        same: Tested | None = None,
        known: str | None = None,
    ) -> None:
        """Write an ended trial into the journal, and then tell the search."""
        built = self._built.get(trial.commit)
        told: dict[str, Any] = {
            "dt": now(),
            "leg": self.name,
            "candidate": trial.commit,
            "purpose": str(trial.purpose),
            "outcome": judged.outcome,
            "why": judged.why,
            "verdict": run.verdict if run else None,
            "signature": run.signature if run else None,
            "title": run.title if run else None,
            "seconds": round(seconds, 3),
            "evidence": evidence,
            "same_as": same.candidate if same else None,
            "keys": dict(built.keys) if built else {},
            "identity": built.identity if built else "",
            "values": tuple(self._values.get(trial.commit, ())),
            "run": run,
            "known": known,
        }
        step: Step
        if judged.outcome is Outcome.SKIP:
            step = SkipRecord(**told, stage=judged.stage)
        elif judged.outcome is Outcome.INFRA:
            step = InfraRecord(**told)
        else:
            step = TrialRecord(**told)
        self.journal.write(step)
        self._steps.append(step)
        self.search.observe(trial.commit, judged.outcome)

    def _abandon(self) -> None:
        """End what still goes on in order; nothing of it is in the journal."""
        self.hands.end()
        waited: set[Future[Any]] = {*self._running, *self._builds.running, self.stops.again}
        while len(waited) > 1 and not self.stops.again.done():
            done, waited = wait(waited, timeout=15, return_when=FIRST_COMPLETED)
            waited.add(self.stops.again)
            if not done:
                break
        self._running.clear()
