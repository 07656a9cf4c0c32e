# SPDX-License-Identifier: Apache-2.0
"""The guest `beside.elf` in both worlds: how it is started, told to end, and what it reports."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from harness.errors import MachineError
from harness.host.host import Host
from harness.host.results import GuestRun, number, parse_answer
from harness.machine.deadline import slowness
from harness.scenarios.runner import CheckFailed

IMAGE = "/payload/beside.elf"
_RESULT = re.compile(
    r"beside: world=(\d+) rounds=(\d+) timers=(\d+) spurious=\d+ vlen=(\d+) (ok|bad .*)"
)
_HART = re.compile(r"^hart\s*:\s*(\d+)", re.MULTILINE)
_STARTED = "beside: start"
_VMID = range(44, 58)
# A healthy guest ends within milliseconds once it is told to.
_LAST_ROUND_S = 4.0


@dataclass(frozen=True, slots=True)
class Health:
    """What a guest says at its end: rounds gone through, bits of its vector registers."""

    rounds: int
    vlen: int


def argument(seed: int, world: int, rounds: int) -> int:
    """Return the guest's argument: `rounds` 0 runs until it is told to end."""
    return (seed & 0xFFFFFFFF) << 32 | rounds << 8 | world


def harts_of_cpus(host: Host) -> list[int]:
    """Return the hart of each of Linux' CPUs: CPU 0 is the one that OpenSBI has booted on.

    Raises:
        MachineError: /proc/cpuinfo does not say it.
    """
    text = host.shell.run("cat /proc/cpuinfo").output
    found = [int(value) for value in _HART.findall(text)]
    if not found:
        raise MachineError("/proc/cpuinfo of the host has no line `hart`", details=[text[:200]])
    return found


def vmid_of(hgatp: int) -> int:
    """Return the VMID field of a value of hgatp (RV64, bits 44 to 57)."""
    return hgatp >> _VMID.start & (1 << len(_VMID)) - 1


def check_health(who: str, run: GuestRun) -> Health:
    """Check that a guest has found everything as it had left it, and ended by itself.

    Raises:
        CheckFailed: names the first thing that was not.
    """
    result = next(filter(None, map(_RESULT.fullmatch, run.lines)), None)
    if result is None:
        end = run.first("exit") or {}
        why = run.error or f"it ended by {end.get('reason', 'nothing')}"
        said = [line for line in run.lines if line.strip(".")]
        raise CheckFailed(
            f"{who} gave no result: {why}; it does not run as it should",
            "see uart.log and tsm.log",
            details=[*said[-3:], *run.messages[-3:]],
        )
    rounds, timers, vlen, verdict = int(result[2]), int(result[3]), int(result[4]), result[5]
    if verdict != "ok":
        raise CheckFailed(
            f"{who} lost its state in round {rounds}: {verdict}",
            "something of the other world was left on its hart, or its own was not restored",
        )
    if timers not in (0, rounds):
        raise CheckFailed(f"{who} got {timers} timer interrupts in {rounds} rounds")
    if run.error or run.status:
        raise CheckFailed(f"{who}: {run.trouble or f'the tool ended with {run.status}'}")
    return Health(rounds, vlen)


class Background:
    """A guest that runs in the background of the host's shell.

    Args:
        host: where.
        name: of the guest; a word that is free on this host.
        fd: number of a file descriptor of the shell that nothing uses, 3 to 9.
    """

    def __init__(self, host: Host, name: str, fd: int) -> None:
        self._host = host
        self._name = name
        self._fd = fd
        self._text = ""

    def start(self, command: str) -> None:
        """Start the tool and wait until the guest has said its first line.

        Raises:
            MachineError: it ended before that.
        """
        pipe = f"/tmp/{self._name}"
        self._shell(
            f"mkfifo {pipe} && {{ {command} >{pipe} & {self._name}=$!; exec {self._fd}<{pipe}; }}"
        )
        self._text = self._shell(
            f"while read -r line <&{self._fd}; do echo $line; "
            f'case $line in *"{_STARTED}"*) break;; esac; done'
        )
        if _STARTED not in self._text:
            raise MachineError(f"`{command}` did not start its guest", details=[self._text])

    @property
    def runs(self) -> bool:
        """True while the tool is there."""
        return self._host.shell.run(f"kill -0 ${self._name} 2>/dev/null").ok

    def finish(self, *, ask: bool = True) -> GuestRun:
        """Return the guest's report.

        Args:
            ask: tell it to end, and stop one that does not hear; else it ends by itself.
        """
        seconds = math.ceil(_LAST_ROUND_S * slowness())
        end = (
            f"kill -USR1 ${self._name} 2>/dev/null; "
            f"while read -t {seconds} -r line <&{self._fd}; do echo $line; done; "
            f"kill -TERM ${self._name} 2>/dev/null; "
        )
        rest = self._host.shell.run(
            f"{end if ask else ''}cat <&{self._fd}; exec {self._fd}<&-; "
            f"rm /tmp/{self._name}; wait ${self._name}"
        )
        answer = parse_answer(f"{self._text}\n{rest.output}", rest.status)
        return GuestRun(answer.objects, answer.messages, answer.status)

    def _shell(self, command: str) -> str:
        result = self._host.shell.run(command)
        if not result.ok:
            raise MachineError(
                f"`{command}` failed on the host", details=result.output.splitlines()[-3:]
            )
        return result.output


def run_calls(run: GuestRun) -> int:
    """Return how many run_tvm_vcpu calls the tool has made for a TVM."""
    end = run.first("exit") or {}
    return number(end, "exits") + number(end, "interrupts")


def host_vmid(run: GuestRun) -> int:
    """Return the VMID that the host's hgatp had before the last run of a TVM."""
    return vmid_of(number(run.first("exit") or {}, "hgatp"))
