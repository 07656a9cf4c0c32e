# SPDX-License-Identifier: Apache-2.0
"""No QEMU outlives its harness, whatever happens to the harness."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.system.conftest import ROOT, Smoke

KILLS = 20
LONGEST_S = 3.0
GONE_S = 5.0


def qemus_of(run_dir: Path) -> list[int]:
    """Process ids of QEMUs that name ``run_dir`` on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"qemu-system" in command.split(b"\0")[0] and str(run_dir).encode() in command:
            found.append(int(entry.name))
    return found


def wait_until_gone(run_dir: Path) -> list[int]:
    """Wait for the QEMUs of ``run_dir`` to end; those that did not."""
    limit = time.monotonic() + GONE_S
    while (left := qemus_of(run_dir)) and time.monotonic() < limit:
        time.sleep(0.02)
    return left


def start(run_dir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "smoke", "--run-dir", str(run_dir)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_no_qemu_survives_sigkill(smoke: Smoke, tmp_path: Path) -> None:
    smoke()
    chance = random.Random(int(os.environ.get("TEECALL_TEST_SEED", "1")))
    seen = 0
    for number in range(KILLS):
        run_dir = tmp_path / f"run-{number}"
        process = start(run_dir)
        time.sleep(chance.uniform(0.1, LONGEST_S))
        seen += bool(qemus_of(run_dir))
        process.kill()
        process.wait()
        assert wait_until_gone(run_dir) == []
    # The moments must have hit running machines, or this proved nothing.
    assert seen >= KILLS // 4
    assert smoke().status == 0


def test_interrupt_leaves_nothing(smoke: Smoke, tmp_path: Path) -> None:
    smoke()
    run_dir = tmp_path / "run"
    process = start(run_dir)
    limit = time.monotonic() + GONE_S
    while not qemus_of(run_dir) and time.monotonic() < limit:
        time.sleep(0.02)
    assert qemus_of(run_dir), "QEMU did not start"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=GONE_S) != 0
    assert wait_until_gone(run_dir) == []
