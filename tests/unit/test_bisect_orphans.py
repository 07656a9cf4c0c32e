# SPDX-License-Identifier: Apache-2.0
"""Nothing that a script of a bisection starts outlives it, and what it prints has an end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.bisect.judge import ScriptRan
from harness.bisect.work import ScriptJob, run_script
from harness.cells.pool import CellPool

# In the group of the script, in a session of its own, and the child of one that has ended.
_LEAVES = "sleep 60 & echo $! >>{0}; setsid sh -c 'echo $$ >>{0}; (sleep 60 & echo $! >>{0}); wait'"


def run_in_a_process(job: ScriptJob) -> ScriptRan:
    pool = CellPool(1)
    try:
        return pool.submit(run_script, job).result()
    finally:
        pool.shutdown()


@pytest.mark.parametrize(
    ("end", "code"),
    [("exit 3", 3), ("kill -9 $$", -9), ("sleep 60", None)],
)
def test_what_a_script_leaves_ends_with_it(end: str, code: int | None, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    all_there = f"until test $(wc -l <{pids}) = 3; do sleep 0.05; done"
    command = f"{_LEAVES.format(pids)} & {all_there}; {end}"
    job = ScriptJob(command, "1", "qemu", (), tmp_path / "run", 60.0 if code else 3.0)
    assert run_in_a_process(job).code == code
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 3
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("more", ["", "sleep 60 &"])
def test_of_what_is_printed_without_end_both_ends_are_kept(more: str, tmp_path: Path) -> None:
    command = f"{more} echo first; head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1"
    ran = run_in_a_process(ScriptJob(command, "1", "qemu", (), tmp_path / "run", 60.0))
    assert ran.code == 1 and ran.tail[-1] == "last"
    said = (tmp_path / "run/script.log").read_bytes()
    assert said.startswith(b"first\n") and said.endswith(b"last\n")
    assert 16 << 20 < len(said) < 17 << 20
