# SPDX-License-Identifier: Apache-2.0
"""A TSM that dies: its caller gets an error, all harts go on, the crash is named and explained."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness import abi
from harness.errors import MachineError
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.host.results import CallResult, parse_answer
from harness.machine.deadline import scaled
from harness.machine.forensics import Symbolizer, tsm_backtrace
from harness.machine.layout import KERNEL_BASE
from harness.machine.machine import Machine
from harness.machine.rundir import new_run
from harness.scenarios.containment_hostile import all_calls, words
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke
from harness.trace.record import Recorder

_DEAD = b"tsmd: TSM domain dead"
_TICKS_PER_MS = 10_000
# What the second CPU does at the moment of the fault is the kernel's, which may keep it out of the
# TSM until the watchdog has come. Seen once, on a machine with an AIA; why is not known.
_TURNS = 3
_LINE = re.compile(r"\(\S+:\d+\)")


@dataclass(frozen=True, slots=True)
class Fault:
    """A way for the TSM to die.

    Args:
        name: of the check.
        function: COVH function that brings it about.
        says: what the firmware must say of the death.
        calls: functions that must be in the backtrace, innermost first.
        argument: of the call.
        before: raw call that every hart of the host makes first.
        causes: what mcause of the trap may be, nothing where the TSM does not trap.
    """

    name: str
    function: int
    says: str
    calls: tuple[str, ...]
    argument: int = 0
    before: str = ""
    causes: tuple[int, ...] = ()


_ROOT = ("fault_inject", "tsm_teecall")
FAULTS = (
    Fault("null", abi.FAULT_NULL, "fault", ("fault_null", *_ROOT), causes=(7,)),
    Fault("illegal", abi.FAULT_ILLEGAL, "fault", ("fault_illegal", *_ROOT), causes=(2,)),
    Fault("jump", abi.FAULT_JUMP, "fault", ("fault_jump", *_ROOT), KERNEL_BASE, causes=(1,)),
    # So deep that its beginning is out of sight.
    Fault("stack", abi.FAULT_STACK, "stack overflow", ("fault_stack",), causes=(7,)),
    # Delegated to S-mode by the host for itself: the TSM's has to arrive in M-mode all the same.
    Fault(
        "misaligned",
        abi.FAULT_MISALIGNED,
        "fault",
        ("fault_misaligned", *_ROOT),
        before=words("0x46574654", 0, 0, 1, 0),
        # QEMU does an AMO on a machine of one hart as a load and a store, and the load faults.
        causes=(6, 4),
    ),
    Fault("panic", abi.FAULT_PANIC, "panic", ("tsm_panic", "fault_panic", *_ROOT)),
    Fault("loop", abi.FAULT_LOOP, "watchdog", ("fault_loop", *_ROOT)),
)


class _Missed(CheckFailed):
    """What the check is about did not come about."""


def fault_step(fault: Fault) -> Callable[[Smoke], str]:
    """Return the check that lets a TSM die in this way, on a machine of its own."""

    def check(smoke: Smoke) -> str:
        for turn in range(_TURNS):
            try:
                return _alone(smoke, fault, f"fault-{fault.name}{f'-{turn}' * bool(turn)}")
            except _Missed as missed:
                why = missed
        raise CheckFailed(f"{why.message}, {_TURNS} times: this run proves nothing")

    check.__doc__ = f"Let the TSM die: {fault.name}."
    return check


def _alone(smoke: Smoke, fault: Fault, folder: str) -> str:
    """Let a TSM die on a machine of its own, with its evidence in a folder of the run's."""
    if smoke.artefacts is None:
        raise Skipped("nothing was built")
    first = smoke.machine
    missed: _Missed | None = None
    stack = contextlib.ExitStack()
    # A machine on which the check fails has to live until it has told why.
    with contextlib.ExitStack() as failing:
        failing.callback(lambda: smoke.stack.push(stack.pop_all()))
        run = new_run(smoke.run.path / folder)
        machine = stack.enter_context(powered(smoke.config, smoke.artefacts, run))
        smoke.machine = machine
        try:
            detail = _die(smoke, machine, fault)
        except _Missed as error:
            missed = error
        failing.pop_all()
    stack.close()
    smoke.machine = first
    if missed is not None:
        raise missed
    return detail


def _die(smoke: Smoke, machine: Machine, fault: Fault) -> str:
    host = reach_shell(machine)
    cpus = range(smoke.config.machine.harts)
    if fault.before:
        all_calls(host, [f"{fault.before} --cpu {cpu}" for cpu in cpus])
    with machine.allow("tsm") as deaths:
        _bring_about(host, fault)
        _await_death(machine, fault)
        # When the calls have returned, every hart has said where in the dead TSM it was: a second
        # hart that finds the death is for the events to tell of.
        caller = _answers_of_the_dead(host, len(cpus))
    if not deaths:
        raise CheckFailed("the harness takes a machine with a dead TSM for a healthy one")
    _check_events(smoke, machine, fault)
    trace = _explained(smoke, machine, fault)
    _check_time(smoke, fault, caller)
    _host_lives(host, smoke, cpus)
    host.power_off(smoke.config.timeouts.poweroff_s)
    way = " < ".join(trace[:4])
    return f"{deaths[0].kind}: {deaths[0].line}; {way}; the host goes on, on {len(cpus)} harts"


def _bring_about(host: Host, fault: Fault) -> None:
    """Let CPU 0 make the call, and the second CPU one that needs what the first may hold."""
    info = words("covh get_tsm_info", host.machine.config.memory.pool_base, 48)
    harm = words("covh", abi.FAULT_FID + fault.function, fault.argument)
    # Without a pause, so that one of them is under way when the TSM dies; the pipe ends with the
    # first that fails.
    other = (
        f"yes '{info} --cpu 1' | tvm batch | tee /tmp/all | grep -m 1 error.:-1, >/tmp/other & "
        "until [ -s /tmp/all ]; do :; done; "
    )
    host.shell.send(
        f"{other if host.machine.config.machine.harts > 1 else ''}"
        f"tvm call {harm} --cpu 0 --json >/tmp/caller; wait"
    )


def _await_death(machine: Machine, fault: Fault) -> None:
    """Wait for the firmware's report of the death."""
    deadline = scaled("the death of the TSM", machine.config.timeouts.stall_s)
    while not _last_line(machine, _DEAD):
        with machine.uart.news:
            machine.uart.news.wait(min(0.2, deadline.remaining()))
        deadline.check()
    line = _last_line(machine, _DEAD)
    if not line.endswith(fault.says):
        raise CheckFailed(f"the firmware says `{line}` instead of {fault.says}", "see uart.log")


def _last_line(machine: Machine, start: bytes) -> str:
    """Return the last complete line of the UART that begins so, or nothing."""
    lines = machine.uart.tail(1 << 14).split(b"\n")[:-1]
    found = [line for line in lines if line.startswith(start)]
    return found[-1].decode(errors="replace").strip() if found else ""


def _explained(smoke: Smoke, machine: Machine, fault: Fault) -> list[str]:
    """Check that a backtrace names the calls with their lines; return its functions.

    Of several harts in a TSM that hangs any may be the one that found it: the calls are looked
    for in the backtrace of each.
    """
    assert smoke.artefacts is not None
    frames = tsm_backtrace(machine, smoke.artefacts, Symbolizer(smoke.artefacts))
    traces = _split(frames) if fault.function == abi.FAULT_LOOP else _split(frames)[:1]
    missing = [(_missing(trace, fault.calls), trace) for trace in traces]
    found = next((trace for absent, trace in missing if not absent), None)
    if found is None:
        absent = min((absent for absent, _ in missing), key=len, default=fault.calls)
        raise CheckFailed(
            f"the backtrace does not show {absent[0]}", "see forensics.txt", details=frames
        )
    if not all(_LINE.search(line) for trace in traces for line in trace if "TSM: " in line):
        raise CheckFailed("the backtrace lacks lines of source", details=frames)
    if fault.function == abi.FAULT_LOOP and smoke.config.machine.harts > 1 and len(traces) < 2:
        raise _Missed("no other hart was in the TSM that hung")
    return _functions(found)


def _split(frames: Sequence[str]) -> list[list[str]]:
    """Return the frames of each hart."""
    traces: list[list[str]] = []
    for line in frames:
        if line.startswith("#0 ") or not traces:
            traces.append([])
        traces[-1].append(line)
    return traces


def _functions(trace: Sequence[str]) -> list[str]:
    named = [line.partition("TSM: ")[2] for line in trace if "TSM: " in line]
    # The compiler gives parts of a function names of their own: fault_stack.part.0
    return [name.partition("+")[0].split(".")[0] for name in named]


def _missing(trace: Sequence[str], calls: Sequence[str]) -> Sequence[str]:
    """Return the rest of the calls, from the first on that the trace does not have in order."""
    for name in _functions(trace):
        if calls and name == calls[0]:
            calls = calls[1:]
    return calls


def _answers_of_the_dead(host: Host, harts: int) -> CallResult:
    """Check what the calls got that were under way; return the one that brought death about."""
    caller = _answer(host, "/tmp/caller")
    others = [_answer(host, "/tmp/other")] if harts > 1 else []
    for result in (caller, *others):
        if result.error != abi.Error.FAILED:
            raise CheckFailed(
                f"a call during the death of the TSM answers {result.error_name}, not FAILED"
            )
    return caller


def _answer(host: Host, file: str) -> CallResult:
    output = host.shell.run(f"cat {file}").output
    answers = parse_answer(output).objects
    if len(answers) != 1:
        raise MachineError(f"the call during the TSM's death did not return: `{output.strip()}`")
    return CallResult.from_json(file, answers[0])


def _check_time(smoke: Smoke, fault: Fault, caller: CallResult) -> None:
    """The watchdog waits as long as the host has said."""
    if fault.function != abi.FAULT_LOOP:
        return
    limit = smoke.config.tsm.watchdog_ms
    took = caller.time / _TICKS_PER_MS
    # How late it may be is the deadline of the wait for the death: a busy workstation is slow.
    if took < limit:
        raise CheckFailed(f"the watchdog of {limit} ms has ended the call after {took:.0f} ms")
    smoke.metrics["watchdog_ms"] = took


def _check_events(smoke: Smoke, machine: Machine, fault: Fault) -> None:
    """The event ring has one death, of one hart, with its cause."""
    assert smoke.artefacts is not None
    trace = Recorder(smoke.artefacts, smoke.config.machine.harts).trace(machine.ram)
    kinds = (abi.Event.TSM_FAULT, abi.Event.TSM_HANG, abi.Event.TSM_PANIC)
    deaths = [event for event in trace.events if event.kind in kinds]
    if len(deaths) != 1:
        names = [f"{event.name} on hart {event.hart}" for event in deaths]
        raise CheckFailed(
            f"one hart was to find the TSM's death, the event ring has {len(deaths)}",
            "harts inside a dead TSM have to leave at their next trap (tsmd_trap.c)",
            details=names,
        )
    if fault.causes and deaths[0].value not in fault.causes:
        wanted = " or ".join(map(str, fault.causes))
        raise CheckFailed(f"mcause is {deaths[0].value}, not {wanted}: another fault")


def _host_lives(host: Host, smoke: Smoke, cpus: Sequence[int]) -> None:
    """Every hart runs the host, the TSM stays dead, and its memory stays closed."""
    memory = smoke.config.memory
    for cpu in cpus:
        dead = host.call("covh", "get_tsm_info", memory.pool_base, 48, cpu=cpu)
        if dead.error != abi.Error.FAILED:
            raise CheckFailed(f"COVH of a dead TSM answers {dead.error_name} on hart {cpu}")
        if not host.call("base", "get_spec_version", cpu=cpu).ok:
            raise CheckFailed(f"the firmware does not answer on hart {cpu}")
    if host.call("supd", "get_active_domains").value != 1:
        raise CheckFailed("a dead TSM counts as an active domain")
    if not host.peek(memory.tsm_base).fault:
        raise CheckFailed("the host can read the memory of the dead TSM")
    if host.peek(KERNEL_BASE).fault:
        raise CheckFailed("the host cannot read its own memory any more")
