# SPDX-License-Identifier: Apache-2.0
"""An SSE event of the host that arrives while a TVM has the hart waits for the host, no longer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.build.bench import SSE_PAYLOAD, BenchRecipe
from harness.build.builder import Builder
from harness.config.load import load
from harness.errors import MachineCrash
from harness.machine.bare import bare_machine, run_to_end
from harness.machine.rundir import RunDir
from harness.ui import QuietUi
from tests.system.test_mutants import mutate

pytestmark = pytest.mark.system

DELIVERED_TO_THE_TSM = {"file": "tsmd_trap.c", "old": "\ttsmd_sse_hold(hart);\n", "new": ""}
LEFT_TO_THE_NEXT_TRAP = {"file": "tsmd_sse.c", "old": "\thart->sse_waits = true;\n", "new": ""}


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


def mutant(edit: dict[str, str], folder: Path) -> str:
    tree = mutate({"tree": "opensbi.overlay", "edits": [edit]}, folder)
    return f"opensbi.overlay=path:{tree}"


def test_event_that_does_not_wait_is_caught(tmp_path: Path) -> None:
    """The host's handler runs with the TSM's view of memory, which has no execute for it."""
    overlay = mutant(DELIVERED_TO_THE_TSM, tmp_path)
    with pytest.raises(MachineCrash, match="TSM fault: mcause=0x1 "):
        said(tmp_path / "run", overlay)


def test_event_that_waits_too_long_is_caught(tmp_path: Path) -> None:
    text = said(tmp_path / "run", mutant(LEFT_TO_THE_NEXT_TRAP, tmp_path))
    assert "bench: failed the event never came" in text, text
