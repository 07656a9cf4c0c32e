# SPDX-License-Identifier: Apache-2.0
"""Judge the commit that is checked out, for `git bisect run`."""

from __future__ import annotations

from concurrent.futures import wait
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.cli._judging import judging_options
from harness.cli._options import Options, config_options
from harness.errors import TeecallError, UsageError

if TYPE_CHECKING:
    from harness.bisect.journal import JudgeRecord
    from harness.bisect.judge import Judged

# What `git bisect run` makes of an exit code; from 128 on it ends.
_CODES = {"GOOD": 0, "BAD": 1, "SKIP": 125}
_ABORT = 128


@click.command()
@config_options
@click.option("--component", required=True, metavar="NAME", help="What the repository is.")
@click.option("--repo", default=".", show_default=True, metavar="PATH", help="The repository.")
@click.option("--rev", default="HEAD", show_default=True, metavar="REV", help="What is judged.")
@click.option("--stock", is_flag=True, help="Build OpenSBI as it is, without the TSM's driver.")
@click.option("--signature", metavar="TEXT", help="Only this failure counts: see a run.json.")
@judging_options
@json_option("Write outcome and reason to FILE.")
def command(
    options: Options,
    result: Result,
    component: str,
    repo: str,
    rev: str,
    stock: bool,
    signature: str | None,
    judge: JudgeRecord,
) -> int:
    """Build and run one commit: exit code 0 good, 1 bad, 125 skip, 128 stop.

    \b
    git bisect start BAD GOOD
    git bisect run teecall bisect-step --component opensbi --scenario smoke
    """
    if judge.metric is not None:
        raise UsageError("--metric compares with the good end", "use teecall bisect")
    try:
        judged = _judge(
            options, component, str(Path(repo).absolute()), rev, stock, signature, judge
        )
    except TeecallError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.remedy:
            click.echo(f"remedy: {error.remedy}", err=True)
        return _ABORT
    click.echo(f"{judged.outcome} {judged.why}")
    result.give({"outcome": str(judged.outcome), "why": judged.why})
    return _CODES.get(judged.outcome, _ABORT)


def _judge(
    options: Options,
    component: str,
    repo: str,
    rev: str,
    stock: bool,
    signature: str | None,
    judge: JudgeRecord,
) -> Judged:
    from harness.bisect.hands import SCRIPT_S, RealHands
    from harness.bisect.journal import OptionsRecord
    from harness.bisect.judge import Judged, Reference, ScriptRan, judge_run, judge_script
    from harness.bisect.oracle import Outcome
    from harness.bisect.subject import SubjectOptions, subject_for
    from harness.cells.backend import local_backend
    from harness.cells.pool import CellPool
    from harness.machine.rundir import new_run

    subject = subject_for(component, repo, SubjectOptions(stock=stock, offline=options.offline))
    candidate = subject.resolve(rev)
    how = OptionsRecord(
        files=tuple(str(f) for f in options.files), settings=options.sets, offline=options.offline
    )
    folder = new_run().path
    builder = CellPool(1)
    try:
        with local_backend(1) as backend:
            hands = RealHands(subject, judge, how, (), backend, builder, 1, folder)
            built = hands.build(candidate)
            wait([built])
            error = built.result().error
            if error is not None:
                return Judged(Outcome.SKIP, f"does not build: {error.message}", "build")
            ran = hands.take(hands.begin(candidate, folder / "run"), candidate)
    finally:
        builder.end()
        builder.shutdown()
    if isinstance(ran, ScriptRan):
        return judge_script(ran, judge.limit_s or SCRIPT_S)
    reference = Reference(signature, signature, False) if signature else None
    return judge_run(ran, judge, reference)
