# SPDX-License-Identifier: Apache-2.0
"""An SSE event of the host that arrives while a TVM has the hart waits for the host, no longer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build.bench import SSE_PAYLOAD, BenchRecipe
from harness.build.builder import Builder
from harness.config.load import load
from harness.machine.bare import bare_machine, run_to_end
from harness.machine.rundir import RunDir
from harness.ui import QuietUi
from tests.system.test_mutants import mutate

pytestmark = pytest.mark.system

# Each defect, and what the payload then says.
MUTANTS = {
    "delivered to the TSM": (
        {
            "file": "tsmd_trap.c",
            "old": "\ttsmd_sse_hold(hart);\n",
            "new": "",
        },
        "failed run_tvm_vcpu",
    ),
    "not delivered with the host's return": (
        {
            "file": "tsmd_sse.c",
            "old": "\thart->sse_waits = true;\n",
            "new": "",
        },
        "failed the event never came",
    ),
}


def said(folder: Path, *sets: str) -> str:
    config = load((), ("machine.harts=2", *sets)).value
    console = msgspec.structs.replace(config.console, mode="serial")
    config = msgspec.structs.replace(config, console=console)
    outcome = Builder(config, QuietUi(), offline=False, extra=(BenchRecipe(),)).run()
    payload = outcome.places[BenchRecipe.name] / SSE_PAYLOAD
    folder.mkdir()
    with bare_machine(config, outcome.artefacts, payload, RunDir(folder)) as machine:
        return "\n".join(run_to_end(machine, "sse"))


def test_event_comes_with_the_hosts_next_instruction(tmp_path: Path) -> None:
    text = said(tmp_path / "run")
    assert text.rstrip().endswith("bench: done"), text


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name: str, tmp_path: Path) -> None:
    edit, expected = MUTANTS[name]
    tree = mutate({"tree": "opensbi.overlay", "edits": [edit]}, tmp_path)
    text = said(tmp_path / "run", f"opensbi.overlay=path:{tree}")
    assert f"bench: {expected}" in text, text
