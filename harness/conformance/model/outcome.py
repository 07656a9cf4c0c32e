# SPDX-License-Identifier: Apache-2.0
"""What a call may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness import abi
from harness.conformance.calls import Answer


class Unpredictable(Exception):
    """The documents do not say what this does; no script has it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The answers that are right.

    `errors` are the errors that the documents allow; SUCCESS alone when nothing is wrong. `value`
    and `scause` are None where the documents leave them to the TSM. `learn` takes a value that is
    the TSM's choice, and says what is wrong with it, or nothing.
    """

    errors: frozenset[abi.Error]
    value: int | None = None
    scause: int | None = None
    learn: Callable[[int], str] | None = None

    def difference(self, answer: Answer) -> str:
        """Return how an answer differs from what is right; empty when it does not."""
        if answer.error not in self.errors:
            names = " or ".join(sorted(error.name for error in self.errors))
            return f"answers {_name(answer.error)}, not {names}"
        if answer.error:
            return ""
        if self.value is not None and answer.value != self.value:
            return f"gives value {answer.value:#x}, not {self.value:#x}"
        if self.scause is not None and answer.scause != self.scause:
            return f"ends with scause {answer.scause:#x}, not {self.scause:#x}"
        return self.learn(answer.value) if self.learn is not None else ""


def _name(error: int) -> str:
    try:
        return abi.Error(error).name
    except ValueError:
        return str(error)


def success(value: int | None = None, scause: int | None = None) -> Expected:
    """A call in which nothing is wrong."""
    return Expected(frozenset({abi.Error.SUCCESS}), value, scause)


class Wrong:
    """Collects what is wrong with a call."""

    def __init__(self) -> None:
        self.errors: set[abi.Error] = set()

    def if_(self, condition: bool, *errors: abi.Error) -> bool:
        """Note the errors when the condition holds, and return it."""
        if condition:
            self.errors.update(errors)
        return condition

    def expected(self) -> Expected | None:
        """Return the answers that are right, None when nothing is wrong."""
        return Expected(frozenset(self.errors)) if self.errors else None
