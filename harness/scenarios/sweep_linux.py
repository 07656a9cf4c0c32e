# SPDX-License-Identifier: Apache-2.0
"""Linux beside a TVM that never ends: its tick and its devices live on.

The TVM is on hart 0, and hart 0 gets the devices' interrupts, so that each of them has to end a
run of it. Time is the instructions executed, as in the sweep: a busy workstation delays nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence

from harness.abi import Event as Kind
from harness.errors import MachineError
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.machine.bare import wait_line
from harness.machine.deadline import scaled
from harness.machine.rundir import RunDir
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke
from harness.scenarios.sweep_machine import deterministic
from harness.trace.record import Recorder
from harness.trace.ring import TIMEBASE_HZ, Event, merge

_SHIFT = 3
_SPIN = "/tmp/spin.json"
_SPIN_PID = f"{_SPIN}.pid"
# CONFIG_HZ of guest-images/host/kernel.config.
_TICK = TIMEBASE_HZ // 250
# From the timer's due time to the end of a run: the TSM leaves the TVM within it.
_LATE = TIMEBASE_HZ // 10_000
# Two readings of the uptime, in 1/100 s, may say 1/100 s too much: two ticks and a half; and the
# first tick may come just before the time that is measured.
_MISCOUNTED = 4
_NUMBERS = 20_000
_UART_LINES = 300
_INTERRUPT = 1 << 63
_TIMER, _EXTERNAL = 5, 9
_TIMER_LINE = "riscv-timer"
# One command: between two of them the guest's time goes on for as long as the workstation is busy
# elsewhere. The uptimes are read within the counts, so that each tick between them is counted.
_COUNT = "cat /proc/interrupts /proc/uptime; usleep 400000; cat /proc/uptime /proc/interrupts"
_UPTIME = re.compile(r"^(\d+\.\d+) \d+\.\d+$", re.MULTILINE)


def linux(smoke: Smoke) -> str:
    """Boot Linux and launch a TVM without end on hart 0, which has all device interrupts."""
    if smoke.artefacts is None or smoke.builder is None:
        raise Skipped("nothing was built")
    if smoke.sweep is None or smoke.sweep.wrong:
        raise Skipped("the sweep has not passed")
    if smoke.config.machine.harts < 2:
        return "this machine has no hart for the shell beside the TVM"
    artefacts = smoke.builder.run().artefacts
    folder = smoke.run.path / "linux"
    folder.mkdir()
    config = deterministic(smoke.config, _SHIFT, console=smoke.config.console.mode)
    machine = smoke.stack.enter_context(powered(config, artefacts, RunDir(folder)))
    smoke.machine, smoke.artefacts = machine, artefacts
    smoke.recorder = Recorder(artefacts, config.machine.harts)
    smoke.on_power(machine)
    smoke.host = reach_shell(machine)
    _must(smoke.host, "taskset -p 2 $$ >/dev/null")
    moved = _must(
        smoke.host,
        "for i in /proc/irq/*/smp_affinity; do echo 1 2>/dev/null >$i && echo $i; done; true",
    )
    _must(
        smoke.host,
        f"taskset 1 tvm run /payload/spin.elf --json >{_SPIN} & echo $! >{_SPIN_PID};"
        f" until grep -q 'spin: start' {_SPIN}; do usleep 10000; done",
    )
    return f"a spinning TVM on hart 0, {len(moved.split())} device interrupts go there"


def devices(smoke: Smoke) -> str:
    """Move data over virtio and UART, whose interrupts have to end runs of the TVM."""
    host = smoke.need_host()
    before = _interrupts(host)
    numbers = "".join(f"{number}\n" for number in range(1, _NUMBERS + 1))
    if _must(host, f"seq 1 {_NUMBERS}") != numbers:
        raise CheckFailed("output of a command is not complete", "see shell.log")
    text = hashlib.sha512(smoke.seed).hexdigest() * 24
    if _must(host, f"printf %s {text} | sha256sum").split()[0] != _digest(text):
        raise CheckFailed("input of a command did not arrive as it was sent", "see shell.log")
    uart = _uart(smoke, host) if smoke.config.console.mode == "port" else 0
    after = _interrupts(host)
    grown = {name: after[name] - count for name, count in before.items() if after[name] > count}
    wanted = ["virtio", "ttyS0"] if uart else ["ttyS0"]
    for name in wanted:
        if not any(name in line for line in grown):
            raise CheckFailed(
                f"no interrupt of {name} came to hart 0", details=[str(before), str(after)]
            )
    shown = ", ".join(
        f"{count} of {line}" for line, count in grown.items() if any(n in line for n in wanted)
    )
    return f"{len(numbers) + len(text)} bytes by commands, {uart} by UART, none lost; {shown}"


def tick(smoke: Smoke) -> str:
    """Check that no run of the TVM outlasted a tick, and that the host's tick came through."""
    host = smoke.need_host()
    _, causes = runs_of(_events_of_hart_0(smoke))
    if not causes.get(_EXTERNAL):
        raise CheckFailed(f"interrupts that ended runs of the TVM: {dict(causes)}", "see tsm.log")
    # The emulator runs one hart after the other: only alone is hart 0 never late by another's turn.
    for hart in range(1, smoke.config.machine.harts):
        _must(host, f"echo 0 >/sys/devices/system/cpu/cpu{hart}/online")
    alone = max((event.time for event in _events_of_hart_0(smoke)), default=0)
    ticks, seconds = counted(_must(host, _COUNT))
    lengths, causes = runs_of([one for one in _events_of_hart_0(smoke) if one.time > alone])
    _end_spin(host)
    check_ticks(lengths, ticks, seconds)
    smoke.metrics["longest_tvm_run_s"] = lengths[-1] / TIMEBASE_HZ
    return (
        f"{ticks} ticks in {seconds:.2f} s with hart 0 alone; none of {len(lengths)}"
        f" runs of the TVM took more than {lengths[-1] / TIMEBASE_HZ * 1e3:.3f} ms;"
        f" {causes.get(_TIMER, 0)} ended by the timer"
    )


def counted(output: str) -> tuple[int, float]:
    """Return hart 0's timer interrupts between two readings, and seconds of the guest in them.

    Args:
        output: /proc/interrupts, /proc/uptime, and both in the other order.

    Raises:
        MachineError: something else was printed.
    """
    ends = list(_UPTIME.finditer(output))
    if len(ends) != 2:
        raise MachineError("the host has not printed its uptime twice", "see shell.log")
    first, last = (
        _hart_0(text).get(_TIMER_LINE)
        for text in (output[: ends[0].start()], output[ends[1].end() :])
    )
    if first is None or last is None:
        raise MachineError(f"/proc/interrupts has no {_TIMER_LINE}", "see shell.log")
    return last - first, float(ends[1][1]) - float(ends[0][1])


def check_ticks(lengths: Sequence[int], ticks: int, seconds: float) -> None:
    """Check that each tick ended the run it fell into, and that none was left out.

    A run begins behind a tick, so that one that is not longer than a tick and what it takes to
    leave the TVM was ended by the next one in time.

    Args:
        lengths: of a TVM's runs, in CSR time, shortest first.
        ticks: timer interrupts of the host meanwhile.
        seconds: how long that was.

    Raises:
        CheckFailed: a run was longer, or there were fewer ticks than the time has.
    """
    if not lengths:
        raise CheckFailed("the TVM did not run", "see tsm.log")
    if lengths[-1] > _TICK + _LATE:
        raise CheckFailed(
            f"a run of the TVM lasted {lengths[-1] / TIMEBASE_HZ * 1e3:.3f} ms; a tick is 4 ms"
        )
    if ticks < seconds * TIMEBASE_HZ / _TICK - _MISCOUNTED:
        raise CheckFailed(f"hart 0 had {ticks} ticks in {seconds:.2f} s, 250 a second are right")


def _events_of_hart_0(smoke: Smoke) -> list[Event]:
    rings = smoke.need_recorder().rings(smoke.need_host().machine.ram)
    return [event for event in merge(*(ring.events for ring in rings)) if event.hart == 0]


def linux_off(smoke: Smoke) -> str:
    """Switch Linux off; QEMU ends by itself."""
    smoke.need_host().power_off(smoke.config.timeouts.poweroff_s)
    return "QEMU ended by itself with status 0"


def runs_of(events: Sequence[Event]) -> tuple[list[int], Mapping[int, int]]:
    """Return the lengths of a TVM's runs, shortest first, and how many each interrupt ended.

    Args:
        events: of one hart, in order.
    """
    lengths: list[int] = []
    entered = None
    causes: dict[int, int] = {}
    for event in events:
        if event.kind == Kind.GUEST_ENTER:
            entered = event.time
        elif event.kind == Kind.GUEST_EXIT and entered is not None:
            lengths.append(event.time - entered)
            if event.error < 0:
                cause = event.error & (_INTERRUPT - 1)
                causes[cause] = causes.get(cause, 0) + 1
    return sorted(lengths), causes


def _must(host: Host, command: str) -> str:
    result = host.shell.run(command)
    if not result.ok:
        raise MachineError(
            f"`{command}` failed with status {result.status}",
            details=result.output.splitlines()[-5:],
        )
    return result.output


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _interrupts(host: Host) -> dict[str, int]:
    return _hart_0(_must(host, "cat /proc/interrupts"))


def _hart_0(text: str) -> dict[str, int]:
    """Return hart 0's counts of /proc/interrupts by the line's last word."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        match = re.match(r"\s*\S+:\s+(\d+)\s.*?(\S+)\s*$", line)
        if match:
            found[match[2]] = found.get(match[2], 0) + int(match[1])
    return found


def _uart(smoke: Smoke, host: Host) -> int:
    """Write lines on the UART, all of which have to arrive; return their bytes."""
    uart = host.machine.uart
    start, word = uart.end, smoke.seed.hex()
    command = f"i=0; while [ $i -lt {_UART_LINES} ]; do echo {word} $i; i=$((i+1)); done"
    _must(host, f"{{ {command}; }} >/dev/ttyS0; stty -F /dev/ttyS0 sane 2>/dev/null; true")
    last = f"{word} {_UART_LINES - 1}\n".encode()
    with contextlib.suppress(MachineError):
        wait_line(
            host.machine,
            last.rstrip(),
            scaled("lines on the UART", smoke.config.timeouts.command_s),
            start,
        )
    said = uart.read(start).decode(errors="replace").replace("\r", "")
    lines = [line for line in said.splitlines() if line.startswith(word)]
    expected = [f"{word} {number}" for number in range(_UART_LINES)]
    if lines != expected:
        lost = len(set(expected) - set(lines))
        raise CheckFailed(f"{lost} of {_UART_LINES} lines on the UART are lost", "see uart.log")
    return sum(len(line) + 1 for line in expected)


def _end_spin(host: Host) -> None:
    """Let the tool end the TVM in order; the host's agent is a `tvm` too."""
    alive = f"kill -0 $(cat {_SPIN_PID}) 2>/dev/null"
    _must(host, f"kill -INT $(cat {_SPIN_PID}) && while {alive}; do usleep 20000; done")


STEPS: tuple[Step[Smoke], ...] = tuple(
    Step(check.__name__, check) for check in (linux, devices, tick, linux_off)
)
