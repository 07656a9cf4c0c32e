# SPDX-License-Identifier: Apache-2.0
"""Compares what the machine answered with what the model says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.conformance.calls import Answer, Call, script
from harness.conformance.capability import Capabilities
from harness.conformance.model.machine import Machine, Model
from harness.conformance.model.outcome import Unpredictable


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first call of a script that the TSM answers otherwise than the model.

    `index` is its place in `calls`, `what` says how the answer differs.
    """

    calls: tuple[Call, ...]
    index: int
    what: str

    @property
    def call(self) -> str:
        """The call as the tool takes it."""
        return self.calls[self.index].line()

    def __str__(self) -> str:
        return f"call {self.index + 1}, `{self.call}`: {self.what}"

    def replayable(self) -> str:
        """Return a script that ends with the call; what came before is needed to get there."""
        return script(self.calls[: self.index + 1], [str(self)])


def judge(
    machine: Machine, can: Capabilities, calls: Sequence[Call], answers: Sequence[Answer]
) -> Divergence | None:
    """Return the first difference, None when there is none.

    Args:
        machine: what the script was run on.
        can: what is expected of the TSM.
        calls: a whole script.
        answers: those of the machine, in order; fewer when it has died.
    """
    model = Model(machine, can)
    for index, call in enumerate(calls):
        if index >= len(answers):
            return Divergence(tuple(calls), index, "was not answered")
        answer = answers[index]
        try:
            wrong = model.predict(call).difference(answer)
        except Unpredictable as error:
            wrong = f"is not for a script: {error}"
        if wrong:
            return Divergence(tuple(calls), index, wrong)
        model.save(call, answer.error, answer.value)
    return None
