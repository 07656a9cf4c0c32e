# SPDX-License-Identifier: Apache-2.0
"""Consoles: the marker protocol between kernel messages, deadlines, lines that mean death."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.errors import DeadlineExceeded, MachineCrash, MachineHang, UsageError
from harness.machine.console import Console, settle_serial
from harness.machine.deadline import Deadline, scaled
from harness.machine.deaths import DeathWatch, clean, find_death
from harness.machine.streams import Drain, Stream

LOGS = Path(__file__).parent / "logs"
KERNEL = b"[    1.072613] kernel: says something\r\n"


class FakeLife:
    """A machine that lives until a test kills it."""

    def __init__(self) -> None:
        self.drain: Drain | None = None
        self.error: Exception | None = None

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def check_awake(self) -> None:
        self.check()

    def said(self) -> int:
        return self.drain.total if self.drain is not None else 0


Answer = Callable[[bytes], bytes]


class Guest:
    """The far end of a console: answers each line by a function of the test."""

    def __init__(self, serial: bool) -> None:
        self.near, self.far = socket.socketpair()
        self.life = FakeLife()
        self.drain = self.life.drain = Drain()
        self.stream: Stream = self.drain.add("console", self.near)
        self.drain.start()
        self.console = Console(self.stream, self.life, serial=serial, command_s=5.0)

    def serve(self, answer: Answer) -> None:
        def run() -> None:
            with contextlib.suppress(OSError), self.far.makefile("rb") as lines:
                for line in lines:
                    self.far.sendall(answer(line))

        threading.Thread(target=run, daemon=True).start()

    def close(self) -> None:
        self.far.shutdown(socket.SHUT_RDWR)
        self.drain.finish()
        self.near.close()
        self.far.close()


@pytest.fixture(params=[False, True], ids=["port", "serial"])
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    made = Guest(serial=request.param)
    yield made
    made.close()


@pytest.fixture
def serial() -> Iterator[Guest]:
    made = Guest(serial=True)
    yield made
    made.close()


def shell(line: bytes) -> bytes:
    """Run a line in a real shell, as the guest's sh does."""
    return subprocess.run(["sh", "-c", line], capture_output=True, check=False).stdout


def noisy(line: bytes) -> bytes:
    """The same on a UART: carriage returns, and the kernel in the middle of everything."""
    output = shell(line).replace(b"\n", b"\r\n")
    half = len(output) // 2
    marker = output.rfind(b"TEECALL-") + 12
    return KERNEL + output[:half] + KERNEL + output[half:marker] + KERNEL + output[marker:] + KERNEL


def test_output_and_status_are_exact(guest: Guest) -> None:
    guest.serve(shell)
    result = guest.console.run("echo one; echo two >&2; printf three; (exit 3)")
    assert (result.status, result.output) == (3, "one\ntwo\nthree")
    assert not result.ok


def test_commands_follow_each_other(guest: Guest) -> None:
    guest.serve(shell)
    assert [guest.console.run(f"echo {n}").output for n in range(5)] == [f"{n}\n" for n in range(5)]


def test_kernel_messages_are_no_output(serial: Guest) -> None:
    serial.serve(noisy)
    result = serial.console.run("echo abc; echo def; echo ghi")
    assert (result.status, result.output) == (0, "abc\ndef\nghi\n")


def test_large_output_is_complete(guest: Guest) -> None:
    guest.serve(shell)
    result = guest.console.run("seq 1 100000")
    assert result.output == "".join(f"{n}\n" for n in range(1, 100001))


def test_output_that_looks_like_a_marker_is_output(guest: Guest) -> None:
    guest.serve(shell)
    assert guest.console.run("echo 'TEECALL-00000000 7'").output == "TEECALL-00000000 7\n"


def test_bytes_that_are_no_text_do_not_break_it(guest: Guest) -> None:
    guest.serve(shell)
    assert guest.console.run("printf '\\377\\376ok'").output.endswith("ok")


def test_echoed_command_is_not_taken_for_the_answer(serial: Guest) -> None:
    serial.serve(lambda line: line + noisy(line))
    assert serial.console.run("echo x").output == "x\n"


def test_connect_goes_on_until_the_shell_listens(guest: Guest) -> None:
    """What is sent first is lost, as on a UART that nobody has opened."""
    lines: list[bytes] = []

    def deaf_at_first(line: bytes) -> bytes:
        lines.append(line)
        if line.startswith(b"stty") or len(lines) < 4:
            return b"teecall: host ready\r\n"
        return shell(line)

    guest.serve(deaf_at_first)
    guest.far.sendall(b"teecall: host ready\r\n")
    guest.console.connect(Deadline("boot", 20.0, 20.0))
    assert len(lines) >= 4


def test_silence_hangs(guest: Guest) -> None:
    guest.serve(lambda line: b"")
    with pytest.raises(MachineHang, match="no sign of life"):
        guest.console.run("true", timeout=0.1)


def test_endless_talk_is_a_timeout_not_a_hang(guest: Guest) -> None:
    def talk(line: bytes) -> bytes:
        # Until the test closes the console: a crowded workstation extends the deadline.
        while True:
            guest.far.sendall(b"still here\n")
            time.sleep(0.02)

    guest.serve(talk)
    with pytest.raises(DeadlineExceeded, match="alive"):
        guest.console.run("true", timeout=0.25)


def test_death_ends_the_wait_at_once(guest: Guest) -> None:
    guest.serve(lambda line: b"")

    def die() -> None:
        time.sleep(0.1)
        guest.life.error = MachineCrash("kernel panic: it says why")
        guest.far.sendall(b"x")

    threading.Thread(target=die).start()
    started = time.monotonic()
    with pytest.raises(MachineCrash, match="kernel panic"):
        guest.console.run("true", timeout=30)
    assert time.monotonic() - started < 5


def test_closed_console_is_a_crash(guest: Guest) -> None:
    guest.far.shutdown(socket.SHUT_RDWR)
    with pytest.raises(MachineCrash, match="closed"):
        guest.console.run("true", timeout=5)


@pytest.mark.parametrize("command", ["x" * 5000, "two\nlines"])
def test_what_is_no_line_is_refused(guest: Guest, command: str) -> None:
    with pytest.raises(UsageError):
        guest.console.run(command)


def settled(data: bytes, sizes: int) -> bytes:
    """What comes out when `data` arrives in pieces of `sizes` bytes."""
    text, rest = b"", b""
    for at in range(0, len(data), sizes):
        piece, rest = settle_serial(rest + data[at : at + sizes])
        text += piece
    return text + rest


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_kernel_messages_are_found_in_pieces(size: int) -> None:
    data = b"ab" + KERNEL + b"cd\r\n[not kernel] [1] \x1b[6n$ " + KERNEL + b"[    2.5] ef\r\n"
    assert settled(data, size) == b"abcd\n[not kernel] [1] $ [    2.5] ef\n"


def test_deadline_moves_with_progress_but_not_for_ever() -> None:
    now = [0.0]
    deadline = Deadline("step", 1.0, 3.0, clock=lambda: now[0])
    for step in range(1, 4):
        now[0] = step * 0.9
        deadline.progress(step)
        deadline.check()
    assert deadline.remaining() == pytest.approx(0.3)
    now[0] = 3.1
    with pytest.raises(DeadlineExceeded):
        deadline.check()


def test_the_same_count_is_no_progress() -> None:
    now = [0.0]
    deadline = Deadline("step", 1.0, 9.0, clock=lambda: now[0])
    deadline.progress(5)
    now[0] = 1.1
    deadline.progress(5)
    assert deadline.remaining() == 0
    with pytest.raises(MachineHang):
        deadline.check()


def test_scaled_limits_are_never_shorter() -> None:
    assert scaled("x", 2.0).stall_s >= 2.0


DEATHS = {
    "sbi_trap_error: hart0: trap0: load fault handler failed (error -2)": "OpenSBI trap",
    "sbi_trap_error: hart1: illegal instruction handler failed (error -2)": "OpenSBI trap",
    "init_coldboot: ipi init failed (error -3)": "OpenSBI initialisation failed",
    "tsmd: TSM domain dead: SDID 1, hart 1: fault": "TSM domain dead",
    "tsmd: TSM panic: page state": "TSM domain dead",
    "[    0.718220] Kernel panic - not syncing: sysrq triggered crash": "kernel panic",
    "[    1.000000] Unable to handle kernel NULL pointer dereference": "kernel oops",
    "[    1.000000][   T42] Oops [#1]": "kernel oops",
    "[    1.000000] kernel BUG at mm/slub.c:123!": "kernel BUG",
    "[    1.000000] BUG: scheduling while atomic: sh/42": "kernel BUG",
    "[   22.000000] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!": "kernel stall",
    "[   21.000000] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:": "kernel stall",
    "[  242.000000] INFO: task sh:42 blocked for more than 120 seconds.": "kernel stall",
}


@pytest.mark.parametrize(("line", "kind"), DEATHS.items())
def test_death_is_recognised(line: str, kind: str) -> None:
    death = find_death(b"before\r\n" + line.encode() + b"\r\nafter\r\n")
    assert death is not None
    assert (death.kind, death.line) == (kind, line)


@pytest.mark.parametrize(
    "line",
    [
        "tsmd: TSM domain: SDID 1, image 0x8f000000-0x8fffffff, pool 0x90000000-0x9fffffff",
        "tsmd: TSM domain ready: SDID 1, entry 0x8f000044",
        "[    0.597931] kvm [1]: hypervisor extension available",
        "echo Kernel panic - not syncing",
        "Domain0 Name              : root",
    ],
)
def test_life_is_not_taken_for_death(line: str) -> None:
    assert find_death(line.encode() + b"\n") is None


def test_recorded_panic_is_found_line_by_line() -> None:
    watch = DeathWatch()
    log = (LOGS / "kernel-panic.uart.log").read_bytes()
    for end in range(0, len(log), 37):
        if watch.feed(log[watch.position : end]):
            break
    assert watch.death is not None
    assert watch.death.kind == "kernel panic"
    assert re.search("sysrq triggered crash$", watch.death.line)


def test_half_a_line_waits() -> None:
    watch = DeathWatch()
    assert watch.feed(b"[    1.0] Kernel pa") is None
    assert watch.position == 0


def test_clean_takes_terminal_noise_away() -> None:
    assert clean(b"\x1b[6n~ # \x1b[Jls\r\n\x07\x00") == b"~ # ls\n"
