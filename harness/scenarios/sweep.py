# SPDX-License-Identifier: Apache-2.0
"""Interrupt sweep: interrupts at every instruction of calls, TVM runs and returns.

A bare payload (firmware/sweep) is the host, with the real TSM and a TVM of its own, under
`-icount`: one instruction is 1.28 ticks, so deadlines k ticks ahead reach every instruction. The
large calls are measured on a second machine of a nanosecond an instruction, and Linux shows that
its tick and its devices live on beside a TVM that never ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.build.builder import Builder
from harness.build.payload import SweepRecipe
from harness.config.schema import Config
from harness.machine.bare import bare_machine, patched, run_to_end
from harness.machine.machine import Machine
from harness.machine.rundir import RunDir
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, tools
from harness.scenarios.sweep_checks import FENCES, Place
from harness.scenarios.sweep_linux import STEPS as LINUX
from harness.scenarios.sweep_machine import Sweep, Tally, deterministic
from harness.scenarios.sweep_memory import Arrival, Operation, Plan, SweepMemory
from harness.trace.record import Recorder

_PAGE = 4096
_TICK_S = 1e-7
# rdsm-tsm.md 3: no TEECALL delays the host's tick by more than 1 ms of guest time.
_MAX_DELAY_TICKS = 10_000
# Plain memory of the host, up to the TSM's, for the guest's pages.
_SOURCE = 0x81000000
_MEASURED_PAGES = 256


def sources(smoke: Smoke) -> str:
    """Identify and verify what is built from."""
    builder = Builder(smoke.config, smoke.ui, offline=smoke.offline, extra=(SweepRecipe(),))
    smoke.builder = builder
    return f"OpenSBI {builder.sources.identify('opensbi').version}"


def build(smoke: Smoke) -> str:
    """Build what is missing, the payload too."""
    if smoke.builder is None:
        raise Skipped("the sources are not there")
    outcome = smoke.builder.run()
    smoke.places = dict(outcome.places)
    # What a report on a dead machine takes addresses from.
    smoke.artefacts = replace(outcome.artefacts, vmlinux=smoke.places["sweep"] / "sweep.elf")
    smoke.versions.update(outcome.artefacts.versions)
    return f"built {', '.join(outcome.built)}" if outcome.built else "everything is up to date"


def boot(smoke: Smoke) -> str:
    """Boot the payload, let it launch its TVM, and wait for the first points."""
    config = deterministic(smoke.config, shift=7)
    plan = _plan(config, mode=0)
    machine = smoke.stack.enter_context(_payload(smoke, config, plan, smoke.run))
    smoke.machine = machine
    assert smoke.artefacts is not None
    smoke.recorder = Recorder(smoke.artefacts, config.machine.harts)
    smoke.on_power(machine)
    smoke.sweep = Sweep(machine, _memory(smoke), smoke.recorder)
    if not smoke.sweep.wait():
        raise CheckFailed("the payload ended without a point", "see uart.log")
    return f"the payload is the host, its TVM has reported, a deadline every {plan.step} ticks"


def timer(smoke: Smoke) -> str:
    """Let the own timer expire at each point of each operation; the outcome must be right."""
    tally = _sweep(smoke).take((Arrival.TIMER_TAKEN, Arrival.TIMER_PENDING))
    arrivals = (Arrival.TIMER_TAKEN, Arrival.TIMER_PENDING)
    _all_met(tally, tuple(Operation), arrivals)
    _stopped(tally, arrivals, Operation.CONVERT, Operation.RECLAIM, Operation.SPIN)
    return _told(smoke, "timer", tally)


def other_hart(smoke: Smoke) -> str:
    """Let another hart's IPI and remote fences arrive at each point of the operations."""
    if smoke.config.machine.harts < 2:
        return "this machine has no other hart"
    tally = _sweep(smoke).take((Arrival.IPI, *FENCES))
    _all_met(tally, tuple(Operation), (Arrival.IPI,))
    # A fence would not end a TVM that spins.
    _all_met(tally, [each for each in Operation if each is not Operation.SPIN], FENCES)
    _stopped(tally, (Arrival.IPI,), Operation.CONVERT, Operation.RECLAIM, Operation.SPIN)
    return f"{_told(smoke, 'other_hart', tally)}; {_by_arrival(smoke, tally)}"


def poweroff(smoke: Smoke) -> str:
    """Wait for the end of the payload, which the TSM must have left able to end."""
    machine = smoke.machine
    sweep = _sweep(smoke)
    assert machine is not None
    if sweep.wait():
        raise CheckFailed("there are points that nobody has judged", "see uart.log")
    lines = run_to_end(machine, "the sweep's end")
    return f"QEMU ended by itself; the payload's last line is `{lines[-1]}`"


def delay(smoke: Smoke) -> str:
    """Measure how late the host's tick is under the largest calls and an endless TVM."""
    sweep = _sweep(smoke)
    sweep.wrong = True
    config = deterministic(smoke.config, shift=0)
    folder = smoke.run.path / "delay"
    folder.mkdir()
    with _payload(smoke, config, _plan(config, mode=1), RunDir(folder)) as machine:
        lines = run_to_end(machine, "the large calls")
        delays = _memory(smoke).delays(machine.ram)
    smoke.run.write_json("delays.json", [_as_json(each) for each in delays])
    if not any("sweep: done" in line for line in lines):
        raise CheckFailed(lines[-1] if lines else "the payload said nothing", "see delay/uart.log")
    idle = [each.name for each in delays if not each.ticks]
    if idle:
        raise CheckFailed(f"`{idle[0]}` was over before a tick", "its pages are too few")
    worst = max(delays, key=lambda each: each.max_delay)
    smoke.metrics["max_tick_delay_s"] = worst.max_delay * _TICK_S
    if worst.max_delay > _MAX_DELAY_TICKS:
        raise CheckFailed(
            f"`{worst.name}` of {worst.pages} pages delays a tick by"
            f" {worst.max_delay * _TICK_S * 1e3:.2f} ms; 1 ms is the limit",
            details=[str(_as_json(each)) for each in delays],
        )
    sweep.wrong = False
    ticks = sum(each.ticks for each in delays)
    return (
        f"{len(delays)} kinds of call, {ticks} ticks, the latest by"
        f" {worst.max_delay * _TICK_S * 1e6:.1f} us (`{worst.name}`, {worst.pages} pages)"
    )


def _as_json(each: object) -> dict[str, object]:
    return {name: getattr(each, name) for name in each.__slots__}  # type: ignore[attr-defined]


def _plan(config: Config, mode: int) -> Plan:
    pool_pages = config.memory.pool_size // _PAGE
    plain_pages = max(0, config.memory.tsm_base - _SOURCE) // _PAGE
    return Plan(
        mode=mode,
        step=config.sweep.step,
        first=0,
        pool_base=config.memory.pool_base,
        pool_pages=pool_pages,
        harts=config.machine.harts,
        measured_pages=_MEASURED_PAGES,
        large_pages=min(pool_pages // 2, plain_pages),
        source=_SOURCE,
    )


@contextlib.contextmanager
def _payload(smoke: Smoke, config: Config, plan: Plan, run: RunDir) -> Iterator[Machine]:
    if smoke.artefacts is None:
        raise Skipped("nothing was built")
    image = (smoke.places["sweep"] / "sweep.bin").read_bytes()
    ready = patched(image, _memory(smoke).plan_place(), plan.encoded())
    with bare_machine(config, smoke.artefacts, run.write("sweep.bin", ready), run) as machine:
        yield machine


def _memory(smoke: Smoke) -> SweepMemory:
    return SweepMemory(smoke.places["sweep"] / "sweep.elf")


def _sweep(smoke: Smoke) -> Sweep:
    if smoke.sweep is None:
        raise Skipped("the payload did not boot")
    if smoke.sweep.wrong:
        raise Skipped("the sweep has found something")
    return smoke.sweep


def _all_met(tally: Tally, operations: Sequence[Operation], arrivals: Sequence[Arrival]) -> None:
    """Check that the payload has swept all it is to sweep."""
    for operation in operations:
        for arrival in arrivals:
            if not tally.arrived(operation, arrival):
                raise CheckFailed(f"no {arrival.name} ever met {operation.name}", "see uart.log")


def _stopped(tally: Tally, arrivals: Sequence[Arrival], *operations: Operation) -> None:
    """Check that interrupts did stop these: otherwise the sweep has not swept."""
    for operation in operations:
        for arrival in arrivals:
            if not tally.outcomes[operation, arrival]:
                raise CheckFailed(
                    f"no {arrival.name} ever stopped {operation.name}", "see events.json"
                )


def _by_arrival(smoke: Smoke, tally: Tally) -> str:
    """Report at how many instructions each kind of the other hart's doings arrived."""
    counts = {
        arrival.name: sum(tally.arrived(operation, arrival) for operation in Operation)
        for arrival in (Arrival.IPI, *FENCES)
    }
    smoke.metrics |= {f"other_hart_{name}": count for name, count in counts.items()}
    return ", ".join(f"{name} at {count}" for name, count in counts.items())


def _told(smoke: Smoke, name: str, tally: Tally) -> str:
    """Report at how many instructions something arrived, and check that all places were met."""
    smoke.run.write_json(f"{name}.json", tally.as_json())
    counts = {
        "M-mode": tally.distinct(Place.M_IN, Place.M_OUT),
        "the TSM": tally.distinct(Place.TSM),
        "the TVM": tally.distinct(Place.TVM),
        "the host": tally.distinct(Place.BEFORE, Place.AFTER),
    }
    for place, count in counts.items():
        smoke.metrics[f"{name}_{place.split()[-1]}"] = count
        if not count:
            raise CheckFailed(f"nothing arrived while {place} had the hart", "lower sweep.step")
    shown = ", ".join(f"{count} in {place}" for place, count in counts.items())
    return f"{tally.points} calls, all right; distinct instructions: {shown}"


STEPS: tuple[Step[Smoke], ...] = (
    *(
        Step(check.__name__, check)
        for check in (tools, sources, build, boot, timer, other_hart, poweroff, delay)
    ),
    *LINUX,
)
