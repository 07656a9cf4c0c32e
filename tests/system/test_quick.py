# SPDX-License-Identifier: Apache-2.0
"""What keeps a smoke short stays so: exits of a launch, and what a worker has to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.host.results import number
from tests.system.test_hostile import booted

# Of hello: one for each of its lines, and its end.
EXITS = 7
# A smoke in a process that has loaded what the nursery loads; what else it loads is printed.
CELL = """
import importlib, sys
from pathlib import Path
from harness.cells import nursery
for module in nursery.PRELOAD:
    importlib.import_module(module)
from harness.cells.cell import Cell, run_cell
from harness.config.load import load
config, before = load().value, set(sys.modules)
print(run_cell(Cell("smoke", config, "1", Path(sys.argv[1]))).verdict)
print(*sorted(set(sys.modules) - before))
"""


def test_a_line_of_a_guest_is_one_exit(tmp_path: Path) -> None:
    with booted(tmp_path) as host:
        run = host.run_guest("/payload/hello.elf", nonce=1)
        assert not run.trouble
        assert number(run.first("exit") or {}, "exits") == EXITS


def test_a_worker_has_loaded_all_that_a_smoke_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CELL, str(tmp_path / "run")]
    verdict, more = subprocess.run(
        command, check=True, capture_output=True, text=True
    ).stdout.split("\n")[:2]
    assert (verdict, more) == ("PASS", "")
