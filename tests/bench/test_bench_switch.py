# SPDX-License-Identifier: Apache-2.0
"""`teecall bench switch`: the numbers are instructions, so that they can be judged.

The bound is the project's own for a null TEECALL; all else must only be repeatable and plausible.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.bench.switch import SwitchBench, SwitchCost, variants
from harness.config.load import load
from harness.machine.rundir import RunDir
from harness.ui import QuietUi
from tests.system.conftest import teecall
from tests.system.test_mutants import mutate

pytestmark = pytest.mark.system

LIMIT = 600
# One row more in the list of CSRs: M-mode reads, writes and stores it on the way in, loads and
# writes it on the way out, and nothing else.
ONE_MORE_CSR = {
    "tree": "opensbi.overlay",
    "edits": [
        {
            "file": "tsmd_csrs.h",
            "old": "\tTSMD_CSR(stval,\t\t0x143,\t0)\t\t\t\t\\\n",
            "new": "\tTSMD_CSR(stval, 0x143, 0) \\\n\tTSMD_CSR(again, 0x140, 0) \\\n",
        }
    ],
}


def measured(target: Path) -> tuple[str, dict[str, Any]]:
    done = teecall("bench", "switch", "-q", "--json", str(target))
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(target.read_text())
    return done.stdout, found


def test_bench_switch(tmp_path: Path) -> None:
    text, found = measured(tmp_path / "first.json")
    assert "domain round trip" in text
    assert len(found["switch"]) == 4
    for cost in found["switch"]:
        mmode, tsm = cost["mmode"], cost["tsm"]
        assert min(mmode.values()) > 0
        if tsm is None:
            assert "h=false" in cost["machine"]
            continue
        assert mmode["enter"] + cost["tsm_alone"] + mmode["leave"] == tsm["null"] <= LIMIT
        assert cost["tsm_alone"] > 0
        assert len(tsm["null_by_ranges"]) == len(tsm["convert_by_ranges"]) + 1
        assert len(tsm["reclaim_by_ranges"]) == len(tsm["convert_by_ranges"]) > 1
        # A guest does not come and go without a domain switch.
        assert tsm["tvm_enter"] > mmode["enter"]
        assert min(tsm["tvm_exit"], tsm["tick"]) > mmode["leave"]
    assert {cost["null"] for cost in found["harts"].values()} == {found["switch"][0]["tsm"]["null"]}
    context = found["sbi_domain_context"]
    assert context["round_trip"] > context["plain"] > 0

    again = measured(tmp_path / "second.json")
    assert again == (text, found)


def one_machine(folder: Path, *sets: str) -> SwitchCost:
    name, config = next(iter(variants(load((), sets).value).items()))
    folder.mkdir()
    return SwitchBench(RunDir(folder), QuietUi(), offline=False).switch(name, config)


def test_one_csr_more_shows(tmp_path: Path) -> None:
    tree = mutate(ONE_MORE_CSR, tmp_path)
    was = one_machine(tmp_path / "was")
    now = one_machine(tmp_path / "now", f"opensbi.overlay=path:{tree}")
    assert was.tsm is not None and now.tsm is not None
    assert now.mmode.enter - was.mmode.enter == 2
    assert now.mmode.leave - was.mmode.leave == 2
    assert now.tsm_alone == was.tsm_alone
    assert now.tsm.null - was.tsm.null == 4
