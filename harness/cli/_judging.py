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
# Options of which one may be given, that go together, that need another, and that another makes
# meaningless.
_WAYS = ("payload", "metric", "script", "check")
_PAIRS = (("payload", "expect"), ("metric", "worse_by"))
_NEEDING = (("reject", "payload"), ("lower_is_worse", "metric"))
_USELESS = (("scenario", ("payload", "script")), ("any_failure", ("check", "metric", "script")))
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

    _check_together(told)
    if told["script"] is not None and not told["script"].strip():
        raise UsageError("--script: there is no command", "give one")
    if told["scenario"] is not None and told["scenario"] not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise UsageError(f"--scenario {told['scenario']}: there is none", f"there are: {known}")
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


def _check_together(told: dict[str, Any]) -> None:
    """Refuse options that exclude each other, and one that says nothing beside the others."""
    given = {
        name: f"--{name.replace('_', '-')}" for name in told if told[name] not in (None, False)
    }
    ways = [option for name, option in given.items() if name in _WAYS]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} are two ways to judge", "give one of them")
    for name, needs in _PAIRS:
        if (name in given) != (needs in given):
            option = f"--{name} and --{needs.replace('_', '-')}"
            raise UsageError(f"{option} go together", "give both, or none")
    for name, needs in _NEEDING:
        if name in given and needs not in given:
            raise UsageError(f"{given[name]} goes with --{needs}", "give both, or none")
    for name, others in _USELESS:
        if name in given and (other := next((given[o] for o in others if o in given), None)):
            raise UsageError(f"{given[name]} says nothing to {other}", "leave one of them out")
