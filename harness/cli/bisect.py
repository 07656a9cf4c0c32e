# SPDX-License-Identifier: Apache-2.0
"""Find the commit, or the value, that broke it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click
import msgspec

from harness.cli._json import Result, json_option
from harness.cli._judging import judging_options
from harness.cli._options import Options, config_options
from harness.cli._times import shown
from harness.errors import OutputLost, UsageError
from harness.ui import styled

if TYPE_CHECKING:
    from harness.bisect.journal import EndRecord, JudgeRecord, OptionsRecord, Record, TreeRecord
    from harness.bisect.run import Bisect
    from harness.cells.backend import Backend

_COLOURS = {"GOOD": "green", "BAD": "red", "SKIP": "yellow", "INFRA": "magenta"}


def _rate(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Return a probability: `1%` and `0.01` are the same."""
    from harness.bisect.metric import part

    if text is None:
        return None
    found = part(text)
    if found > 1 or (option.name == "error" and found >= 0.5):
        raise UsageError(f"--{option.name} {text}: too much", "say it like 1% or 0.01")
    return found


@click.command()
@config_options
@click.option("--component", metavar="NAME", help="opensbi, tsm, linux, ..., or a key.")
@click.option("--repo", metavar="PATH", help="Folder or address of its history.")
@click.option("--good", multiple=True, metavar="REV", help="Where it does not fail; repeatable.")
@click.option("--bad", metavar="REV", help="Where it fails.")
@click.option("--values", metavar="A,B,...", help="Search these values, in their order.")
@click.option("--stock", is_flag=True, help="Build OpenSBI as it is, without the TSM's driver.")
@click.option("--also", metavar="NAME", help="A second tree: find out which of them broke it.")
@click.option("--also-repo", metavar="PATH", help="Its folder or address.")
@click.option("--also-good", metavar="REV", help="Where the second tree does not fail.")
@click.option("--also-bad", metavar="REV", help="Where it does.")
@click.option("--also-values", metavar="A,B,...", help="Its values.")
@judging_options
@click.option(
    "--error",
    callback=_rate,
    default="1%",
    show_default=True,
    metavar="PART",
    help="How likely a wrong answer may be.",
)
@click.option(
    "--failure-rate",
    callback=_rate,
    metavar="PART",
    help="How often the failure shows, when you know it.",
)
@click.option(
    "--max-trials",
    type=click.IntRange(min=1),
    metavar="N",
    help="Answer after N verdicts at the latest.",
)
@click.option("--find-fix", is_flag=True, help="Look for what mended it: --bad is the older end.")
@click.option("--first-parent", is_flag=True, help="A merge stands for all that it brought in.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Trials at once [default: 1]."
)
@click.option("--scheduler", metavar="ADDRESS", help="Run on a Dask cluster: tcp://HOST:PORT.")
@click.option("--store", metavar="URL", help="Share artefacts there [default: $TEECALL_STORE].")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Its folder [default: a new one in the cache].",
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value="",
    metavar="[ID]",
    help="Go on with an interrupted one [default: the newest].",
)
@click.option("--fresh", is_flag=True, help="Take no trial of an earlier bisection for one.")
@click.option("-n", "--dry-run", is_flag=True, help="Print what would be searched.")
@json_option("Write the answer, its evidence and every trial to FILE.")
def command(
    options: Options,
    result: Result,
    component: str | None,
    repo: str | None,
    good: tuple[str, ...],
    bad: str | None,
    values: str | None,
    stock: bool,
    also: str | None,
    also_repo: str | None,
    also_good: str | None,
    also_bad: str | None,
    also_values: str | None,
    judge: JudgeRecord,
    error: float,
    failure_rate: float | None,
    max_trials: int | None,
    find_fix: bool,
    first_parent: bool,
    jobs: int | None,
    scheduler: str | None,
    store: str | None,
    out: Path | None,
    resume: str | None,
    fresh: bool,
    dry_run: bool,
) -> int:
    """Find the commit of a component that broke something.

    Both ends are tested first. The failure is known by its signature: another one is not taken for
    it. Commits that do not build or boot are gone around; what the environment spoils is made
    again. The culprit and its parents are tested again at the end. While a trial runs the next
    builds are made. Everything is in a journal: ctrl-C or a crash loses the trials in hand only.

    \b
    teecall bisect --component opensbi --repo ../opensbi --good v1.5 --bad master
    teecall bisect --component tsm --good HEAD~40 --bad HEAD --check teardown
    teecall bisect --component opensbi --repo ../opensbi --good v1.5 --bad master --script ./try
    teecall bisect --resume
    """
    from harness.bisect.folders import find, new_folder
    from harness.bisect.journal import OptionsRecord
    from harness.bisect.run import Bisect
    from harness.build.share import VARIABLE

    if resume is not None:
        return _resume(find(resume or None), options.quiet, result)
    if component is None or not good or bad is None:
        raise UsageError("a search needs --component, --good and --bad", "or --resume")
    if scheduler and (judge.script or judge.payload):
        raise UsageError("--scheduler runs scenarios only", "leave --script and --payload out")
    how = OptionsRecord(
        error=error,
        failure_rate=failure_rate,
        find_fix=find_fix,
        first_parent=first_parent,
        max_trials=max_trials,
        files=tuple(str(f.absolute() if f.exists() else f) for f in options.files),
        settings=options.sets,
        offline=options.offline,
        jobs=jobs or 1,
        scheduler=scheduler,
        store=store or os.environ.get(VARIABLE),
        fresh=fresh,
    )
    trees = [_tree(component, repo, good, bad, values, stock)]
    if also is not None:
        if also_good is None or also_bad is None or find_fix:
            raise UsageError(
                "--also needs --also-good and --also-bad, and no --find-fix",
                "give both ends of the second tree",
            )
        trees.append(_tree(also, also_repo, (also_good,), also_bad, also_values, stock))
    if dry_run:
        return max(_plan(tree, how, judge) for tree in trees)
    # A configuration that is wrong is wrong at every commit.
    options.load()
    screen = _Screen(options.quiet)
    folder = (out or new_folder()).absolute()
    if (folder / "journal.jsonl").exists():
        raise UsageError(f"--out {folder}: holds another bisection", f"--resume {folder}")
    screen.bisect = Bisect(folder, _backend(how), how.jobs, screen.show)
    code = screen.ended(
        screen.bisect.begin(trees, judge, how, shlex.join(["teecall", *sys.argv[1:]]))
    )
    _give(folder, result)
    return code


def _give(folder: Path, result: Result) -> None:
    """Write what the journal tells as JSON."""
    if result.path is None:
        return
    from harness.bisect.journal import load_bisection
    from harness.bisect.report import make_report

    result.give(msgspec.to_builtins(make_report(load_bisection(folder))))


def _tree(
    component: str,
    repo: str | None,
    good: tuple[str, ...],
    bad: str,
    values: str | None,
    stock: bool,
) -> TreeRecord:
    from harness.bisect.journal import TreeRecord

    return TreeRecord(
        component=component,
        good=good,
        bad=bad,
        repo=repo if repo is None or "://" in repo else str(Path(repo).absolute()),
        values=tuple(v.strip() for v in values.split(",")) if values else (),
        stock=stock,
    )


def _resume(folder: Path, quiet: bool, result: Result) -> int:
    from harness.bisect.journal import load_bisection
    from harness.bisect.run import Bisect

    how = load_bisection(folder).begin.options
    screen = _Screen(quiet)
    screen.bisect = Bisect(folder, _backend(how), how.jobs, screen.show)
    code = screen.ended(screen.bisect.resume(shlex.join(["teecall", *sys.argv[1:]])))
    _give(folder, result)
    return code


def _backend(how: OptionsRecord) -> Callable[[], AbstractContextManager[Backend]]:
    from harness.cells.backend import dask_backend, local_backend

    if how.scheduler is not None:
        address = how.scheduler
        return lambda: dask_backend(address, how.jobs)
    return lambda: local_backend(how.jobs)


def _plan(tree: TreeRecord, how: OptionsRecord, judge: JudgeRecord) -> int:
    from harness.bisect.journal import FIRST
    from harness.bisect.run import planned

    plan = planned(FIRST, tree, how, judge)
    for word, commit in [("good", c) for c in plan.leg.good] + [("bad", plan.leg.bad)]:
        click.echo(f"{word}: {commit[:12]} {plan.subject.describe(commit).title}")
    for note in plan.subject.notes:
        click.echo(f"note: {note}", err=True)
    what = judge.script or judge.payload or judge.scenario
    click.echo(f"{plan.leg.candidates} candidates, about {plan.leg.expected} trials of {what}")
    return 0


@dataclass
class _Screen:
    """What is printed while a bisection goes on: a line for each trial, with what is left."""

    quiet: bool
    bisect: Bisect | None = None
    seconds: list[float] = field(default_factory=list)

    def show(self, record: Record) -> None:
        """Print what a record tells, as long as somebody reads it."""
        from harness.bisect.journal import BuildRecord, LegRecord, Tested

        if isinstance(record, LegRecord):
            self._say(f"{record.candidates} candidates, about {record.expected} trials")
        elif isinstance(record, BuildRecord) and (record.error or not record.cached):
            how = styled("does not build", fg="red") if record.error else "built"
            self._say(f"{how}: {record.candidate[:12]} ({record.seconds:.1f} s)")
        elif isinstance(record, Tested):
            if not record.same_as and record.seconds:
                self.seconds.append(record.seconds)
            word = styled(f"{record.outcome:<5}", fg=_COLOURS[record.outcome], bold=True)
            name = record.candidate[:12]
            took = f"({record.seconds:.2f} s)"
            self._say(f"{word} {name}  {record.why} {took}{self._left()}")

    def _left(self) -> str:
        if self.bisect is None or self.bisect.search is None or not self.seconds:
            return ""
        # The record is shown before the search is told of it, so this is one trial behind.
        progress = self.bisect.search.progress
        left = max(progress.expected - 1, 0)
        time = shown(left * median(self.seconds))
        return f"  [{progress.remaining} left, about {left} trials, {time}]"

    def _say(self, line: str) -> None:
        if not self.quiet:
            try:
                click.echo(line)
            except OutputLost:
                # Nobody reads any more: a bisection goes on by itself.
                self.quiet = True

    def ended(self, end: EndRecord) -> int:
        """Print what came of it, and return the exit code."""
        from harness.bisect.journal import load_bisection

        assert self.bisect is not None
        folder = self.bisect.folder
        for answer in load_bisection(folder).answers:
            if answer.blame is not None:
                click.echo(f"broken by: {answer.blame}")
                continue
            sure = "" if answer.conclusive else ", not sure enough"
            one = "culprit" if len(answer.culprits) == 1 else "one of these is the culprit"
            click.echo(f"{one} ({answer.confidence:.1%}{sure}, {answer.trials} trials):")
            for commit in answer.culprits:
                found = answer.described[commit]
                skipped = " (cannot be tested)" if commit in answer.skipped else ""
                click.echo(f"  {commit[:12]} {found.title}{skipped}")
        if end.why:
            click.echo(f"{styled('error', fg='red')}: {end.why}", err=True)
        if end.remedy:
            click.echo(f"remedy: {end.remedy}", err=True)
        click.echo(f"{shown(end.duration_s)}, journal in {folder}")
        return end.exit_code
