# SPDX-License-Identifier: Apache-2.0
"""Options of the verbs that judge a candidate: what is run, and what of it decides."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._times import span
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.bisect.journal import JudgeRecord

_DECORATORS = (
    click.option("--scenario", metavar="NAME", help="What is run [default: smoke]."),
    click.option("--check", metavar="NAME", help="Only this check of the scenario counts."),
    click.option("--payload", metavar="FILE", help="Run an image in the host kernel's place."),
    click.option("--expect", metavar="REGEX", help="What the payload prints when all is well."),
    click.option("--reject", metavar="REGEX", help="What it prints when it fails."),
    click.option("--metric", metavar="NAME", help="Look for what made a number worse."),
    click.option("--worse-by", metavar="PART", help="With --metric: how much, such as 5%."),
    click.option("--lower-is-worse", is_flag=True, help="With --metric: a smaller number is."),
    click.option("--script", metavar="CMD", help="Run CMD: 0 good, 125 skip, 128 and more abort."),
    click.option("--any-failure", is_flag=True, help="Count every failure, not only the same one."),
    click.option("--limit", type=span, metavar="TIME", help="Time of one trial, such as 90s."),
)
_NAMES = ("scenario", "check", "payload", "expect", "reject", "metric", "worse_by")
_MORE = ("lower_is_worse", "script", "any_failure", "limit")


def judging_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the verb gets them as one `JudgeRecord`, `judge`."""

    @functools.wraps(function)
    def wrapped(**given: Any) -> Any:
        told = {name: given.pop(name) for name in (*_NAMES, *_MORE)}
        return function(judge=_record(told), **given)

    for decorator in reversed(_DECORATORS):
        wrapped = decorator(wrapped)
    return wrapped


def _record(told: dict[str, Any]) -> JudgeRecord:
    from harness.bisect.journal import JudgeRecord
    from harness.bisect.metric import part
    from harness.scenarios.session import SCENARIOS

    ways = [name for name in ("payload", "metric", "script", "check") if told[name] is not None]
    if len(ways) > 1:
        names = " and ".join(f"--{name}" for name in ways)
        raise UsageError(f"{names} are two ways to judge", "give one of them")
    if told["scenario"] is not None and told["scenario"] not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise UsageError(f"--scenario {told['scenario']}: there is none", f"there are: {known}")
    for name, needs in (("payload", "expect"), ("metric", "worse_by")):
        if (told[name] is None) != (told[needs] is None):
            option = needs.replace("_", "-")
            raise UsageError(f"--{name} and --{option} go together", "give both")
    if told["payload"] is not None:
        path = Path(told["payload"]).absolute()
        if not path.is_file():
            raise UsageError(f"--payload {path}: there is no such file", "give a flat Image")
        told["payload"] = str(path)
    for name in ("expect", "reject"):
        try:
            re.compile(told[name] or "")
        except re.error as error:
            raise UsageError(f"--{name} {told[name]}: {error}", "mend the expression") from None
    if told["worse_by"] is not None:
        part(told["worse_by"])
    told["scenario"] = told["scenario"] or "smoke"
    told["limit_s"] = told.pop("limit")
    return JudgeRecord(**told)
