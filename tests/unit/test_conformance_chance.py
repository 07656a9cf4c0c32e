# SPDX-License-Identifier: Apache-2.0
"""Batches by chance between two processes, with the model's own answers in a machine's place."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import cast

import pytest

from harness.conformance.bench import Bench
from harness.conformance.calls import PAGE, Call, parse_script
from harness.conformance.capability import load
from harness.conformance.chance import run_by_chance
from harness.conformance.desk import Setting
from harness.conformance.model.machine import Machine, Model
from harness.conformance.scribe import scribe
from harness.errors import InfraError, MachineError
from harness.host.host import Host

MACHINE = Machine(range(0x90000000, 0xA0000000, PAGE), 2, 1, 1, 16)
CAN = load()
SETTING = Setting(MACHINE, CAN, 5, 60)
FIRST_ID = 0x100


@dataclass
class Answering(Bench):
    """Answers as the model says, but `wrong` at one line of batch `at`; dies in batch `dies`."""

    at: int = -1
    dies: int = -1
    batches: list[list[Call]] = field(default_factory=list)

    def printed(self, packed: bytes, lines: int) -> str:
        """Answer a batch."""
        number = len(self.batches)
        calls = parse_script(gzip.decompress(packed).decode())
        assert len(calls) == lines
        self.batches.append(calls)
        if number == self.dies:
            raise MachineError("the machine has died")
        answers = list(_said(calls))
        if number == self.at:
            answers[lines // 2] = "-77 0x0 0x0"
        return "\n".join(answers)


def _said(calls: list[Call]) -> list[str]:
    answers, model, made = [], Model(MACHINE, CAN), 0
    for index, call in enumerate(calls):
        if calls[index : index + 3] == calls[:3]:
            # Each script begins with these, and leaves nothing behind.
            model = Model(MACHINE, CAN)
        expected = model.predict(call)
        error = max(expected.errors)
        value = expected.value or 0
        if not error and expected.learn is not None and call.function == "create_tvm":
            value, made = FIRST_ID + made, made + 1
            expected.learn(value)
        elif not error and expected.learn is not None and expected.learn(value):
            # A vCPU that has died: any value but 0.
            value = 1
        model.save(call, error, value)
        answers.append(f"{int(error)} {value:#x} {expected.scause or 0:#x}")
    return answers


def _bench(at: int = -1, dies: int = -1) -> Answering:
    return Answering(cast(Host, None), MACHINE, CAN, at=at, dies=dies)


def test_all_that_is_written_is_made_and_judged() -> None:
    bench = _bench()
    assert run_by_chance(bench, SETTING, 21_000) is None
    assert len(bench.batches) == 3
    made = [call for calls in bench.batches for call in calls]
    assert bench.told.lines == len(made)
    assert bench.calls == sum(call.extension != "host" for call in made) >= 21_000
    assert sum(bench.told.counts.values()) == len(made)
    again = _bench()
    run_by_chance(again, SETTING, 3_000)
    # The same seed gives the same calls.
    assert again.batches[0] == bench.batches[0][: len(again.batches[0])]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_difference_is_found_in_any_batch(at: int) -> None:
    bench = _bench(at)
    found = run_by_chance(bench, SETTING, 30_000)
    assert found is not None and found.what.startswith("answers -77, not ")
    wrong = bench.batches[at][len(bench.batches[at]) // 2]
    assert found.calls[found.index] == wrong
    # The machine is one batch ahead at most, and what it said to that is known too.
    assert len(bench.batches) == min(at + 2, 3)
    assert bench.told.lines == sum(map(len, bench.batches))


def test_a_difference_before_the_death_is_told() -> None:
    with pytest.raises(MachineError, match="has died") as error:
        run_by_chance(_bench(at=0, dies=1), SETTING, 30_000)
    assert "before that, call" in error.value.details[-1]
    with pytest.raises(MachineError, match="has died") as plain:
        run_by_chance(_bench(dies=1), SETTING, 30_000)
    assert plain.value.details == ()


def test_a_process_that_ends_is_told() -> None:
    with scribe(SETTING) as desk:
        desk.ask("judge", "there is no batch to judge")
        with pytest.raises(InfraError, match="has ended"):
            desk.judged()
