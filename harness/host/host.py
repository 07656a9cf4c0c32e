# SPDX-License-Identifier: Apache-2.0
"""The host: Linux in HS-mode with covh.ko and the tvm tool, driven through its shell."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import MachineError
from harness.host.results import (
    Access,
    Answer,
    CallResult,
    GuestRun,
    JsonObject,
    parse_answer,
)
from harness.machine.console import CommandResult, Console
from harness.machine.deadline import scaled, slowness
from harness.machine.machine import Machine

_USAGE = 2
_COMMAND_NOT_FOUND = 127
# Beyond the guest's own time: launch and teardown.
_TEARDOWN_S = 10.0


@dataclass(frozen=True, slots=True)
class Host:
    """A booted host.

    `machine` is what it runs on, `shell` runs commands on it.
    """

    machine: Machine
    shell: Console

    def run(self, command: str, timeout: float | None = None) -> CommandResult:
        """Run a command in the host's shell.

        Args:
            command: as it is typed.
            timeout: seconds of silence after which it hangs [default: timeouts.command_s].

        Raises:
            MachineCrash, MachineHang, DeadlineExceeded: it gave no answer.
        """
        return self.shell.run(command, timeout)

    def tvm_json(self, *words: object, timeout: float | None = None) -> Answer:
        """Run the tvm tool with `--json` and return what it prints and its exit status.

        Args:
            words: verb and arguments.
            timeout: seconds of silence after which it hangs.

        Raises:
            MachineError: the tool is not there or refuses its arguments.
        """
        # `release` prints what `run --json` has left to print; it has no such option of its own.
        as_json = () if words[0] == "release" else ("--json",)
        command = shlex.join(["tvm", *map(str, words), *as_json])
        result = self.shell.run(command, timeout)
        answer = parse_answer(result.output, result.status)
        refused = result.status == _USAGE and not answer.objects
        if refused or result.status == _COMMAND_NOT_FOUND:
            raise MachineError(
                f"`{command}` does not work on the host (status {result.status})",
                details=result.output.splitlines()[-5:],
            )
        return answer

    def call(
        self, extension: str, function: str, *args: int, cpu: int | None = None, sdid: int = 1
    ) -> CallResult:
        """Make one raw call from the host kernel.

        Args:
            extension: "covh", "supd", … or a number as text.
            function: by its name in cove.yaml, or a number as text.
            args: a0 onwards.
            cpu: hart to call from, None for any.
            sdid: supervisor domain that a COVH or COVI call is for.
        """
        place: list[object] = [] if cpu is None else ["--cpu", cpu]
        place += [] if sdid == 1 else ["--sdid", sdid]
        answer = self.tvm_json("call", extension, function, *map(hex, args), *place)
        return CallResult.from_json(function, _only(answer, f"tvm call {extension} {function}"))

    def peek(self, address: int, size: int = 8) -> Access:
        """Read physical memory as the host kernel; a fault is an answer."""
        answer = self.tvm_json("peek", hex(address), size)
        return Access.from_json(_only(answer, "tvm peek"), write=False)

    def poke(self, address: int, data: bytes) -> Access:
        """Write physical memory as the host kernel; a fault is an answer."""
        answer = self.tvm_json("poke", hex(address), data.hex())
        return Access.from_json(_only(answer, "tvm poke"), write=True)

    def touch(self, addresses: Sequence[int], data: bytes) -> list[Access]:
        """Read and then write each address, all in one command; one result for each attempt."""
        where = " ".join(map(hex, addresses))
        result = self.shell.run(f"tvm probe {data.hex()} {where}")
        answers = parse_answer(result.output, result.status).objects
        if len(answers) != 2 * len(addresses):
            raise MachineError(
                "the host could not try to read and write memory",
                details=result.output.splitlines()[-5:],
            )
        return [
            Access.from_json(answer, write=bool(index % 2)) for index, answer in enumerate(answers)
        ]

    def run_guest(
        self,
        elf: str,
        *,
        nonce: int = 0,
        hold: str | None = None,
        seconds: float = 60.0,
        sdid: int = 1,
    ) -> GuestRun:
        """Launch a TVM and run it to its end; destroy it too, unless it is held.

        Args:
            elf: path of the guest on the host.
            nonce: the guest's argument.
            hold: name under which the TVM stays until `release`.
            seconds: time the guest has (scaled by the workstation's speed); the tool then ends
                it in order.
            sdid: supervisor domain whose TSM is to have it.
        """
        limit = math.ceil(seconds * slowness())
        words: list[object] = ["run", elf, "--arg", hex(nonce), "--timeout", limit]
        words += ["--hold", hold] if hold else []
        words += ["--sdid", sdid] if sdid != 1 else []
        return _guest_run(self.tvm_json(*words, timeout=seconds + _TEARDOWN_S))

    def release(self, name: str) -> GuestRun:
        """Let a held TVM go: destroy it, reclaim its memory."""
        return _guest_run(self.tvm_json("release", name))

    def put(self, path: str, content: bytes) -> None:
        """Write a file on the host; what arrives is compared with what was sent.

        Args:
            path: on the host, in a folder that exists.
            content: of any size and with any bytes.

        Raises:
            MachineError: the host cannot write it, or has something else in it.
        """
        from harness.host.files import put

        put(self.shell, path, content)

    def get(self, path: str) -> bytes:
        """Return the content of a file on the host, compared with its checksum there.

        Raises:
            MachineError: the host cannot read it, or it did not arrive whole.
        """
        from harness.host.files import get

        return get(self.shell, path)

    def power_off(self, seconds: float) -> None:
        """Switch the machine off and wait until QEMU has ended by itself.

        Raises:
            MachineHang, DeadlineExceeded: it did not.
        """
        self.shell.send("poweroff -f")
        self.machine.wait_off(scaled("power off", seconds))


def _guest_run(answer: Answer) -> GuestRun:
    return GuestRun(answer.objects, answer.messages, answer.status)


def _only(answer: Answer, command: str) -> JsonObject:
    if len(answer.objects) != 1:
        raise MachineError(
            f"`{command}` gave {len(answer.objects)} answers instead of one",
            details=answer.messages[-5:],
        )
    return answer.objects[0]
