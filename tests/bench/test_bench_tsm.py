# SPDX-License-Identifier: Apache-2.0
"""`teecall bench tsm`: instructions, so that they can be judged; and TSMs that waste them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.bench.tsm import MemoryCost, measure
from harness.config.load import load
from harness.machine.rundir import RunDir
from harness.ui import QuietUi
from tests.system.conftest import teecall
from tests.system.test_mutants import mutate

pytestmark = pytest.mark.system

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
MAX_MIB = 256 if NIGHTLY else 8
# Instructions of a page's bookkeeping, in conversion, claims, tables and lists, and an eighth.
BOOKKEEPING = {"measured": 640, "zero": 500}
WASTES = {
    "stores-instead-of-cbo-zero": {
        "file": "mem/scrub.c",
        "old": "\tif (!block_size) {\n",
        "new": "\tif (block_size) {\n",
    },
    "leaves-mapped-again-at-every-step": {
        "file": "call/populate.c",
        "old": "leaf = whole_leaves(call, call->done);\n\tu64 end = whole_leaves(",
        "new": "leaf = 0;\n\tu64 end = whole_leaves(",
    },
    "page-hashed-twice": {
        "file": "call/populate.c",
        "old": "\tmeasure_page(call->digest, next_gpa(call), page);\n",
        "new": "\tu8 twice[DIGEST_SIZE] = { 0 };\n\tmeasure_page(twice, next_gpa(call), page);\n"
        "\tmeasure_page(call->digest, next_gpa(call), page);\n",
    },
    "page-scrubbed-twice": {
        "file": "call/long.c",
        "old": "\tpages_scrub(long_next(call), part);\n",
        "new": "\tpages_scrub(long_next(call), part);\n\tpages_scrub(long_next(call), part);\n",
    },
    "slot-searched-for": {
        "file": "tvm/slots.c",
        "old": "\tif (!take_unused(&slot))\n\t\treturn NULL;\n",
        "new": "\tfor (slot = 0; slot < PAGE_OWNERS && slots[slot].tvm; slot++)\n"
        '\t\t__asm__ volatile("nop; nop; nop; nop; nop" : : : "memory");\n'
        "\tif (!take_unused(&slot))\n\t\treturn NULL;\n",
    },
}


def one_machine(folder: Path, *sets: str) -> MemoryCost:
    folder.mkdir()
    config = load((), sets).value
    return measure(config, RunDir(folder), QuietUi(), offline=False, max_mib=4)


def faults(cost: MemoryCost) -> set[str]:
    """Return what is wrong with a TSM, as `test_bench_tsm` would say it."""
    found = set() if cost.live.flat else {"live"}
    for kind in (cost.measured, cost.zero):
        found |= set() if kind.linear else {f"{kind.kind} linear"}
        found |= set() if kind.within else {f"{kind.kind} within"}
        if kind.bookkeeping > BOOKKEEPING[kind.kind]:
            found.add(f"{kind.kind} bookkeeping")
    return found


def test_bench_tsm(tmp_path: Path) -> None:
    target = tmp_path / "tsm.json"
    done = teecall("bench", "tsm", "-q", "--max-mib", str(MAX_MIB), "--json", str(target))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by cbo.zero" in done.stdout and " over" not in done.stdout
    found: dict[str, Any] = json.loads(target.read_text())
    assert found["kept"]
    assert max(map(int, found["measured"]["launch"])) == MAX_MIB
    for kind, limit in BOOKKEEPING.items():
        assert 0 < found[kind]["bookkeeping"] <= limit
    # The destruction and the cleaning of a page are no more than its bookkeeping and zeroing.
    largest = str(MAX_MIB)
    page = found["zero"]["release"][largest] / MAX_MIB / 256
    assert page <= found["parts"]["zero"] + BOOKKEEPING["zero"]


def test_harts_without_zicboz(tmp_path: Path) -> None:
    cost = one_machine(tmp_path / "without", "machine.cpu=rv64,zicboz=false")
    assert cost.parts.blocks is None
    assert not faults(cost)


# What each of them is found by.
SAID = {
    "stores-instead-of-cbo-zero": "zero within",
    "leaves-mapped-again-at-every-step": "zero linear",
    "page-hashed-twice": "measured within",
    "page-scrubbed-twice": "zero bookkeeping",
    "slot-searched-for": "live",
}
# One hides behind the others: a page of either kind is judged by the bookkeeping of the other.
ALONE = "stores-instead-of-cbo-zero"
TOGETHER = [[ALONE], [each for each in SAID if each != ALONE]]


@pytest.mark.parametrize("wastes", [[each] for each in SAID] if NIGHTLY else TOGETHER, ids=",".join)
def test_waste_shows(wastes: list[str], tmp_path: Path) -> None:
    edits = [WASTES[each] for each in wastes]
    tree = mutate({"tree": "tsm.source", "edits": edits}, tmp_path)
    found = faults(one_machine(tmp_path / "run", f"tsm.source=path:{tree}"))
    assert {SAID[each] for each in wastes} <= found
