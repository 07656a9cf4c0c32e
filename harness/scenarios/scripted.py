# SPDX-License-Identifier: Apache-2.0
"""Smoke without a dialogue: the host's commands are in its initramfs, and time is instructions.

What somebody types reaches a machine at a moment that no machine repeats. Here nothing is typed:
the first process of the host is a script that runs the commands of the smoke and switches off.
With QEMU's instruction counter as its clock and fixed seeds, the same machine then does the same
thing at the same instruction, each time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from harness.config.schema import Config
from harness.errors import MachineError
from harness.host.boot import powered
from harness.host.results import Access, CallResult, GuestRun, number, parse_answer
from harness.machine.console import CommandResult, settle_serial
from harness.machine.deadline import scaled
from harness.scenarios.payload import GUEST_PATH, PAGE, SECRET_SIZE, make_payload
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, build, sources, tools
from harness.scenarios.sweep_machine import deterministic
from harness.trace.steps import six_steps

SCRIPT = "/teecall-script"
# An instruction takes 2**3 ns, about what the harts of a small board need.
_SHIFT = 3
_HOLD = "smoke"
_PROBE = b"teecall!"
_HEAD = r"""#!/bin/sh
export PATH=/bin HOME=/ TERM=vt100
printf '%s %s %s defaults 0 0\n' proc /proc proc sysfs /sys sysfs devtmpfs /dev devtmpfs >/etc/fstab
mount -a
dmesg -n 4
[ ! -e /lib/modules/covh.ko ] || insmod /lib/modules/covh.ko
say() { echo "TEEBEGIN-$1"; }
end() { echo; echo "TEECALL-$1 $2"; }
"""
_FRAME = re.compile(r"^TEEBEGIN-(\w+)\n(.*?)\nTEECALL-\1 (\d+)$", re.MULTILINE | re.DOTALL)


@dataclass
class Answers:
    """What the commands of the script have printed, by their names in it."""

    results: dict[str, CommandResult] = field(default_factory=dict)

    def get(self, name: str) -> CommandResult:
        """Return what a command did; Skipped when the script did not come so far."""
        if name not in self.results:
            raise Skipped(f"the host did not come to `{name}`")
        return self.results[name]

    def guest(self, name: str) -> GuestRun:
        """Return what a command of the tvm tool said of a TVM."""
        result = self.get(name)
        answer = parse_answer(result.output, result.status)
        return GuestRun(answer.objects, answer.messages, answer.status)


def commands(smoke: Smoke) -> list[tuple[str, str]]:
    """Return the commands of the script, each with its name."""
    memory = smoke.config.memory
    buffer = memory.pool_base + memory.pool_size - PAGE
    tsm = (memory.tsm_base, memory.tsm_base + memory.tsm_size - PAGE)
    found = [
        (f"tsm{hart}", f"tvm call covh get_tsm_info {buffer:#x} 48 --cpu {hart} --json")
        for hart in range(smoke.config.machine.harts)
    ]
    first, second = smoke.nonce("first"), smoke.nonce("second")
    return [
        *found,
        (
            "launch",
            f"tvm run {GUEST_PATH} --arg {first:#x} --hold {_HOLD} --json | tee /tmp/launch",
        ),
        # The pages of the TVM are where the host has put them, which the launch tells.
        (
            "probe",
            f"tvm probe {_PROBE.hex()} {' '.join(map(hex, tsm))}"
            " $(grep -o '\"pa\":[0-9]*' /tmp/launch | cut -d: -f2)",
        ),
        ("release", f"tvm release {_HOLD}"),
        ("relaunch", f"tvm run {GUEST_PATH} --arg {second:#x} --json"),
    ]


def script(lines: Sequence[tuple[str, str]]) -> bytes:
    """Return the script: the commands, each in a frame, and the end of the machine."""
    body = [f"say {name}; {{ {line}; }} 2>&1; end {name} $?" for name, line in lines]
    return "\n".join([_HEAD, *body, "poweroff -f", ""]).encode()


def parse(uart: bytes) -> dict[str, CommandResult]:
    """Return what the commands have printed on the UART, without the kernel's messages."""
    text, rest = settle_serial(uart)
    lines = (text + rest).decode(errors="replace")
    return {
        name: CommandResult(name, int(status), out) for name, out, status in _FRAME.findall(lines)
    }


def scripted_config(config: Config) -> Config:
    """Return the machine with the script as its first process and a clock of instructions."""
    told = deterministic(config, _SHIFT)
    cmdline = f"{config.host.cmdline} rdinit={SCRIPT}".strip()
    return msgspec.structs.replace(told, host=msgspec.structs.replace(config.host, cmdline=cmdline))


def run(smoke: Smoke) -> str:
    """Boot, let the script run to its end, and keep what it printed."""
    artefacts = smoke.artefacts
    if artefacts is None:
        raise Skipped("nothing was built")
    from harness.trace.record import Recorder

    smoke.payload = make_payload(artefacts.hello_elf, smoke.derived("secret", SECRET_SIZE))
    files = {GUEST_PATH: smoke.payload.file, SCRIPT: script(commands(smoke))}
    started = time.monotonic()
    config = scripted_config(smoke.config)
    machine = smoke.stack.enter_context(
        powered(config, artefacts, smoke.run, files, rng_seed=smoke.derived("rng", 32))
    )
    smoke.machine = machine
    smoke.recorder = Recorder(artefacts, config.machine.harts)
    smoke.on_power(machine)
    try:
        machine.wait_off(scaled("the script", config.timeouts.boot_s))
    finally:
        smoke.answers.results = parse(machine.uart.read(0))
    smoke.metrics["run_s"] = time.monotonic() - started
    names = [name for name, _ in commands(smoke)]
    missing = [name for name in names if name not in smoke.answers.results]
    if missing:
        raise MachineError(f"the host's script did not come to `{missing[0]}`", "see uart.log")
    return f"{len(names)} commands ran, QEMU ended by itself with status 0"


def tsm(smoke: Smoke) -> str:
    """Check that the TSM answers on every hart, and changes no register but a0 and a1."""
    harts = smoke.config.machine.harts
    for hart in range(harts):
        objects = smoke.answers.guest(f"tsm{hart}").events
        call = CallResult.from_json("get_tsm_info", objects[0]) if objects else None
        if call is None or not call.ok:
            raise CheckFailed(
                f"get_tsm_info on hart {hart}: {call.error_name if call else 'no answer'}",
                "see uart.log, tsm.log",
            )
        if call.changed_gprs:
            raise CheckFailed(
                f"get_tsm_info on hart {hart} changed {', '.join(call.changed_names)}"
            )
    return f"answers on {harts} harts"


def launch(smoke: Smoke) -> str:
    """Compare what the guest says and what was measured with what they must be."""
    from harness.scenarios.smoke_checks import check_answer

    guest = smoke.answers.guest("launch")
    return check_answer(guest, smoke.need_payload(), smoke.nonce("first"))


def steps(smoke: Smoke) -> str:
    """Prove the six steps from the event ring."""
    machine, recorder = smoke.machine, smoke.need_recorder()
    if machine is None:
        raise Skipped("there was no machine")
    proof = six_steps(recorder.trace(machine.ram).events)
    if not proof.proved:
        raise CheckFailed(f"step {proof.missing}", "see events.json", details=proof.evidence)
    return f"1-6 in order on hart {proof.hart}"


def isolation(smoke: Smoke) -> str:
    """Check that every access of the host to the TSM and the TVM faulted."""
    pages = smoke.answers.guest("launch").pages
    answers = smoke.answers.guest("probe").events
    accesses = [Access.from_json(one, write=bool(index % 2)) for index, one in enumerate(answers)]
    tried = {access.address for access in accesses}
    if not pages or not set(pages.values()) <= tried:
        raise CheckFailed("the host did not try every page of the TVM", "see uart.log")
    for access in accesses:
        if not access.fault:
            verb = "write" if access.write else "read"
            raise CheckFailed(f"the host can {verb} {access.address:#x}: the PMP does not close it")
    return f"{len(tried)} places of TSM and TVM: every read and write faults"


def teardown(smoke: Smoke) -> str:
    """Check that the first TVM is gone and its memory came back empty."""
    return _torn_down(smoke.answers.guest("launch"), smoke.answers.guest("release"))


def relaunch(smoke: Smoke) -> str:
    """Check the second guest, in the memory that came back, and that the TSM holds nothing."""
    from harness.scenarios.smoke_checks import check_answer

    guest = smoke.answers.guest("relaunch")
    check_answer(guest, smoke.need_payload(), smoke.nonce("second"))
    detail = _torn_down(guest, guest)
    assert smoke.machine is not None
    left = smoke.need_recorder().stats(smoke.machine.ram)
    if left.tvms or left.vcpus:
        raise CheckFailed(
            f"the TSM still holds {left.tvms} TVMs, {left.vcpus} vCPUs", "see tsm.log"
        )
    return f"another nonce answered, {detail}"


def _torn_down(launched: GuestRun, end: GuestRun) -> str:
    destroy, gone = end.first("destroy"), end.first("gone")
    if destroy is None or number(destroy, "error"):
        raise CheckFailed(f"the TVM was not destroyed: {end.error or 'see uart.log'}")
    if gone is None or not number(gone, "error"):
        raise CheckFailed("run_tvm_vcpu of the destroyed TVM is not refused")
    if any(number(part, "error") or number(part, "nonzero_bytes") for part in end.all("reclaim")):
        raise CheckFailed("pages of the TVM did not come back, or not empty", "see uart.log")
    pages = sum(number(part, "pages") for part in end.all("reclaim"))
    converted = sum(len(part) // PAGE for part in launched.pool)
    if not pages or pages != converted:
        raise CheckFailed(f"{pages} of {converted} converted pages were reclaimed")
    return f"destroyed, {pages} pages reclaimed, all zero"


STEPS: tuple[Step[Smoke], ...] = tuple(
    Step(check.__name__, check)
    for check in (*(tools, sources, build, run, tsm, launch, steps, isolation, teardown, relaunch),)
)
