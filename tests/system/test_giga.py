# SPDX-License-Identifier: Apache-2.0
"""A page of 1 GiB for a guest: mapped, split to 2 MiB and 4 KiB, merged, reclaimed whole.

The payload (firmware/bench/giga.c) is the host, and the guest looks at its memory after each step.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from harness.build.builder import Builder
from harness.build.payload import GIGA_IMAGE, BenchRecipe
from harness.config.load import load
from harness.machine.bare import bare_machine, run_to_end
from harness.machine.rundir import RunDir
from harness.ui import QuietUi
from tests.system.test_mutants import mutate

pytestmark = pytest.mark.system

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))

# The pool begins at a multiple of 1 GiB and has some pages behind that one.
MACHINE = (
    "machine.harts=1",
    "machine.memory_mib=3136",
    "memory.pool_base=0x100000000",
    "memory.pool_size=0x41000000",
)
STEPS = ("mapped", "split_2m", "split_4k", "joined_2m", "joined_1g", "reclaimed")
# What a TSM does wrong, and the step or the call that the payload stops at.
MUTANTS = {
    "1g-leaf-refused": (
        "call/populate.c",
        "\tif (type >= GSTAGE_LEVELS)\n",
        "\tif (type >= GSTAGE_LEVELS - 1)\n",
        "failed map_off -3",
    ),
    "end-of-the-page-not-scrubbed": (
        "call/long.c",
        "\tpages_scrub(long_next(call), part);\n",
        "\tif (call->done + part < 1 << 18)\n\t\tpages_scrub(long_next(call), part);\n",
        "failed mapped ",
    ),
    "split-changes-the-order": (
        "tvm/gstage.c",
        "\t\tentry[i] = make_entry(page + i * leaf_size(level),\n",
        "\t\tentry[i] = make_entry(page + (i ^ (level == 1)) * leaf_size(level),\n",
        "failed split_2m ",
    ),
    "small-split-changes-the-order": (
        "tvm/gstage.c",
        "\t\tentry[i] = make_entry(page + i * leaf_size(level),\n",
        "\t\tentry[i] = make_entry(page + (i ^ (level == 0)) * leaf_size(level),\n",
        "failed split_4k ",
    ),
    "merge-to-1g-refused": (
        "call/fence.c",
        "resize(args, COVE_TVM_PAGE_2M, COVE_TVM_PAGE_1G,\n",
        "resize(args, COVE_TVM_PAGE_2M, COVE_TVM_PAGE_2M,\n",
        "failed mixed -3",
    ),
    "merge-of-what-is-mapped": (
        "call/fence.c",
        "\treturn leaf->state == LEAF_BLOCKED &&\n\t       tvm_fence_settled(",
        "\treturn leaf->level == 1 || tvm_fence_settled(",
        "failed mapped 0",
    ),
    "reclaim-without-scrub": (
        "call/convert.c",
        "\t\tlong_scrub(call);\n",
        "\t\tlong_advance(call, part);\n",
        "failed not_zero ",
    ),
    "destroy-leaves-pages": (
        "call/destroy.c",
        "if (pages_take(call->slot, PAGES_A_STEP) < PAGES_A_STEP) {",
        "if (pages_take(call->slot, PAGES_A_STEP - 1) < PAGES_A_STEP) {",
        "failed reclaim ",
    ),
}


def said(folder: Path, *sets: str) -> list[str]:
    config = load((), (*MACHINE, *sets)).value
    console = msgspec.structs.replace(config.console, mode="serial")
    config = msgspec.structs.replace(config, console=console)
    outcome = Builder(config, QuietUi(), offline=False, extra=(BenchRecipe(),)).run()
    payload = outcome.places[BenchRecipe.name] / GIGA_IMAGE
    folder.mkdir()
    with bare_machine(config, outcome.artefacts, payload, RunDir(folder)) as machine:
        lines = run_to_end(machine, "a page of 1 GiB")
    return [line.removeprefix("bench: ") for line in lines if line.startswith("bench: ")]


def test_guest_has_a_page_of_1_gib(tmp_path: Path) -> None:
    lines = said(tmp_path / "run")
    assert [line.split()[0] for line in lines] == [*STEPS, "done"], lines


# One for what a split keeps, one for a merge, one for what is left at the end.
ALWAYS = ("split-changes-the-order", "merge-to-1g-refused", "reclaim-without-scrub")


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS if NIGHTLY else ALWAYS)
def test_mutant_is_caught(name: str, tmp_path: Path) -> None:
    file, old, new, stops = MUTANTS[name]
    edit = {"file": file, "old": old, "new": new}
    tree = mutate({"tree": "tsm.source", "edits": [edit]}, tmp_path)
    lines = said(tmp_path / "run", f"tsm.source=path:{tree}")
    assert lines[-1].startswith(stops), lines
