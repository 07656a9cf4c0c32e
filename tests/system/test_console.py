# SPDX-License-Identifier: Apache-2.0
"""The host's shell on a real machine, over the port and over the UART: nothing is lost."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.build.builder import build_all
from harness.config.load import load
from harness.errors import DeadlineExceeded, MachineError, MachineHang, UsageError
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.machine.rundir import RunDir
from harness.ui import QuietUi

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
COMMANDS = 1000 if NIGHTLY else 300
# What the UART is sent in one command; the port gets 10 MB.
SERIAL_BYTES = 1 << 20
EVERY_BYTE = bytes(range(256))
# Time for what was said to arrive.
NOISE_S = 10.0
# Says a line to the kernel's log as an emergency, which no log level keeps off the UART.
NOISE = (
    "(i=0; while [ $i -lt {n} ]; do echo '<0>noise '$i >/dev/kmsg; i=$((i+1)); done) & "
    "i=0; while [ $i -lt 300 ]; do echo line $i of some output; i=$((i+1)); done; wait"
)


@contextlib.contextmanager
def booted(mode: str, folder: Path, *settings: str, files: dict[str, bytes]) -> Iterator[Host]:
    config = load(sets=[f"console.mode={mode}", *settings]).value
    artefacts = build_all(config, QuietUi(), offline=False)
    with powered(config, artefacts, RunDir(folder), files) as machine:
        yield reach_shell(machine)


@pytest.fixture(scope="module", params=["port", "serial"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """One machine for each mode, whose shell lives through all tests."""
    folder = tmp_path_factory.mktemp(request.param)
    with booted(request.param, folder, files={"/tmp/bytes": EVERY_BYTE}) as host:
        yield host


def test_every_byte_arrives(host: Host) -> None:
    result = host.shell.run("cat /tmp/bytes /tmp/bytes")
    assert (result.status, result.raw) == (0, EVERY_BYTE * 2)


def test_much_output_arrives_whole(host: Host) -> None:
    size = SERIAL_BYTES if host.shell.serial else 10_000_000
    result = host.shell.run(f"yes 'a line of output, one of many' | head -c {size}")
    line = b"a line of output, one of many\n"
    wanted = (line * (size // len(line) + 1))[:size]
    assert hashlib.sha256(result.raw).digest() == hashlib.sha256(wanted).digest()


def test_kernel_messages_in_the_middle(host: Host) -> None:
    result = host.shell.run(NOISE.format(n=200))
    assert result.raw == b"".join(b"line %d of some output\n" % n for n in range(300))
    # The answer may have come by another way than the UART's, and overtaken it.
    uart = host.machine.uart
    with uart.news:
        assert uart.news.wait_for(lambda: b"noise 199" in uart.read(0), NOISE_S), uart.tail(200)


def test_what_looks_like_a_kernel_message_is_output(host: Host) -> None:
    result = host.shell.run("echo '[    0.123456] not the kernel'; printf 'a\\r\\033[1mb\\n'")
    assert result.raw == b"[    0.123456] not the kernel\na\r\x1b[1mb\n"


def test_a_command_may_print_markers(host: Host) -> None:
    text = "TEECALL-00000000 0 0 00000000"
    result = host.shell.run(f"echo; echo {text}; echo TEEBEGIN-00000000; echo; (exit 7)")
    assert (result.status, result.output) == (7, f"\n{text}\nTEEBEGIN-00000000\n\n")


def test_long_commands_of_many_lines(host: Host) -> None:
    words = [f"echo number {n}" for n in range(600)]
    result = host.shell.run("\n".join(words) + "\ncat <<'E'\nhere 'and' \"there\"\nE\n")
    assert result.output.splitlines() == [w[5:] for w in words] + ["here 'and' \"there\""]


def test_the_shell_keeps_its_state_and_outlives_exit(host: Host) -> None:
    host.shell.run("cd /bin; kept=here")
    assert host.shell.run("echo $kept; pwd").output == "here\n/bin\n"
    assert host.shell.run("exit 9").status == 9
    assert host.shell.run("echo again").output == "again\n"
    assert host.shell.run("if then").status == 2
    assert host.shell.run("echo and again").output == "and again\n"


@pytest.mark.parametrize("command", ["sleep 1000", "while :; do :; done", "trap '' INT; sleep 999"])
def test_a_hung_command_is_interrupted(host: Host, command: str) -> None:
    with pytest.raises((MachineHang, DeadlineExceeded), match="command"):
        host.shell.run(command, timeout=0.3)
    assert host.shell.run("echo back").output == "back\n"
    assert "sleep" not in host.shell.run("ps -o comm").output


@pytest.mark.parametrize("verb", ["pool --json", "nonsense", "peek 0x80000000 8 --json"])
def test_tvm_commands_say_the_same_without_a_shell(host: Host, verb: str) -> None:
    # What follows the end of a shell starts none before it has to; the semicolon has to.
    host.shell.run("exit 0")
    direct, shell = host.shell.run(f"tvm {verb}"), host.shell.run(f"tvm {verb};")
    assert (direct.status, direct.raw) == (shell.status, shell.raw)
    assert direct.raw


def test_tvm_commands_mean_what_the_shell_says_once_there_is_one(host: Host) -> None:
    host.shell.run("tvm() { echo mine $*; }")
    assert host.shell.run("tvm pool").output == "mine pool\n"
    host.shell.run("exit 0")
    assert host.shell.run("tvm pool --json").output.startswith("{")


def test_a_command_without_a_shell_is_interrupted(host: Host) -> None:
    host.shell.run("exit 0")
    with pytest.raises(MachineHang):
        host.shell.run("tvm run /payload/spin.elf", timeout=0.5)
    assert host.shell.run("tvm pool --json").status == 0


def test_many_commands(host: Host) -> None:
    started = time.monotonic()
    for n in range(COMMANDS):
        assert host.shell.run(f"echo {n}").output == f"{n}\n"
    assert time.monotonic() - started < 60


def test_without_the_agent_a_plain_shell_answers(tmp_path: Path) -> None:
    with booted("port", tmp_path, "host.cmdline=teecall.agent=off", files={}) as host:
        assert not host.shell.framed
        result = host.shell.run("echo one; echo two >&2; (exit 3)")
        assert (result.status, result.output) == (3, "one\ntwo\n")
        with pytest.raises(UsageError, match="3900 bytes"):
            host.shell.run("echo one\necho two")


def test_logs_are_readable(tmp_path: Path) -> None:
    with booted("port", tmp_path, files={}) as host:
        host.shell.run("echo hello")
    uart = (tmp_path / "uart.txt").read_text().splitlines()
    assert any("Linux version" in line for line in uart)
    times = [int(line.split()[0]) for line in (tmp_path / "consoles.txt").read_text().splitlines()]
    assert times == sorted(times) and times[-1] > 0
    assert any(
        line.endswith("shell  | hello") for line in (tmp_path / "shell.txt").read_text().split("\n")
    )
    # The raw log has every byte, escape sequences and carriage returns too.
    assert b"\r\n" in (tmp_path / "uart.log").read_bytes()


def test_files_arrive_as_they_are(host: Host) -> None:
    content = EVERY_BYTE * (40 if host.shell.serial else 1000)
    host.put("/tmp/it's a file", content)
    assert host.get("/tmp/it's a file") == content
    host.put("/tmp/empty", b"")
    assert host.get("/tmp/empty") == b""
    with pytest.raises(MachineError, match="/nowhere/file"):
        host.put("/nowhere/file", b"x")
    with pytest.raises(MachineError, match="/tmp/none"):
        host.get("/tmp/none")


def test_commands_may_run_on_every_hart(host: Host) -> None:
    harts = host.machine.config.machine.harts
    assert host.shell.run("nproc").output == f"{harts}\n"
    for cpu in range(harts):
        said = host.shell.run(f"tvm call covh get_tsm_info 0x9ffff000 0x30 --cpu {cpu} --json")
        assert said.ok, said.output
