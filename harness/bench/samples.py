# SPDX-License-Identifier: Apache-2.0
"""What the payload of `teecall bench switch` has measured, as costs that its rounds agree on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.abi import Error
from harness.errors import MachineError

_ROUNDS = 2
_WORDS = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """A call that the payload has made: instret right before and behind it, error in a0."""

    name: str
    round: int
    ranges: int
    before: int
    after: int
    error: int


@dataclass(frozen=True, slots=True)
class MModeCost:
    """What is M-mode's of a call, in instructions; any TSM adds its own.

    `plain` is an SBI call that OpenSBI answers, from the ECALL to the next instruction. `enter`
    ends before the TSM's first instruction, `leave` begins behind its ECALL.
    """

    plain: int
    enter: int
    leave: int


@dataclass(frozen=True, slots=True)
class TsmCost:
    """What calls of the TSM cost the host, in instructions.

    `null` is a COVH call that the TSM refuses. `tvm_enter` is from the host's run_tvm_vcpu to the
    guest's first instruction, `tvm_exit` from the guest's ECALL to the host's next instruction,
    `tick` from the time in the host's stimecmp to its next instruction while a guest runs, to two
    instructions. The tuples are by the number of confidential ranges that exist before the call.
    """

    null: int
    tvm_enter: int
    tvm_exit: int
    tick: int
    null_by_ranges: tuple[int, ...]
    convert_by_ranges: tuple[int, ...]
    reclaim_by_ranges: tuple[int, ...]

    @property
    def null_per_range(self) -> float:
        """What each confidential range adds to every TEECALL."""
        return _slope(self.null_by_ranges)

    @property
    def convert_per_range(self) -> float:
        """What each confidential range adds to the conversion of a page."""
        return _slope(self.convert_by_ranges)


@dataclass(frozen=True, slots=True)
class HartsCost:
    """What further harts add, which do nothing, in instructions of all harts together.

    `null` is that TEECALL while they wait in WFI. `convert` is the conversion of the first page
    while they are stopped: harts that run take part in one, and under -icount the emulator
    decides when.
    """

    null: int
    convert: int


@dataclass(frozen=True, slots=True)
class ContextCost:
    """OpenSBI's own switch into another domain and back, in instructions.

    `plain` is an SBI call of the same firmware, which has no TSM-driver in it.
    """

    opensbi: str
    plain: int
    round_trip: int


def _slope(costs: Sequence[int]) -> float:
    return (costs[-1] - costs[0]) / (len(costs) - 1) if len(costs) > 1 else 0.0


def parse_samples(lines: Sequence[str]) -> list[Sample]:
    """Return the samples among the lines of the UART.

    Raises:
        MachineError: the payload did not come to its end, or a step that it needs was refused.
    """
    said = [line.split()[1:] for line in lines if line.startswith("bench: ")]
    for words in said:
        if words[0] == "failed":
            raise MachineError(f"the payload gave up: {' '.join(words[1:])}")
    if ["done"] not in said:
        raise MachineError("the payload did not come to its end", details=lines[-5:])
    return [
        Sample(words[0], *(int(word) for word in words[1:]))
        for words in said
        if len(words) == _WORDS
    ]


class Round:
    """The samples of one round."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        self._overhead = 0
        self._overhead = self.cost("nothing")

    def costs(self, name: str) -> tuple[int, ...]:
        """Return the costs of the calls that did what they should, by the number of ranges.

        Raises:
            MachineError: there is no such call.
        """
        found = [
            each
            for each in self._samples
            if each.name == name and each.error != Error.OUT_OF_RANGES
        ]
        if not found:
            raise MachineError(f"the payload has not measured `{name}`", "see uart.log")
        found.sort(key=lambda each: each.ranges)
        return tuple(each.after - each.before - self._overhead for each in found)

    def cost(self, name: str) -> int:
        """Return the cost of the call that was made once, or the first of them."""
        return self.costs(name)[0]


def agreed(samples: Sequence[Sample], cost_of: Callable[[Round], T]) -> T:
    """Return the cost that all rounds agree on.

    Args:
        samples: what the payload has measured.
        cost_of: makes the cost of a round.

    Raises:
        MachineError: a call went otherwise than it should, or the rounds differ.
    """
    _check_answers(samples)
    rounds = [[each for each in samples if each.round == number] for number in range(_ROUNDS)]
    found = [cost_of(Round(each)) for each in rounds]
    if any(each != found[0] for each in found):
        raise MachineError(
            "two rounds of the same calls do not cost the same",
            "something beside the code has an influence: qemu.extra_args?",
            details=[str(each) for each in found],
        )
    return found[0]


def _check_answers(samples: Sequence[Sample]) -> None:
    refused = ("null", "parked_null", "mmode_in", "mmode_out")
    for sample in samples:
        expected = Error.NOT_SUPPORTED if sample.name in refused else Error.SUCCESS
        full = sample.name == "convert" and sample.error == Error.OUT_OF_RANGES
        if sample.error != expected and not full:
            raise MachineError(f"the call `{sample.name}` was answered with {sample.error}")


def mmode_cost(found: Round) -> MModeCost:
    """Return what a round with the TSM that answers at once has cost."""
    return MModeCost(found.cost("plain"), found.cost("mmode_in"), found.cost("mmode_out"))


def tsm_cost(found: Round) -> TsmCost:
    """Return what a round with the real TSM has cost."""
    null = found.costs("null")
    return TsmCost(
        null=null[0],
        tvm_enter=found.cost("enter"),
        tvm_exit=found.cost("exit"),
        tick=found.cost("tick"),
        null_by_ranges=null,
        convert_by_ranges=found.costs("convert"),
        reclaim_by_ranges=found.costs("reclaim"),
    )


def harts_cost(found: Round) -> HartsCost:
    """Return what a round beside idle harts has cost."""
    return HartsCost(found.cost("parked_null"), found.cost("convert"))


def context_cost(opensbi: str, found: Round) -> ContextCost:
    """Return what a round of OpenSBI's own switch has cost.

    Args:
        opensbi: its version.
        found: the round.
    """
    return ContextCost(opensbi, found.cost("plain"), found.cost("context"))
