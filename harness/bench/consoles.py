# SPDX-License-Identifier: Apache-2.0
"""The command channels against a socket with nothing but a shell behind it, side by side."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import msgspec

from harness.bench.smoke import BARE_WIRING
from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import InfraError
from harness.host.boot import powered, reach_shell
from harness.machine.argv import qemu_argv
from harness.machine.console import Console
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir

OUTPUT_SIZE = 10_000_000
_WAIT_S = 60.0
_CHUNK = 1 << 16
# Commands in one turn, before the other machine has its turn.
_TURN = 20


@dataclass(frozen=True, slots=True)
class ChannelTimes:
    """Seconds of one command through the harness, and of the same typed into the bare socket."""

    ours_s: tuple[float, ...]
    bare_s: tuple[float, ...]


class BareShell:
    """A shell behind a socket, driven by blocking reads and writes and nothing else."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        channel.settimeout(_WAIT_S)

    def connect(self) -> None:
        """Probe until the shell answers."""
        until = time.monotonic() + _WAIT_S
        self._channel.settimeout(0.2)
        while True:
            mark = secrets.token_hex(4)
            self._channel.sendall(b"\nstty -echo; echo UP\\-%s\n" % mark.encode())
            try:
                self._until(b"UP-%s" % mark.encode())
                break
            except TimeoutError:
                if time.monotonic() > until:
                    raise InfraError("the bare machine's shell does not answer") from None
        self._channel.settimeout(_WAIT_S)

    def run(self, command: str) -> int:
        """Run a command and wait for its end; return how many bytes arrived."""
        mark = secrets.token_hex(4)
        self._channel.sendall(f"{command}; echo END\\-{mark}\n".encode())
        return self._until(f"END-{mark}".encode())

    def _until(self, mark: bytes) -> int:
        end, size = b"", 0
        while mark not in end:
            data = self._channel.recv(_CHUNK)
            if not data:
                raise InfraError("the bare machine ended")
            size += len(data)
            end = end[-len(mark) :] + data
        return size


@contextlib.contextmanager
def bare_shell(config: Config, artefacts: Artefacts, folder: Path) -> Iterator[BareShell]:
    """Boot the machine with a plain shell on its channel, and nothing of the harness's on it."""
    words = f"{config.host.cmdline} teecall.agent=off".strip()
    config = msgspec.structs.replace(
        config, host=msgspec.structs.replace(config.host, cmdline=words)
    )
    files = prepare_boot(config, artefacts, RunDir(folder), {})
    ours, theirs = socket.socketpair()
    device = f"socket,fd={theirs.fileno()}"
    port = config.console.mode == "port"
    wiring = replace(BARE_WIRING, shell=device) if port else replace(BARE_WIRING, uart=device)
    process = subprocess.Popen(
        qemu_argv(config, files, wiring),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    try:
        shell = BareShell(ours)
        shell.connect()
        yield shell
    finally:
        process.kill()
        process.wait()
        ours.close()


@contextlib.contextmanager
def both(
    config: Config, artefacts: Artefacts, folder: Path, mode: str
) -> Iterator[tuple[Console, BareShell]]:
    """Boot the machine twice: with the harness on the channel, and bare."""
    console = msgspec.structs.replace(config.console, mode=mode)
    config = msgspec.structs.replace(config, console=console)
    ours, bare = folder / f"{mode}-ours", folder / f"{mode}-bare"
    for place in (ours, bare):
        place.mkdir()
    with (
        bare_shell(config, artefacts, bare) as plain,
        powered(config, artefacts, RunDir(ours)) as machine,
    ):
        yield reach_shell(machine).shell, plain


def round_trips(shell: Console, plain: BareShell, turns: int) -> ChannelTimes:
    """Time a command that does nothing, in turns of twenty on each machine."""
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(turns):
        ours += [_seconds(lambda: shell.run(":")) for _ in range(_TURN)]
        bare += [_seconds(lambda: plain.run(":")) for _ in range(_TURN)]
    return ChannelTimes(tuple(ours), tuple(bare))


def transfers(shell: Console, plain: BareShell, rounds: int) -> ChannelTimes:
    """Time 10 MB of output, in turns.

    Raises:
        InfraError: not every byte arrived.
    """
    command = f"dd if=/dev/zero bs=100000 count={OUTPUT_SIZE // 100_000} 2>/dev/null"
    wanted = bytes(OUTPUT_SIZE)

    def through_harness() -> None:
        if shell.run(command).raw != wanted:
            raise InfraError("10 MB of output did not arrive as they were sent")

    ours, bare = [], []
    for _ in range(rounds):
        ours.append(_seconds(through_harness))
        bare.append(_seconds(lambda: plain.run(command)))
    return ChannelTimes(tuple(ours), tuple(bare))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(times: ChannelTimes) -> tuple[float, float]:
    """Return the medians in seconds: ours, bare."""
    return median(times.ours_s), median(times.bare_s)
