# SPDX-License-Identifier: Apache-2.0
"""Every way to fail has its verdict, its exit status and its evidence."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.build.builder import build_all
from harness.config.load import load
from harness.report.history import open_history
from harness.report.record import load_night
from harness.ui import QuietUi
from tests.system.conftest import ROOT, Smoke, SmokeResult, teecall
from tests.system.test_supervision import qemus_of


def parsed(run: Path, result: SmokeResult, elsewhere: bool = False) -> dict[str, Any]:
    """What `teecall parse` says of a run, which must be what the run itself has said.

    With ``elsewhere``, also of the bare log where no other file of the run is.
    """
    live = json.loads((run / "run.json").read_text())
    images = [word for image in live["images"] for word in ("--elf", image)]
    answer = run.parent / "parsed.json"
    asked: list[tuple[str, ...]] = [("parse", "--json", str(answer), str(run))]
    if elsewhere:
        log = run.parent / "some.log"
        log.write_bytes((run / "uart.log").read_bytes())
        asked.append(("parse", "--json", str(answer), str(log), *images))
    for words in asked:
        done = teecall(*words)
        assert done.returncode == result.status, done.stdout
        (found,) = json.loads(answer.read_text())
        told = {name: found[name] for name in ("verdict", "signature", "title")}
        assert told == {name: live[name] for name in told}, done.stdout
    assert f"signature: {live['signature']}" in result.screen
    assert "repeat: teecall smoke " in result.screen and f"--seed {live['seed']}" in result.screen
    assert f"debug: teecall gdb {run}" in result.screen
    (record,) = load_night(run).runs
    assert (record.signature, record.title) == (live["signature"], live["title"])
    assert open_last()["signature"] == live["signature"]
    return dict(found)


def open_last() -> dict[str, Any]:
    """The newest run in the history."""
    with open_history() as history:
        last = history.runs()[-1]
    return {"signature": last.signature, "verdict": last.verdict}


@pytest.fixture(scope="module")
def guests() -> Path:
    """Folder of the built guests."""
    return build_all(load((), ()).value, QuietUi()).hello_elf.parent


def test_guest_that_never_ends(smoke: Smoke, guests: Path) -> None:
    result = smoke("--set", f"tvm.payload={guests / 'spin.elf'}", "--set", "timeouts.guest_s=1")
    assert result.status == 124, result.screen
    assert result.check("launch")["verdict"] == "TIMEOUT"


def test_wrong_answer(smoke: Smoke, tmp_path: Path) -> None:
    """A guest that answers wrongly is a FAIL, the same one each time."""
    tree = edited("guest-images/tvm", "hello.c", "h ^= h >> 29;", "h ^= h >> 29 ^ !i;", tmp_path)
    found = set()
    for _ in range(2):
        result = smoke("--set", f"tvm.source=path:{tree}", "--run-dir", str(tmp_path / "run"))
        assert result.status == 1, result.screen
        assert result.check("launch")["verdict"] == "FAIL"
        found.add(parsed(tmp_path / "run", result)["signature"])
    assert len(found) == 1 and found.pop().startswith("FAIL tvm check launch: "), result.screen


def test_guest_that_faults(smoke: Smoke, guests: Path) -> None:
    result = smoke("--set", f"tvm.payload={guests / 'fault.elf'}")
    assert result.status == 1, result.screen
    assert result.check("launch")["verdict"] == "FAIL"
    assert "fault" in result.check("launch")["detail"]


def test_kernel_panic(smoke: Smoke, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = smoke("--set", "host.cmdline=rdinit=/none init=/none", "--run-dir", str(run))
    assert result.status == 1, result.screen
    assert result.check("boot")["verdict"] == "CRASH"
    assert "Kernel panic" in result.check("boot")["detail"]
    found = parsed(run, result, elsewhere=True)
    assert found["signature"].startswith("CRASH linux panic: "), found
    # Addresses are resolved with the very kernel that ran.
    assert re.search(r"Linux: \w+\+0x[0-9a-f]+ \(\S+\.[ch]:\d+\)", result.screen), result.screen


def edited(tree: str, file: str, old: str, new: str, folder: Path) -> Path:
    """Copy a firmware tree into ``folder`` and change one place of it."""
    copy = folder / Path(tree).name
    shutil.copytree(ROOT / tree, copy)
    text = (copy / file).read_text()
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new))
    return copy


def test_tsm_that_faults(smoke: Smoke, tmp_path: Path) -> None:
    # A store to the firmware's memory, which the PMP closes to the TSM.
    tree = edited(
        "firmware/tsm",
        "run/run.c",
        "arch_guest_load(",
        "*(volatile char *)0x80000000UL = 1, arch_guest_load(",
        tmp_path,
    )
    result = smoke("--set", f"tsm.source=path:{tree}")
    assert result.status == 1, result.screen
    assert result.check("launch")["verdict"] in ("CRASH", "FAIL")
    assert "TSM" in result.screen
    assert "run/run.c:" in result.screen, result.screen


def test_tsm_that_panics(smoke: Smoke, tmp_path: Path) -> None:
    tree = edited(
        "firmware/tsm",
        "run/run.c",
        "arch_guest_load(",
        'tsm_panic("injected at time %lu", arch_time()), arch_guest_load(',
        tmp_path,
    )
    run = tmp_path / "run"
    assert smoke("--run-dir", str(run)).status == 0
    result = smoke("--set", f"tsm.source=path:{tree}", "--run-dir", str(run))
    assert result.status == 1, result.screen
    assert result.check("launch")["verdict"] == "CRASH"
    found = parsed(run, result, elsewhere=True)
    assert found["signature"] == "CRASH tsm panic: injected at time N"
    assert f"tsm.source: None -> path:{tree}" in result.screen


def test_kernel_oops(smoke: Smoke, tmp_path: Path) -> None:
    tree = edited(
        "guest-images/host",
        "covh/ecall.c",
        "\tframe->in[X_A6] = regs->fid;\n",
        "\tframe->in[X_A6] = regs->fid + *(volatile u64 *)(regs->fid & 0xff);\n",
        tmp_path,
    )
    run = tmp_path / "run"
    result = smoke("--set", f"host.files=path:{tree}", "--run-dir", str(run))
    assert result.status == 1, result.screen
    # A hart registers its shared memory while the driver is loaded.
    assert result.check("boot")["verdict"] == "CRASH"
    found = parsed(run, result, elsewhere=True)
    assert found["signature"].startswith("CRASH linux oops in prepare: "), found
    assert "NULL pointer dereference" in found["signature"]
    assert "covh_ecall" in result.screen


def test_opensbi_that_traps(smoke: Smoke, tmp_path: Path) -> None:
    tree = edited(
        "firmware/opensbi/tsmd",
        "tsmd_fast.c",
        "\ttsmd_switch_to_tsm(hart);\n",
        '\tif (host->a7)\n\t\t__asm__ __volatile__("unimp");\n\ttsmd_switch_to_tsm(hart);\n',
        tmp_path,
    )
    run = tmp_path / "run"
    found = set()
    for _ in range(2):
        result = smoke("--set", f"opensbi.overlay=path:{tree}", "--run-dir", str(run))
        assert result.status == 1, result.screen
        assert result.check("tsm")["verdict"] == "CRASH"
        found.add(parsed(run, result, elsewhere=True)["signature"])
    assert len(found) == 1, found
    assert found.pop().startswith("CRASH opensbi trap in tsmd_fast_teecall: illegal instruction")
    assert re.search(r"where: .*tsmd_fast.c:\d+", result.screen), result.screen


def test_opensbi_that_hangs(smoke: Smoke, tmp_path: Path) -> None:
    tree = edited(
        "firmware/opensbi/tsmd",
        "tsmd_fast.c",
        "\ttsmd_switch_to_tsm(hart);\n",
        '\twhile (host->a7)\n\t\t__asm__ __volatile__("nop");\n\ttsmd_switch_to_tsm(hart);\n',
        tmp_path,
    )
    run = tmp_path / "run"
    settings = ("--set", f"opensbi.overlay=path:{tree}", "--set", "timeouts.command_s=3")
    result = smoke(*settings, "--run-dir", str(run))
    assert result.status == 1, result.screen
    assert result.check("tsm")["verdict"] == "HANG"
    assert parsed(run, result)["signature"] == "HANG opensbi hang in tsmd_fast_teecall"
    assert "tsmd_fast_teecall" in result.screen, result.screen


@pytest.mark.parametrize(
    ("number", "status", "signature"),
    [
        (signal.SIGKILL, 99, "INFRA harness check "),
        # What a program brings on itself.
        (signal.SIGSEGV, 1, "CRASH qemu SIGSEGV"),
    ],
)
def test_qemu_killed(
    smoke: Smoke, tmp_path: Path, number: signal.Signals, status: int, signature: str
) -> None:
    smoke()
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "smoke", "--run-dir", str(run_dir)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    limit = time.monotonic() + 10
    while not (found := qemus_of(run_dir)) and time.monotonic() < limit:
        time.sleep(0.01)
    assert found, "QEMU did not start"
    os.kill(found[0], number)
    screen, _ = process.communicate(timeout=30)
    assert process.returncode == status, screen
    assert number.name in screen
    told = json.loads((run_dir / "run.json").read_text())
    assert told["signature"].startswith(signature), told["signature"]
    parsed(run_dir, SmokeResult(status, screen, told))


def test_old_qemu_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "qemu-system-riscv64"
    fake.write_text("#!/bin/sh\necho QEMU emulator version 7.2.0\n")
    fake.chmod(0o755)
    done = teecall("smoke", "--set", f"qemu.binary={fake}")
    assert done.returncode == 99, done.stdout
    assert "7.2" in done.stdout and "9.0" in done.stdout


def test_broken_overlay_shows_the_compiler(smoke: Smoke, tmp_path: Path) -> None:
    tree = edited(
        "firmware/opensbi/tsmd",
        "tsmd_call.c",
        "#define ECALL_SIZE\t4",
        "#define ECALL_SIZE\t4 +",
        tmp_path,
    )
    result = smoke("--set", f"opensbi.overlay=path:{tree}")
    assert result.status == 1, result.screen
    assert result.failed() == ["build"]
    assert "tsmd_call.c:" in result.screen and "error:" in result.screen
    assert ".log" in result.screen


def test_image_that_overlaps(tmp_path: Path) -> None:
    done = teecall("smoke", "--set", "memory.pool_base=0x80000000")
    assert done.returncode == 2, done.stdout
    assert "overlap" in done.stdout.lower()
