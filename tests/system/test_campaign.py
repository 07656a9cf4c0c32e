# SPDX-License-Identifier: Apache-2.0
"""Faults by chance: processes are killed and stopped, disks fill; nothing is lost or left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.report.record import load_night
from tests.system.conftest import ROOT, teecall
from tests.system.faults import FAULT_KINDS, Fault, Target
from tests.system.test_repeat import in_session, nothing_left
from tests.system.test_supervision import qemus_of

FAULTS = 200 if os.environ.get("TEECALL_NIGHTLY") else len(FAULT_KINDS)
# Three faults of four come when the machine is there, at most so long after it came; the
# others come at any time: before it, and when the run is over and must have its verdict.
INTO_S = 0.6
LONGEST_S = 2.5
LIMIT_S = 200.0
SERIES = 2
# The verdicts of a run that the environment spoilt, or that was over before.
ENDS = {"PASS", "INFRA"}


def begin(run_dir: Path, fault: Fault) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "harness", "run", "smoke", "--run-dir", str(run_dir)]
    command += ["--repeat", str(SERIES), "-j", "2"] if fault.series else []
    # A machine that was stopped is given up after this time.
    limits = ["--set", "timeouts.stall_s=2", "--set", "timeouts.command_s=2"]
    return subprocess.Popen(
        [*command, *limits],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=fault.prepare,
    )


def wait_for_the_moment(
    process: subprocess.Popen[bytes], run_dir: Path, chance: random.Random
) -> None:
    """Return at a random moment: usually while the run has a machine, sometimes at any time."""
    if chance.random() < 0.25:
        time.sleep(chance.uniform(0.3, LONGEST_S))
        return
    while process.poll() is None and not qemus_of(run_dir):
        time.sleep(0.01)
    time.sleep(chance.uniform(0, INTO_S))


def check_verdict(run_dir: Path, fault: Fault, label: str) -> None:
    """Fail when a run that could say what came of it has not, or says something else."""
    report = json.loads((run_dir / "run.json").read_text())
    assert report["verdict"] in ENDS, f"{label}: {report['verdict']} {report['failures']}"
    if fault.series:
        # What a worker takes with it is made again.
        assert report["verdicts"] == {"PASS": SERIES}, f"{label}: {report}"
    if fault.prepare is None:
        # A full disk takes no record of runs.
        recorded = [str(run.verdict) for run in load_night(run_dir).runs]
        assert set(recorded) == {report["verdict"]}, f"{label}: recorded {recorded}"


def test_faults_by_chance(tmp_path: Path) -> None:
    assert teecall("build", "-q").returncode == 0
    seed = int(os.environ.get("TEECALL_TEST_SEED") or time.time())
    print(f"TEECALL_TEST_SEED={seed} repeats this campaign")
    chance = random.Random(seed)
    hit_a_machine = 0
    # Each kind once, the rest by chance.
    rest = chance.choices(FAULT_KINDS, k=FAULTS - len(FAULT_KINDS))
    for number, fault in enumerate([*FAULT_KINDS, *rest]):
        run_dir = tmp_path / f"run-{number}"
        process = begin(run_dir, fault)
        try:
            wait_for_the_moment(process, run_dir, chance)
            hit_a_machine += bool(qemus_of(run_dir))
            early = process.poll() is not None
            fault.hits(Target(process, run_dir, chance))
            status = process.wait(timeout=LIMIT_S)
        finally:
            process.kill()
            process.wait()
        label = f"{number}: {fault.name}, seed {seed}, status {status}"
        print(label)
        assert nothing_left(process.pid), f"{label}: {in_session(process.pid)} left"
        assert qemus_of(run_dir) == [], f"{label}: QEMU left"
        if fault.silences and not early and status == -signal.SIGKILL:
            continue
        # A run that is told to end before it has begun has its status alone.
        if not (run_dir / "run.json").exists():
            assert status in (99, 143), label
            continue
        check_verdict(run_dir, fault, label)
    assert hit_a_machine >= FAULTS // 4, f"only {hit_a_machine} of {FAULTS} hit a machine"
    # The store is whole: everything is found in it and has its digest.
    done = teecall("build")
    assert done.returncode == 0 and "damaged" not in done.stdout, done.stdout
    assert teecall("smoke").returncode == 0
