# SPDX-License-Identifier: Apache-2.0
"""The checks can fail: firmware with one defect is caught by the check named for it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.conftest import ROOT, Scenario

MUTANTS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "mutants.yaml").read_text())
TREES = {
    "opensbi.overlay": "firmware/opensbi/tsmd",
    "tsm.source": "firmware/tsm",
    "tvm.source": "guest-images/tvm",
    "host.files": "guest-images/host",
}
NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))


def sample(mutants: dict[str, Any]) -> list[str]:
    """Return the first mutant of each scenario in each tree; the night has them all."""
    first: dict[tuple[str, str], str] = {}
    for name, mutant in mutants.items():
        first.setdefault((mutant.get("scenario", "smoke"), mutant["tree"]), name)
    return list(first.values())


def mutate(mutant: dict[str, Any], folder: Path) -> Path:
    """Copy the mutant's tree into ``folder`` and apply its edits."""
    tree = folder / Path(TREES[mutant["tree"]]).name
    shutil.copytree(ROOT / TREES[mutant["tree"]], tree)
    for edit in mutant["edits"]:
        path = tree / edit["file"]
        text = path.read_text()
        assert text.count(edit["old"]) == 1, (
            f"{edit['file']}: {edit['old']!r} does not stand there exactly once"
        )
        path.write_text(text.replace(edit["old"], edit["new"]))
    return tree


@pytest.mark.system
@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_changes_what_it_names(name: str, tmp_path: Path) -> None:
    mutate(MUTANTS[name], tmp_path)


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS if NIGHTLY else sample(MUTANTS))
def test_mutant_is_caught(name: str, scenario: Scenario, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    tree = mutate(mutant, tmp_path)
    settings = [f"{mutant['tree']}=path:{tree}", *mutant.get("settings", ())]
    words = [word for setting in settings for word in ("--set", setting)]
    result = scenario(mutant.get("scenario", "smoke"), *words)
    assert result.status == 1, result.screen
    assert result.failed()[:1] == [mutant["check"]], result.screen
    assert re.search(mutant["says"], result.check(mutant["check"])["detail"]), result.screen
