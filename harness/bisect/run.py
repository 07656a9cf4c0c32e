# SPDX-License-Identifier: Apache-2.0
"""A whole bisection: from its ends, or from its journal, to its answer."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from harness import __version__
from harness.bisect.also import CornerSearch, Pair, name_of
from harness.bisect.axes import GOOD, legs
from harness.bisect.builds import BUILDS
from harness.bisect.folders import folder_of, kept
from harness.bisect.gitlog import git_log
from harness.bisect.hands import BUILDER_MODULES, SCRIPT_S, RealHands
from harness.bisect.journal import (
    CORNERS,
    FIRST,
    SECOND,
    VERSION,
    AnswerRecord,
    BeginRecord,
    Bisection,
    EndRecord,
    Journal,
    JudgeRecord,
    LegRecord,
    OptionsRecord,
    Record,
    ResumeRecord,
    TreeRecord,
    load_bisection,
)
from harness.bisect.known import PROGRAM, Known, program
from harness.bisect.labour import Searching
from harness.bisect.loop import SIGNALLED, Loop
from harness.bisect.metric import Metric, part
from harness.bisect.plan import Answer, Options
from harness.bisect.search import Search
from harness.bisect.subject import Subject, SubjectOptions, subject_for
from harness.cells.backend import Backend
from harness.cells.pool import CellPool
from harness.cells.room import cores
from harness.errors import CallerError, StoreError, TeecallError, UsageError
from harness.files import write_atomic
from harness.night.journal import now
from harness.night.stops import listening

GIT_LOG = "git-bisect.log"


@dataclass(frozen=True, slots=True)
class Planned:
    """A search before it begins: its subject, with the ends as candidates."""

    subject: Subject
    search: Search
    leg: LegRecord


def search_options(options: OptionsRecord, judge: JudgeRecord) -> Options:
    """Return how the search itself is told to search."""
    # A metric is judged by all its samples, so that its verdict is a sure one.
    sure = judge.metric is not None
    return Options(
        error=options.error,
        find_fix=options.find_fix,
        first_parent=options.first_parent,
        failure_rate=1.0 if sure else options.failure_rate,
        end_failures=1 if sure or options.failure_rate == 1 else Options().end_failures,
        max_trials=options.max_trials,
    )


def planned(
    name: str,
    tree: TreeRecord,
    options: OptionsRecord,
    judge: JudgeRecord,
    past: Bisection | None = None,
    fixed: tuple[str, ...] = (),
) -> Planned:
    """Return a search with all that a journal has of it.

    Raises:
        UsageError: a revision does not exist, the judge's options do not fit, or the journal has
            other commits.
        UnrelatedHistories, WrongOrder: the ends do not go together.
    """
    given = SubjectOptions(tree.values, tree.stock, offline=options.offline)
    subject = subject_for(tree.component, tree.repo, given)
    # A branch may have moved since: what it was at the start counts.
    good = tree.good_commits or tuple(subject.resolve(rev) for rev in tree.good)
    bad = tree.bad_commit or subject.resolve(tree.bad)
    ends = ((bad,), good[0]) if options.find_fix else (good, bad)
    dag = subject.dag(*ends)
    how = search_options(options, judge)
    seen = past.observations(name) if past is not None else []
    if strange := [each.commit for each in seen if each.commit not in dag.parents]:
        raise UsageError(
            f"the journal has a trial of {strange[0]}, which is not in the history",
            "somebody has changed it; begin a new search",
        )
    search = Search(dag, good, bad, how, seen)
    leg = LegRecord(
        dt=now(),
        leg=name,
        good=good,
        bad=bad,
        candidates=len(search.candidates),
        expected=search.progress.expected,
        fixed=fixed,
        history=dag.as_rev_list() if subject.where else "",
        notes=tuple(subject.notes),
    )
    return Planned(subject, search, leg)


@dataclass
class Bisect:
    """A bisection to be done or to be gone on with.

    Args:
        folder: its folder.
        where: makes the backend of the runs.
        jobs: how many trials at once; None for one per core.
        seen: is called with every record as it is written.
    """

    folder: Path
    where: Callable[[], AbstractContextManager[Backend]]
    jobs: int | None = None
    seen: Callable[[Record], None] = lambda record: None
    search: Searching | None = None

    def begin(
        self,
        trees: Sequence[TreeRecord],
        judge: JudgeRecord,
        options: OptionsRecord,
        command: str,
    ) -> EndRecord:
        """Do a new bisection of one tree, or of two.

        Raises:
            UsageError, SearchProblem: what is asked for cannot be done; then nothing was begun.
        """
        resolved = tuple(_resolved(tree, options, judge) for tree in trees)
        begin = BeginRecord(
            dt=now(),
            version=VERSION,
            id=self.folder.name,
            command=command,
            trees=resolved,
            judge=judge,
            options=options,
            versions={"teecall": __version__, PROGRAM: program()},
            node=platform.node(),
            cpus=len(os.sched_getaffinity(0)),
            directory=str(Path.cwd()),
        )
        with Journal(self.folder, self.seen) as journal:
            journal.write(begin)
            return self._do(journal, begin)

    def resume(self, command: str) -> EndRecord:
        """Go on with a bisection; nothing that has ended is done again.

        Raises:
            UsageError: it has its answer already.
        """
        with Journal(self.folder, self.seen) as journal:
            past = load_bisection(self.folder)
            if past.answers and past.end is not None and not past.end.why:
                raise UsageError(f"{self.folder.name} has its answer already", f"see {self.folder}")
            journal.write(ResumeRecord(dt=now(), command=command, node=platform.node()))
            return self._do(journal, past.begin)

    def _do(self, journal: Journal, begin: BeginRecord) -> EndRecord:
        started = time.monotonic()
        why, remedy, code = "", "", 0
        own = self.folder.parent == folder_of()
        again = f"teecall bisect --resume {self.folder.name if own else self.folder}"
        try:
            code = self._all(journal, begin)
            why, remedy = ("interrupted", again) if code >= SIGNALLED else ("", "")
        except TeecallError as error:
            why, remedy, code = error.message, error.remedy, error.exit_code
            if not isinstance(error, CallerError):
                remedy = f"{remedy}; then {again}" if remedy else again
        end = EndRecord(
            dt=now(),
            exit_code=code,
            duration_s=round(time.monotonic() - started, 3),
            why=why,
            remedy=remedy,
            interrupted=code >= SIGNALLED,
        )
        try:
            journal.write(end)
        except StoreError as error:
            # What was found is told all the same; the journal is one that can be gone on with.
            told = why or error.message, remedy or f"{error.remedy}; then {again}"
            end = replace(end, exit_code=code or error.exit_code, why=told[0], remedy=told[1])
        return end

    def _all(self, journal: Journal, begin: BeginRecord) -> int:
        """Do all searches; return the exit code."""
        if len(begin.trees) == 1:
            return self._one(journal, begin, FIRST, begin.trees[0])
        judge, options = begin.judge, begin.options
        sides = [_side(tree, options, judge) for tree in begin.trees]
        pair = Pair(sides[0], sides[1])
        past = load_bisection(self.folder)
        corners = CornerSearch(search_options(options, judge), past.observations(CORNERS))
        work = Work(self.folder, self.where, self.jobs, journal, begin)
        self.search = corners
        code = work.run(CORNERS, corners, pair, name_of(GOOD))
        if code:
            return code
        if corners.problem is not None:
            raise corners.problem
        blame = corners.corners.answer()
        if not any(answer.leg == CORNERS for answer in past.answers):
            journal.write(AnswerRecord(dt=now(), leg=CORNERS, blame=blame and str(blame)))
        for leg in legs(blame) if blame is not None else ():
            name, index = (FIRST, 0) if leg.first else (SECOND, 1)
            subject, good, bad = sides[1 - index]
            fixed = subject.settings(bad if leg.other_bad else good)
            code = self._one(journal, begin, name, begin.trees[index], fixed) or code
            if code >= SIGNALLED:
                break
        return code if blame is not None else 1

    def _one(
        self,
        journal: Journal,
        begin: BeginRecord,
        name: str,
        tree: TreeRecord,
        fixed: tuple[str, ...] = (),
    ) -> int:
        """Search along one tree; return the exit code."""
        past = load_bisection(self.folder)
        if any(answer.leg == name for answer in past.answers):
            return 0
        plan = planned(name, tree, begin.options, begin.judge, past, fixed)
        self.search = plan.search
        if past.leg(name) is None:
            journal.write(plan.leg)
        work = Work(self.folder, self.where, self.jobs, journal, begin)
        try:
            code = work.run(name, plan.search, plan.subject, plan.leg.good[0], fixed)
            return code or _answer(journal, plan)
        finally:
            self._export(plan, begin.options)

    def _export(self, plan: Planned, options: OptionsRecord) -> None:
        """Write what git goes on with; values have no git."""
        if not plan.subject.where:
            return
        past = load_bisection(self.folder)
        name = plan.leg.leg
        answer = next((found for found in past.answers if found.leg == name), None)
        text = git_log(
            plan.leg,
            past.steps(name),
            options,
            answer,
            lambda commit: plan.subject.describe(commit).title,
        )
        write_atomic(self.folder / (GIT_LOG if name == FIRST else f"{name}-{GIT_LOG}"), text)


def _resolved(tree: TreeRecord, options: OptionsRecord, judge: JudgeRecord) -> TreeRecord:
    leg = planned(FIRST, tree, options, judge).leg
    return replace(tree, good_commits=leg.good, bad_commit=leg.bad)


def _side(tree: TreeRecord, options: OptionsRecord, judge: JudgeRecord) -> tuple[Subject, str, str]:
    plan = planned(FIRST, tree, options, judge)
    return plan.subject, plan.leg.good[0], plan.leg.bad


@dataclass(frozen=True, slots=True)
class Work:
    """Runs loops: a backend and a process that builds for each."""

    folder: Path
    where: Callable[[], AbstractContextManager[Backend]]
    jobs: int | None
    journal: Journal
    begin: BeginRecord

    def run(
        self,
        name: str,
        search: Searching,
        subject: Subject | Pair,
        baseline: str,
        fixed: tuple[str, ...] = (),
    ) -> int:
        """Run a search to its end; return the exit code of a signal, or 0."""
        past = load_bisection(self.folder)
        judge = self.begin.judge
        builder = CellPool(BUILDS, BUILDER_MODULES)
        with listening() as stops, self.where() as backend:
            jobs = self.jobs or cores()
            hands = RealHands(
                subject, judge, self.begin.options, fixed, backend, builder, jobs, self.folder
            )
            known = Known(self.begin, kept(), past.steps())
            loop = Loop(
                name,
                search,
                judge,
                hands,
                self.journal,
                stops,
                self.folder,
                baseline=baseline,
                metric=_metric(judge),
                limit_s=judge.limit_s or SCRIPT_S,
                past=past.steps(name),
                earlier=[step for step in past.steps() if step.leg != name],
                samples=[sample for sample in past.samples if sample.leg == name],
                known=known,
                hints=hints_of(search, known),
            )
            try:
                loop.run()
            finally:
                (builder.kill if stops.again.done() else builder.end)()
                builder.shutdown()
                if stops.again.done():
                    backend.kill()
        return loop.interrupted


def _answer(journal: Journal, plan: Planned) -> int:
    answer = plan.search.answer()
    if answer is None:
        problem = plan.search.problem
        assert problem is not None
        raise problem
    journal.write(_answered(answer, plan))
    return 0 if answer.conclusive else 1


def _answered(answer: Answer, plan: Planned) -> AnswerRecord:
    return AnswerRecord(
        dt=now(),
        leg=plan.leg.leg,
        culprits=answer.culprits,
        skipped=answer.skipped,
        confidence=answer.confidence,
        conclusive=answer.conclusive,
        failure_rate=answer.failure_rate,
        trials=answer.trials,
        described={commit: plan.subject.describe(commit) for commit in answer.culprits},
    )


def hints_of(search: Searching, known: Known) -> list[str]:
    """Return the candidates of a search at which earlier bisections had their answer."""
    if not isinstance(search, Search):
        return []
    return [commit for commit in known.hints if commit in search.candidates.index]


def _metric(judge: JudgeRecord) -> Metric | None:
    if judge.metric is None:
        return None
    assert judge.worse_by is not None
    return Metric(part(judge.worse_by), higher_is_worse=not judge.lower_is_worse)
