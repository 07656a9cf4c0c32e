# SPDX-License-Identifier: Apache-2.0
"""Runs the checks of a scenario one after the other and turns what they raise into verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from harness.errors import (
    CallerError,
    DeadlineExceeded,
    InfraError,
    MachineCrash,
    MachineHang,
    TeecallError,
    own_error,
)
from harness.verdict import Check, Verdict

_S = TypeVar("_S")


class CheckFailed(TeecallError):
    """What is checked is not so."""


class Skipped(TeecallError):
    """The check has nothing to look at, because an earlier one failed."""

    verdict = Verdict.SKIP


@dataclass(frozen=True, slots=True)
class Step(Generic[_S]):
    """A check: its name, and a function that returns a line for people or raises.

    The function raises CheckFailed when what it looks at is wrong, Skipped when there is
    nothing to look at, and lets every other TeecallError through.
    """

    name: str
    run: Callable[[_S], str]


class Witness(Protocol):
    """Is told of every check as it ends, and of what went wrong while the evidence is fresh."""

    def ended(self, check: Check) -> None:
        """A check has ended."""

    def explained(self, error: TeecallError) -> TeecallError:
        """Return what truly went wrong: a death of the machine explains a check that fails."""

    def failed(self, name: str, error: TeecallError) -> None:
        """A check is about to end badly; the machine, if there is one, still exists."""


def run_steps(steps: Sequence[Step[_S]], state: _S, witness: Witness) -> list[Check]:
    """Run all steps and return their outcomes.

    After a crash, a hang, an expired deadline or an error of the environment there is nothing
    left to check: the remaining steps are skipped.

    Raises:
        CallerError: the user has to correct something first, so that nothing can be judged.
    """
    checks: list[Check] = []
    gone = ""
    for step in steps:
        started = time.monotonic()
        if gone:
            verdict, detail = Verdict.SKIP, gone
        else:
            verdict, detail, gone = _run_one(step, state, witness)
        check = Check(step.name, verdict, detail, time.monotonic() - started)
        checks.append(check)
        witness.ended(check)
    return checks


def _run_one(step: Step[_S], state: _S, witness: Witness) -> tuple[Verdict, str, str]:
    """Return verdict, detail and, when the later steps make no sense any more, why."""
    try:
        return Verdict.PASS, step.run(state), ""
    except Skipped as error:
        return Verdict.SKIP, error.message, ""
    except CallerError:
        raise
    except Exception as error:
        failure = witness.explained(own_error(error))
    witness.failed(step.name, failure)
    over = isinstance(failure, (MachineCrash, MachineHang, DeadlineExceeded, InfraError))
    gone = f"{step.name} ended the run" if over else ""
    return failure.verdict or Verdict.INFRA, failure.message, gone
