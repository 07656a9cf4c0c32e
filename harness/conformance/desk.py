# SPDX-License-Identifier: Apache-2.0
"""Batches by chance: written one after the other, and judged in the same order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from harness.conformance.author import by_chance, write
from harness.conformance.batch import Told, pack
from harness.conformance.calls import Call, parse_answers
from harness.conformance.capability import Capabilities
from harness.conformance.judge import Divergence, judge
from harness.conformance.model.machine import Machine


@dataclass(frozen=True, slots=True)
class Setting:
    """What is written for: a machine, what its TSM can do, where the numbers begin."""

    machine: Machine
    can: Capabilities
    seed: int
    steps: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch as the machine takes it, and how much is in it.

    `calls` are those of the TSM and its driver in M-mode, `lines` the host's own accesses too.
    """

    data: bytes
    lines: int
    calls: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What the machine said to a batch; `found` is the first difference, None: there is none."""

    told: Told
    scripts: int
    found: Divergence | None


@dataclass
class Desk:
    """Where the batches are that were written and not judged yet, oldest first."""

    setting: Setting
    numbers: Random = field(init=False)
    open: deque[list[list[Call]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.numbers = Random(self.setting.seed)

    def write(self, calls: int) -> Packed:
        """Write whole scripts, of so many calls altogether or a few more."""
        setting, written = self.setting, 0
        scripts: list[list[Call]] = []
        while written < calls:
            steps = by_chance(self.numbers, setting.steps)
            scripts.append(write(setting.machine, setting.can, steps))
            written += sum(call.extension != "host" for call in scripts[-1])
        self.open.append(scripts)
        lines = [call for one in scripts for call in one]
        return Packed(pack(lines), len(lines), written)

    def judge(self, text: str) -> Judged:
        """Compare what the machine has printed for the oldest batch with what the model says."""
        scripts = self.open.popleft()
        answers = parse_answers(text)
        told = Told()
        told.take([call for one in scripts for call in one], answers)
        at = 0
        for index, calls in enumerate(scripts):
            part = answers[at : at + len(calls)]
            found = judge(self.setting.machine, self.setting.can, calls, part)
            if found is not None:
                return Judged(told, index, found)
            at += len(calls)
        return Judged(told, len(scripts), None)
