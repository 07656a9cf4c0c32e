# SPDX-License-Identifier: Apache-2.0
"""The suite on the real machine, and that it finds what is wrong with a TSM."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.conftest import ROOT, Scenario, teecall

MUTANTS: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "mutants.yaml").read_text()
)
NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
# Calls by chance for each number of harts.
HARTS = {2: 1_000_000, 1: 100_000, 4: 100_000} if NIGHTLY else {2: 8_000, 1: 2_000, 4: 2_000}


def mutated(mutant: dict[str, Any], folder: Path) -> Path:
    """Copy the TSM into ``folder`` with the mutant's defect."""
    tree = folder / "tsm"
    shutil.copytree(ROOT / "firmware" / "tsm", tree)
    for edit in mutant.get("edits", [mutant]):
        path = tree / edit["file"]
        text = path.read_text()
        assert text.count(edit["old"]) == 1, f"{edit['old']!r} does not stand there exactly once"
        path.write_text(text.replace(edit["old"], edit["new"]))
    return tree


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("harts", HARTS)
def test_every_answer_is_that_of_the_model(harts: int, scenario: Scenario) -> None:
    words = (f"conformance.calls={HARTS[harts]}", f"machine.harts={harts}")
    result = scenario("conformance", "--set", words[0], "--set", words[1])
    assert result.status == 0, result.screen
    together = result.check("together")["detail"]
    assert ("one hart is alone" in together) == (harts == 1), result.screen


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_changes_what_it_names(name: str, tmp_path: Path) -> None:
    mutated(MUTANTS[name], tmp_path)


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS if NIGHTLY else ["missing-toctou-copy"])
def test_mutant_is_found_and_replayed(name: str, scenario: Scenario, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    setting = ("--set", f"tsm.source=path:{mutated(mutant, tmp_path)}")
    result = scenario(mutant.get("scenario", "conformance"), *setting)
    assert result.status == 1, result.screen
    assert re.search(mutant["says"], result.screen), result.screen
    if not mutant.get("replayed", True):
        return
    script = tmp_path / "run" / "conformance.calls"
    again = teecall("run", "replay", str(script), *setting, "--run-dir", str(tmp_path / "again"))
    assert again.returncode == 1 and re.search("script  .*call", again.stdout), again.stdout


@pytest.mark.system
@pytest.mark.slow
def test_another_tsm_is_told_what_it_may_leave_out(scenario: Scenario, tmp_path: Path) -> None:
    """A TSM without promote_page fails as it is, and passes with its capability file."""
    one = "return &promote_page;"
    edit = {"old": one, "new": "return promote_page.handler ? NULL : &promote_page;"}
    tree = mutated({"file": "call/dispatch.c", **edit}, tmp_path)
    words = ("--set", f"tsm.source=path:{tree}", "--set", "conformance.calls=1000")
    result = scenario("conformance", *words)
    assert result.status == 1, result.screen
    assert re.search("promote_page.*answers NOT_SUPPORTED", result.screen), result.screen
    file = tmp_path / "tsm.capabilities"
    left_out = "unsupported: [promote_to_tvm, promote_page]"
    file.write_text(f"name: less\n{left_out}\nisolation_entries: 6\n")
    result = scenario("conformance", *words, "--set", f"conformance.capabilities={file}")
    assert result.status == 0, result.screen
