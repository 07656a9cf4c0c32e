# SPDX-License-Identifier: Apache-2.0
"""Hypothesis writes the scripts, the real machine makes the calls, and what differs gets short."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.conformance.live import difference, live
from tests.conformance.test_machine import MUTANTS, mutated
from tests.system.conftest import teecall

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))


@pytest.mark.system
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_scripts_by_hypothesis(harts: int, tmp_path: Path) -> None:
    with live(tmp_path / "run", f"machine.harts={harts}") as on:
        found = difference(on, 1000 if NIGHTLY else 15)
        assert found is None, found.replayable()
        assert on.scripts and on.calls > 20 * on.scripts


@pytest.mark.system
@pytest.mark.slow
def test_a_difference_is_made_short_and_replayed(tmp_path: Path) -> None:
    mutant = MUTANTS["wrong-error-code"]
    setting = f"tsm.source=path:{mutated(mutant, tmp_path)}"
    with live(tmp_path / "run", setting) as on:
        # By chance one set of 300 scripts in ten or so never asks for the TSM's information with a
        # size that is too small: so these are always the same. Were they others, for a change of
        # the rules or of Hypothesis, 3000 have it all the same.
        found = difference(on, 3000, same=True)
        assert found is not None
    printed = found.replayable()
    assert re.search(mutant["says"], printed), printed
    # Not even what each script begins with is needed for it.
    assert found.index == 0, printed
    script = tmp_path / "found.calls"
    script.write_text(printed)
    bad = teecall("run", "replay", str(script), "--set", setting, "--run-dir", str(tmp_path / "1"))
    assert bad.returncode == 1 and re.search(mutant["says"], bad.stdout), bad.stdout
    good = teecall("run", "replay", str(script), "--run-dir", str(tmp_path / "2"))
    assert good.returncode == 0 and "calls answered as the model says" in good.stdout, good.stdout
