# SPDX-License-Identifier: Apache-2.0
"""gdb on a machine that runs, on one that hangs, and on one that is held after a failure."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.machine.deadline import slowness
from tests.system.conftest import ROOT, teecall
from tests.system.test_failures import edited
from tests.system.test_supervision import qemus_of

SPIN = ("--set", "tvm.payload=${artefact:guests.spin}", "--set", "timeouts.guest_s=20")
LIMIT_S = 150.0
EVENT = re.compile(r" *\d +\d+\.\d  [A-Z_]+")


@contextmanager
def running(run_dir: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A smoke run in the background; it is over when the block ends."""
    run_dir.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "harness", "smoke", "--run-dir", str(run_dir)]
    process = subprocess.Popen(
        [*command, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # What is started in the background of a script ignores ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(what: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < limit, otherwise
        time.sleep(0.02)


def wait_for(text: str, file: Path) -> None:
    """Wait until ``text`` stands in a file."""
    wait_until(
        lambda: file.exists() and text in file.read_text(errors="replace"), f"no {text!r} in {file}"
    )


def newest(screen: str) -> float:
    """Time of the last event that tee-trace has printed."""
    return max(float(line.split()[1]) for line in screen.splitlines() if EVENT.match(line))


def gdb(run_dir: Path, *commands: str) -> str:
    """What gdb prints on the machine of a run for some commands."""
    words = [word for command in commands for word in ("-ex", command)]
    done = teecall("gdb", str(run_dir), "--", "--batch", *words, limit_s=LIMIT_S)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_gdb_on_a_running_machine(tmp_path: Path) -> None:
    # A path longer than a socket's address.
    run_dir = tmp_path / ("long-" * 12) / ("path-" * 12) / "run"
    with running(run_dir, *SPIN) as process:
        wait_for("spin: start", run_dir / "shell.log")
        screen = gdb(
            run_dir,
            "break arch_guest_load",
            "continue",
            "info domains",
            "tee-trace 6",
            "tee-log",
            "backtrace",
            "delete",
            "detach",
        )
        # TSM code was reached by its symbol, and is known to be the TSM domain's.
        where = r"hart \d: TSM domain \(SDID 1\), HS-mode at 0x8f\w+ <arch_guest_load"
        assert re.search(where, screen), screen
        assert "TSM domain (SDID 1): READY, memory 0x8f000000-0x90000000" in screen
        assert re.search(r"confidential: 0x9\w+-0x9\w+ \([1-9]\d* pages\)", screen), screen
        assert re.search(r"#\d .* in \w+ \(.*run/run\.c:\d+", screen), screen
        assert "tsm: ABI" in screen
        assert "GUEST_ENTER" in screen and "6 events kept" in screen
        # The machine went on: there are newer events.
        later = gdb(run_dir, "tee-trace 1", "detach")
        assert newest(later) > newest(screen), later
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert not (run_dir / "gdb.sock").exists()


def test_gdb_on_firmware_that_hangs(tmp_path: Path) -> None:
    tree = edited(
        "firmware/opensbi/tsmd",
        "tsmd_fast.c",
        "\ttsmd_switch_to_tsm(hart);\n",
        '\twhile (host->a7)\n\t\t__asm__ __volatile__("nop");\n\ttsmd_switch_to_tsm(hart);\n',
        tmp_path,
    )
    run_dir = tmp_path / "run"
    settings = ("--set", f"opensbi.overlay=path:{tree}", "--set", "timeouts.command_s=2")
    with running(run_dir, *settings, "--on-failure", "keep") as process:
        wait_for("the firmware reported no death", run_dir / "forensics.txt")
        screen = gdb(run_dir, "info domains", "thread apply all backtrace 3")
        assert re.search(r"hart \d: host domain \(SDID 0\), M-mode at \w+ <tsmd_fast_", screen)
        assert re.search(r"#0 .*tsmd_fast_teecall.*tsmd_fast\.c:\d+", screen), screen
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    assert "HANG" in said and "the machine is held: teecall gdb" in said


def test_a_debugger_stops_the_clock_of_the_run(tmp_path: Path) -> None:
    """A machine that gdb holds for longer than the time limit is not a machine that hangs."""
    run_dir = tmp_path / "run"
    limit_s = 0.5
    with running(run_dir, "--set", f"timeouts.command_s={limit_s}") as process:
        wait_until((run_dir / "gdb.sock").is_socket, "no machine")
        pause = 2 * limit_s * slowness() + 1
        gdb(
            run_dir,
            "break covh_get_tsm_info",
            "continue",
            f"shell sleep {pause:.1f}",
            "delete",
            "detach",
        )
        screen, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, screen


def test_gdb_needs_a_machine(tmp_path: Path) -> None:
    done = teecall("gdb", str(tmp_path))
    assert done.returncode == 2
    assert "has no machine at this moment" in done.stdout


def test_gdb_from_the_first_instruction_of_a_scenario(tmp_path: Path) -> None:
    run_dir, result = tmp_path / "run", tmp_path / "result.json"
    words = (
        "info registers pc",
        # Before the firmware's own code, and before the scenario has said a word to the host.
        "hbreak sbi_init",
        "continue",
        "info domains",
        "delete",
        "hbreak arch_guest_load",
        "continue",
        "tee-trace 3",
        "delete",
        "detach",
    )
    commands = [word for command in words for word in ("-ex", command)]
    run = ("--scenario", "smoke", "--set", "machine.harts=1", "--run-dir", str(run_dir))
    done = teecall("gdb", *run, "--json", str(result), "--", "--batch", *commands, limit_s=LIMIT_S)
    assert done.returncode == 0, done.stdout
    # QEMU's reset vector on the virt machine.
    assert re.search(r"^pc +0x1000\b", done.stdout, re.MULTILINE), done.stdout
    assert "sbi_init (" in done.stdout and "arch_guest_load (" in done.stdout
    assert len(EVENT.findall(done.stdout)) >= 1
    assert re.search(r"^PASS +poweroff", done.stdout, re.MULTILINE), done.stdout
    report = json.loads((run_dir / "run.json").read_text())
    assert report["verdict"] == "PASS" and report["config"]["machine"]["harts"] == 1
    ends = json.loads(result.read_text())
    assert (ends["exit_code"], ends["run_exit_code"]) == (0, 0)


def test_gdb_that_leaves_at_once_lets_the_scenario_run(tmp_path: Path) -> None:
    run = ("--scenario", "audit", "--deterministic", "--run-dir", str(tmp_path / "run"))
    done = teecall("gdb", *run, "--", "--batch", limit_s=LIMIT_S)
    assert done.returncode == 0 and "PASS in" in done.stdout, done.stdout


def test_nothing_is_left_when_gdb_is_killed_before_its_scenario_began(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    command = [sys.executable, "-m", "harness", "gdb", "--scenario", "smoke", "--run-dir"]
    process = subprocess.Popen(
        [*command, str(run_dir), "--", "--batch", "-ex", "shell sleep 100"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until((run_dir / "gdb.sock").is_socket, "no machine")
    finally:
        process.kill()
        process.wait()
    # gdb itself is the terminal's, which would tell it to end.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGHUP)
    wait_until(lambda: not qemus_of(run_dir), "QEMU is left")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--scenario", "no-such"), "no scenario 'no-such'"),
        (("--scenario", "smoke", "--set", "machine.harts=0"), "machine.harts"),
        (("--set", "machine.harts=1"), "add --scenario NAME"),
        (("run", "--scenario", "smoke"), "leave out one of them"),
    ],
)
def test_what_gdb_cannot_start(arguments: tuple[str, ...], says: str, tmp_path: Path) -> None:
    where = ("--run-dir", str(tmp_path / "run")) if "--scenario" in arguments else ()
    done = teecall("gdb", *arguments, *where)
    assert done.returncode == 2 and says in done.stdout, done.stdout


def test_gdb_on_a_boot_that_waits_for_it(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    command = [sys.executable, "-m", "harness", "boot", "--stopped", "--run-dir", str(run_dir)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        wait_until((run_dir / "gdb.sock").is_socket, "no machine")
        screen = gdb(run_dir, "info registers pc", "detach")
        assert re.search(r"^pc +0x1000\b", screen, re.MULTILINE), screen
        said, _ = process.communicate(b"echo answer is $((6 * 7))\n", timeout=LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and b"answer is 42" in said, said
