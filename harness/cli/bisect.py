# SPDX-License-Identifier: Apache-2.0
"""Find the commit, or the value, that broke it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._bisect_screen import Screen, finish
from harness.cli._json import STDOUT, Result, json_option
from harness.cli._judging import judging_options
from harness.cli._options import Options, config_options
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.bisect.journal import JudgeRecord, OptionsRecord, TreeRecord
    from harness.cells.backend import Backend


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
        _alone("--resume", {"resume", "json_file", "quiet", "verbose", "jobs"})
        return _resume(find(resume or None), jobs, options.quiet, result)
    if component is None or not good or bad is None:
        raise UsageError("a search needs --component, --good and --bad", "or --resume")
    if also is None and (also_repo or also_good or also_bad or also_values):
        raise UsageError("--also-... are of a second tree", "name it with --also")
    if judge.metric and failure_rate:
        raise UsageError("--failure-rate says nothing to --metric", "leave one of them out")
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
    screen = Screen(options.quiet, how.jobs or 1)
    folder = (out or new_folder()).resolve()
    if (folder / "journal.jsonl").exists():
        raise UsageError(f"--out {folder}: holds another bisection", f"--resume {folder}")
    screen.bisect = Bisect(folder, _backend(how), how.jobs, screen.show)
    end = screen.bisect.begin(trees, judge, how, shlex.join(["teecall", *sys.argv[1:]]))
    return finish(folder, end, result, quiet=options.quiet)


def _tree(
    component: str,
    repo: str | None,
    good: tuple[str, ...],
    bad: str,
    values: str | None,
    stock: bool,
) -> TreeRecord:
    from harness.bisect.journal import TreeRecord
    from harness.bisect.mirror import is_address

    return TreeRecord(
        component=component,
        good=good,
        bad=bad,
        repo=repo if repo is None or is_address(repo) else str(Path(repo).absolute()),
        values=tuple(v.strip() for v in values.split(",")) if values else (),
        stock=stock,
    )


def _alone(option: str, beside: set[str]) -> None:
    """Refuse what is given beside an option that goes with few others."""
    context = click.get_current_context()
    for other in context.command.params:
        name = other.name or ""
        source = context.get_parameter_source(name)
        if name not in beside and source is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{option} goes on with what the journal says, not with {other.opts[-1]}",
                "leave it out, or begin a new search",
            )


def _resume(folder: Path, jobs: int | None, quiet: bool, result: Result) -> int:
    from msgspec.structs import replace

    from harness.bisect.journal import load_bisection
    from harness.bisect.run import Bisect

    begin = load_bisection(folder).begin
    how = replace(begin.options, jobs=jobs or begin.options.jobs)
    if result.path is not None and result.path != STDOUT:
        result.path = result.path.absolute()
    # Settings and scripts may name files from there.
    try:
        os.chdir(begin.directory or ".")
    except OSError as error:
        raise UsageError(
            f"it was begun in {begin.directory}, which cannot be entered: {error.strerror}",
            "make that folder again, with what the search needs in it",
        ) from None
    screen = Screen(quiet, how.jobs or 1)
    screen.bisect = Bisect(folder, _backend(how), how.jobs, screen.show)
    end = screen.bisect.resume(shlex.join(["teecall", *sys.argv[1:]]))
    return finish(folder, end, result, quiet=quiet)


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
