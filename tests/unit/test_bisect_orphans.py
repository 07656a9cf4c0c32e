# SPDX-License-Identifier: Apache-2.0
"""Nothing that a script of a bisection starts outlives it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.bisect.work import ScriptJob, run_script
from harness.cells.pool import CellPool

# In the group of the script, in a session of its own, and the child of one that has ended.
_LEAVES = "sleep 60 & echo $! >>{0}; setsid sh -c 'echo $$ >>{0}; (sleep 60 & echo $! >>{0}); wait'"


@pytest.mark.parametrize(
    ("end", "code"),
    [("& sleep 0.3; exit 3", 3), ("& sleep 0.3; kill -9 $$", -9), ("& sleep 60", None)],
)
def test_what_a_script_leaves_ends_with_it(end: str, code: int | None, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = f"{_LEAVES.format(pids)} {end}"
    job = ScriptJob(command, "1", "qemu", (), tmp_path / "run", 1.0)
    pool = CellPool(1)
    try:
        assert pool.submit(run_script, job).result().code == code
    finally:
        pool.shutdown()
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == 3
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
