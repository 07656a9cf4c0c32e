# SPDX-License-Identifier: Apache-2.0
"""What a domain switch costs, in instructions.

A bare payload (firmware/bench) runs in the host kernel's place on one hart under `-icount`, so
that nothing but the code decides the numbers: the payload does everything twice, and the two
must be equal. All costs are from the host's ECALL, this included, to its next instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

import msgspec

from harness.abi import Error
from harness.abi import Event as Kind
from harness.build.builder import Builder, Outcome
from harness.build.payload import BenchRecipe
from harness.config.schema import Config
from harness.errors import MachineError
from harness.machine.bare import bare_machine, run_to_end
from harness.machine.rundir import RunDir
from harness.resources import firmware
from harness.trace.record import Recorder, Trace
from harness.ui import Ui

# One instruction is one ns of guest time; no clock of the workstation reaches the guest.
_DETERMINISTIC = ("-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm")
_ROUNDS = 2
_WORDS = 7

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
class Split:
    """A TEECALL's cost between the marks that M-mode's events are.

    `enter` ends where M-mode has saved the host and writes its TEECALL event, `leave` begins where
    it writes TEERET, before it restores the host. `inside` is the rest: M-mode's last instructions
    on the way in, the TSM, M-mode's first ones on the way out.
    """

    enter: int
    inside: int
    leave: int


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """The numbers of one machine, in instructions.

    `plain` is an SBI call that OpenSBI answers, `null` a COVH call that the TSM refuses. The
    tuples are by the number of confidential ranges that exist before the call.
    """

    machine: str
    plain: int
    null: int
    split: Split
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

    def as_json(self) -> dict[str, object]:
        """Return the numbers as plain data."""
        slopes = {
            "null_per_range": self.null_per_range,
            "convert_per_range": self.convert_per_range,
        }
        return {**asdict(self), **slopes}


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


def variants(config: Config) -> dict[str, Config]:
    """Return the machine as it is configured, and with vectors and with AIA where it has none."""
    machine = config.machine
    found = {f"{machine.cpu}, aia={machine.aia}": machine}
    if ",v=" not in machine.cpu:
        cpu = f"{machine.cpu},v=true"
        found[f"{cpu}, aia={machine.aia}"] = msgspec.structs.replace(machine, cpu=cpu)
    if machine.aia == "none":
        aia = "aplic-imsic"
        found[f"{machine.cpu}, aia={aia}"] = msgspec.structs.replace(machine, aia=aia)
    return {
        name: _deterministic(msgspec.structs.replace(config, machine=each))
        for name, each in found.items()
    }


def _deterministic(config: Config) -> Config:
    # With -icount instret counts all harts together.
    machine = msgspec.structs.replace(config.machine, harts=1)
    extra = [*config.qemu.extra_args, *_DETERMINISTIC]
    return msgspec.structs.replace(
        config,
        machine=machine,
        qemu=msgspec.structs.replace(config.qemu, extra_args=extra),
        console=msgspec.structs.replace(config.console, mode="serial"),
    )


class SwitchBench:
    """Builds and boots what the measurements need.

    Args:
        run: folder for the evidence; each machine has one in it.
        ui: shows the build's progress.
        offline: never touch the network.
    """

    def __init__(self, run: RunDir, ui: Ui, *, offline: bool) -> None:
        self._run = run
        self._ui = ui
        self._offline = offline
        self._machines = 0

    def switch(self, name: str, config: Config) -> SwitchCost:
        """Return what TEECALLs cost.

        Args:
            name: the machine, as it reads in the result.
            config: one of `variants`.

        Raises:
            MachineError: the payload did not end, or its numbers are not to be relied on.
        """
        outcome = self._build(config)
        payload = outcome.places[BenchRecipe.name] / "switch.bin"
        with bare_machine(config, outcome.artefacts, payload, self._folder()) as machine:
            lines = run_to_end(machine, "bench switch")
            trace = Recorder(outcome.artefacts, config.machine.harts).trace(machine.ram)
        return cost_of(name, parse_samples(lines), trace)

    def context(self, config: Config) -> ContextCost:
        """Return what sbi_domain_context_enter() and sbi_domain_context_exit() cost.

        They switch the PMP by OpenSBI's regions, so the TSM-driver cannot be in the same firmware:
        the extension of firmware/bench/context takes its place, and a second OpenSBI domain that
        of the TSM.

        Raises:
            MachineError: this OpenSBI does not survive its own switch, or the rounds differ.
        """
        place = firmware() / "bench" / "context"
        opensbi = msgspec.structs.replace(config.opensbi, overlay=f"path:{place}")
        config = msgspec.structs.replace(config, opensbi=opensbi)
        outcome = self._build(config)
        built = outcome.places[BenchRecipe.name]
        artefacts = replace(outcome.artefacts, dt_overlay=built / "context.dtbo")
        folder = self._folder()
        with bare_machine(config, artefacts, built / "switch.bin", folder) as machine:
            lines = run_to_end(machine, "bench switch (sbi_domain_context)")
        return context_of(outcome.artefacts.versions["opensbi"], parse_samples(lines))

    def _build(self, config: Config) -> Outcome:
        return Builder(config, self._ui, offline=self._offline, extra=(BenchRecipe(),)).run()

    def _folder(self) -> RunDir:
        path = self._run.path / f"machine-{self._machines}"
        path.mkdir(parents=True, exist_ok=True)
        self._machines += 1
        return RunDir(path)


def parse_samples(lines: Sequence[str]) -> list[Sample]:
    """Return the samples among the lines of the UART.

    Raises:
        MachineError: the payload did not come to its end.
    """
    said = [line.split()[1:] for line in lines if line.startswith("bench: ")]
    if ["done"] not in said:
        raise MachineError("the payload did not come to its end", details=lines[-5:])
    return [
        Sample(words[0], *(int(word) for word in words[1:]))
        for words in said
        if len(words) == _WORDS - 1
    ]


def cost_of(name: str, samples: Sequence[Sample], trace: Trace) -> SwitchCost:
    """Return the costs, which the rounds must agree on.

    Args:
        name: the machine.
        samples: what the payload has measured.
        trace: the events of the same run.

    Raises:
        MachineError: a call went otherwise than it should, or the rounds differ.
    """
    _check_answers(samples)
    return _agreed([_one_round(name, each, trace) for each in _rounds(samples)])


def context_of(opensbi: str, samples: Sequence[Sample]) -> ContextCost:
    """Return the costs of OpenSBI's own switch, which the rounds must agree on.

    Args:
        opensbi: its version.
        samples: what the payload has measured.

    Raises:
        MachineError: a call failed, or the rounds differ.
    """
    _check_answers(samples)
    found = []
    for each in _rounds(samples):
        overhead = _overhead(each)
        plain, context = _costs(each, "plain", overhead), _costs(each, "context", overhead)
        found.append(ContextCost(opensbi, plain[0], context[0]))
    return _agreed(found)


def _rounds(samples: Sequence[Sample]) -> list[list[Sample]]:
    return [[each for each in samples if each.round == number] for number in range(_ROUNDS)]


def _agreed(found: Sequence[T]) -> T:
    if any(each != found[0] for each in found):
        raise MachineError(
            "two rounds of the same calls do not cost the same",
            "something beside the code has an influence: qemu.extra_args?",
            details=[str(each) for each in found],
        )
    return found[0]


def _check_answers(samples: Sequence[Sample]) -> None:
    expected = {"null": Error.NOT_SUPPORTED, "warm": Error.NOT_SUPPORTED}
    for sample in samples:
        full = sample.name == "convert" and sample.error == Error.OUT_OF_RANGES
        if sample.error != expected.get(sample.name, Error.SUCCESS) and not full:
            raise MachineError(f"the call `{sample.name}` was answered with {sample.error}")


def _one_round(name: str, samples: Sequence[Sample], trace: Trace) -> SwitchCost:
    overhead = _overhead(samples)
    null = _costs(samples, "null", overhead)
    first = next(each for each in samples if each.name == "null")
    return SwitchCost(
        machine=name,
        plain=_costs(samples, "plain", overhead)[0],
        null=null[0],
        split=_split(first, overhead, trace),
        null_by_ranges=null,
        convert_by_ranges=_costs(samples, "convert", overhead),
        reclaim_by_ranges=_costs(samples, "reclaim", overhead),
    )


def _overhead(samples: Sequence[Sample]) -> int:
    """Return the cost of nothing: that of reading instret."""
    return _costs(samples, "nothing", 0)[0]


def _costs(samples: Sequence[Sample], name: str, overhead: int) -> tuple[int, ...]:
    """Return the costs of the calls that did what they should, by the number of ranges."""
    found = [each for each in samples if each.name == name and each.error != Error.OUT_OF_RANGES]
    if not found:
        raise MachineError(f"the payload has not measured `{name}`", "see uart.log")
    found.sort(key=lambda each: each.ranges)
    return tuple(each.after - each.before - overhead for each in found)


def _split(sample: Sample, overhead: int, trace: Trace) -> Split:
    events = [event for event in trace.events if sample.before < event.instret < sample.after]
    if [event.kind for event in events] != [Kind.TEECALL, Kind.TEERET]:
        raise MachineError(
            "the event ring does not show the call",
            details=[event.name for event in events],
        )
    call, ret = (event.instret for event in events)
    return Split(call - sample.before - overhead, ret - call, sample.after - ret)
