# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect --scheduler`: candidates side by side on a real cluster, which loses a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.bisect.journal import load_bisection
from harness.bisect.oracle import JUDGED, Outcome
from tests.system.test_repeat import LIMIT_S, cluster, until
from tests.system.test_supervision import qemus_of

# From the third on Linux has no init, and panics.
VALUES = ("quiet a=0", "quiet a=1", "quiet rdinit=/none a=2", "quiet rdinit=/none a=3")


def two_of(found: list[int]) -> list[int]:
    return found if len(found) >= 2 else []


@pytest.mark.system
@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_names_the_right_value(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ends = ["--values", ",".join(VALUES), "--good", VALUES[0], "--bad", VALUES[-1]]
    words = ["--component", "host.cmdline", *ends, "--out", str(out)]
    with cluster(tmp_path, 2) as (address, workers):
        command = [sys.executable, "-m", "harness", "bisect", *words, "-j", "2"]
        with subprocess.Popen(
            [*command, "--scheduler", address, "--failure-rate", "100%"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ,
        ) as run:
            try:
                # Both workers have a candidate: one of these is lost.
                until(lambda: two_of(qemus_of(out / "runs")), "never two at once")
                workers[0].kill()
                said, _ = run.communicate(timeout=LIMIT_S)
            finally:
                run.kill()
    assert run.returncode == 0, said
    found = load_bisection(out)
    assert found.answers[0].culprits == (VALUES[2],), said
    steps = found.steps()
    # The lost run is the environment's, and was made again; nothing was judged by it.
    spoilt = [why for step in steps if step.run is not None for why in step.run.spoilt]
    told = [step.why for step in steps if step.outcome is Outcome.INFRA]
    assert any("lost the worker" in why for why in (*spoilt, *told)), steps
    judged = [step for step in steps if step.outcome in JUDGED]
    assert all((step.outcome is Outcome.BAD) == ("none" in step.candidate) for step in judged)
