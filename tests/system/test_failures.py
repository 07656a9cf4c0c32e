# SPDX-License-Identifier: Apache-2.0
"""Every way to fail has its verdict, its exit status and its evidence."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.build.builder import build_all
from harness.config.load import load
from harness.ui import QuietUi
from tests.system.conftest import ROOT, Smoke, teecall
from tests.system.test_supervision import qemus_of


@pytest.fixture(scope="module")
def guests() -> Path:
    """Folder of the built guests."""
    return build_all(load((), ()).value, QuietUi()).hello_elf.parent


def test_guest_that_never_ends(smoke: Smoke, guests: Path) -> None:
    result = smoke("--set", f"tvm.payload={guests / 'spin.elf'}", "--set", "timeouts.guest_s=1")
    assert result.status == 124, result.screen
    assert result.check("launch")["verdict"] == "TIMEOUT"


def test_guest_that_faults(smoke: Smoke, guests: Path) -> None:
    result = smoke("--set", f"tvm.payload={guests / 'fault.elf'}")
    assert result.status == 1, result.screen
    assert result.check("launch")["verdict"] == "FAIL"
    assert "fault" in result.check("launch")["detail"]


def test_kernel_panic(smoke: Smoke) -> None:
    result = smoke("--set", "host.cmdline=rdinit=/none init=/none")
    assert result.status == 1, result.screen
    assert result.check("boot")["verdict"] == "CRASH"
    assert "Kernel panic" in result.check("boot")["detail"]
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


def test_opensbi_that_hangs(smoke: Smoke, tmp_path: Path) -> None:
    tree = edited(
        "firmware/opensbi/tsmd",
        "tsmd_fast.c",
        "\ttsmd_switch_to_tsm(hart);\n",
        '\twhile (host->a7)\n\t\t__asm__ __volatile__("nop");\n\ttsmd_switch_to_tsm(hart);\n',
        tmp_path,
    )
    result = smoke("--set", f"opensbi.overlay=path:{tree}", "--set", "timeouts.command_s=3")
    assert result.status == 1, result.screen
    assert result.check("tsm")["verdict"] == "HANG"
    assert "tsmd_fast_teecall" in result.screen, result.screen


def test_qemu_killed_from_outside_is_infra(smoke: Smoke, tmp_path: Path) -> None:
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
    os.kill(found[0], signal.SIGKILL)
    screen, _ = process.communicate(timeout=30)
    assert process.returncode == 99, screen
    assert "SIGKILL" in screen


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
