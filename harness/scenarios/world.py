# SPDX-License-Identifier: Apache-2.0
"""One of three worlds that work at once: `work load` on the host, in a KVM guest, in a TVM."""

from __future__ import annotations

import math
import re
import shlex
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.host.results import GuestRun, error_name, number, parse_answer
from harness.machine.deadline import slowness
from harness.scenarios import qemu
from harness.scenarios.linux_tvm import INITRD, KERNEL, device_of, release_of, words_of
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke

NAMES = ("host", "kvm", "tvm")
WORK = "/bin/work"
_ROUND = re.compile(r"^work: (done )?(\d+) (\d+) ([0-9a-f]{8})$", re.MULTILINE)
_FAILED = re.compile(r"(?:^work: failed: |(?=Kernel panic - ))(.*)$", re.MULTILINE)
_WORDS = 4096
_MASK = (1 << 64) - 1
_OUTPUT = "/tmp/world."
# Between two looks at a log, which QEMU writes.
_LOOK_S = 0.02


def log_of(name: str) -> str:
    """Return the file in the run's folder that a world's console goes to."""
    return f"{name}-console.log"


def results(nonce: int, process: int) -> Iterator[int]:
    """Give the CRC-32 behind each round of a process, from the first one on: see load.c."""
    x, words = (nonce + process + 1) & _MASK, bytearray()
    for _ in range(_WORDS):
        x ^= x << 13 & _MASK
        x ^= x >> 7
        x ^= x << 17 & _MASK
        words += x.to_bytes(8, "little")
    content, crc = bytes(words), 0
    while True:
        crc = zlib.crc32(content, zlib.crc32(content, crc))
        yield crc


@dataclass
class _Process:
    """What a process has said so far, checked."""

    expected: Iterator[int]
    rounds: int = 0
    done: bool = False
    last: int | None = None

    def take(self, done: bool, rounds: int, crc: int) -> bool:
        """Take one line; return whether it is right."""
        self.done = done
        if rounds == self.rounds and done:
            return self.last in (None, crc)
        found = None
        while self.rounds < rounds:
            found = next(self.expected)
            self.rounds += 1
        self.last = found
        return found == crc


@dataclass
class World:
    """A world that works.

    Args:
        smoke: the run.
        name: one of NAMES.
        nonce: what its results depend on.
        processes: how many it has.
        log_start: where its part of the log begins.
    """

    smoke: Smoke
    name: str
    nonce: int
    processes: int
    log_start: int
    _found: dict[int, _Process] = field(default_factory=dict)
    _read: int = 0

    def __post_init__(self) -> None:
        self._found = {
            process: _Process(results(self.nonce, process)) for process in range(self.processes)
        }
        self._read = self.log_start

    def look(self) -> None:
        """Take in and check what the world has said since the last look.

        Raises:
            CheckFailed: a result is wrong.
        """
        content = self.smoke.run.file(log_of(self.name)).read_bytes()
        whole = content.rfind(b"\n", self._read) + 1
        if whole <= self._read:
            return
        new = content[self._read : whole].replace(b"\r", b"")
        self._read = whole
        text = new.decode(errors="replace")
        failed = _FAILED.search(text)
        if failed:
            raise CheckFailed(f"{self.name}: {failed[1]}", f"see {log_of(self.name)}")
        for done, process, rounds, crc in _ROUND.findall(text):
            mine = self._found.get(int(process))
            if mine is None or not mine.take(bool(done), int(rounds), int(crc, 16)):
                raise CheckFailed(
                    f"{self.name}: process {process} has {crc} behind round {rounds}, which is"
                    " wrong",
                    f"see {log_of(self.name)}; the seed tells what is right",
                )

    @property
    def rounds(self) -> int:
        """Rounds of the process that has done the fewest."""
        self.look()
        return min(process.rounds for process in self._found.values())

    def release(self) -> str:
        """Return the release of a guest's kernel, whose banner is on its console.

        Raises:
            CheckFailed: there is no banner, or another kernel's.
        """
        content = self.smoke.run.file(log_of(self.name)).read_bytes()[self.log_start :]
        lines = content.decode(errors="replace").replace("\r", "").splitlines()
        return release_of(lines, self.smoke.files[KERNEL])

    def await_rounds(self, count: int) -> None:
        """Wait until each process has done so many rounds, seen after this call."""
        self._wait(lambda: self.rounds >= count, f"did not get to round {count}")

    def end(self) -> None:
        """End it from outside, in order."""
        if not self._alive():
            raise CheckFailed(f"{self.name} had ended by itself")
        limit = self.smoke.config.timeouts.guest_s
        status = self.smoke.need_host().shell.run(_kill(self.name, "TERM"), limit).status
        if status != self._end_status():
            raise CheckFailed(
                f"{self.name}: SIGTERM ended it with status {status}", f"see {log_of(self.name)}"
            )
        self.look()
        self._check_gone()

    @property
    def used(self) -> int:
        """Bytes from the pool's bottom on that a TVM has had."""
        stops = [part.stop for part in self._run().pool]
        return max(stops) - self.smoke.config.memory.pool_base

    def _end_status(self) -> int:
        """Return its status behind SIGTERM: `work` dies of it, the others clean up."""
        if self.name == "host":
            return 128 + signal.SIGTERM
        if self.name == "kvm" and qemu.is_vmm(self.smoke.config):
            return 0
        # The guest of the `tvm` tool did not get to its end.
        return 1

    def _check_gone(self) -> None:
        for event in self._run().events:
            error = number(event, "error")
            if event.get("event") in ("destroy", "reclaim") and error:
                raise CheckFailed(f"{self.name}: {event['event']}: {error_name(error)}")
            if number(event, "nonzero_bytes"):
                raise CheckFailed(f"{self.name}: reclaimed pages are not zero")

    def _run(self) -> GuestRun:
        text = self.smoke.need_host().get(f"{_OUTPUT}{self.name}").decode(errors="replace")
        answer = parse_answer(text)
        return GuestRun(answer.objects, answer.messages, 0)

    def _alive(self) -> bool:
        text = self.smoke.need_host().shell.run(f"cat /proc/${self.name}/stat 2>/dev/null").output
        return len(text.split()) > 2 and text.split()[2] not in "ZX"

    def _wait(self, reached: Callable[[], bool], why: str) -> None:
        # Three worlds share the harts, and their clocks go on while another one works.
        end = time.monotonic() + 3 * self.smoke.config.timeouts.guest_s * slowness()
        while not reached():
            self.smoke.need_host().machine.check()
            if time.monotonic() > end or not (self._alive() or reached()):
                said = self.smoke.need_host().shell.run(f"tail -n 3 {_OUTPUT}{self.name}").output
                raise CheckFailed(
                    f"{self.name} {why}",
                    f"see {log_of(self.name)}, uart.log",
                    details=said.splitlines(),
                )
            time.sleep(_LOOK_S)


def _kill(name: str, signal_name: str) -> str:
    """Return the command that ends a world and forgets it, with the status that it ended with."""
    # On the host the processes are in a group of their own.
    sign = "-" if name == "host" else ""
    process = f"${name}"
    return (
        f"kill -{signal_name} {sign}{process} 2>/dev/null;"
        f" wait {process}; ended=$?; {name}=; (exit $ended)"
    )


def clear(smoke: Smoke) -> None:
    """Kill the worlds that a failed check has left: what comes next shall not fail for them."""
    for name in NAMES:
        smoke.need_host().shell.run(f'[ -z "${name}" ] || {{ {_kill(name, "KILL")}; }}')


def start(smoke: Smoke, name: str, purpose: str, end_s: int = 0) -> World:
    """Start a world, which works until it is ended.

    Args:
        smoke: the run; its host has the files.
        name: one of NAMES.
        purpose: tells this start from others, for the nonce.
        end_s: after so many seconds it ends by itself; 0: never.
    """
    host = smoke.need_host()
    processes = min(2, smoke.config.machine.harts)
    nonce = smoke.nonce(f"{purpose} {name}")
    device = device_of(smoke, name)
    log_start = smoke.run.file(log_of(name)).stat().st_size
    asked = f"load {nonce:x} {end_s} {processes}"
    if name == "host":
        command = f"setsid {WORK} {asked} 2>{_OUTPUT}host >{device}"
    elif name == "kvm" and qemu.is_vmm(smoke.config):
        command = qemu.command(smoke.config, processes, KERNEL, INITRD)
        command += f" 2>{_OUTPUT}kvm >{device}"
    else:
        seconds = smoke.config.worlds.seconds + 6 * smoke.config.timeouts.guest_s
        limit = math.ceil(seconds * slowness())
        words = [name, *words_of(smoke.config, device, processes, asked)]
        words += ["--timeout", str(limit), "--json"]
        command = f"{shlex.join(words)} >{_OUTPUT}{name} 2>&1"
    host.shell.run(f"{command} & {name}=$!")
    if name == "kvm" and qemu.is_vmm(smoke.config):
        qemu.ask(smoke, asked, smoke.run.file(log_of(name)), log_start, f"{_OUTPUT}kvm")
    return World(smoke, name, nonce, processes, log_start)
