# SPDX-License-Identifier: Apache-2.0
"""Hypothesis writes the scripts, the real machine makes the calls, and what differs gets short."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conformance.live import calls_on, live
from tests.conformance.test_machine import MUTANTS, mutated
from tests.system.conftest import teecall

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))


def hypothesis_settings(examples: int) -> settings:
    """Examples are as many as fit the time; each is a batch on the machine."""
    return settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.system
@pytest.mark.parametrize("harts", [1, 2, 4])
def test_scripts_by_hypothesis(harts: int, tmp_path: Path) -> None:
    with live(tmp_path / "run", f"machine.harts={harts}") as on:
        run_state_machine_as_test(
            calls_on(on), settings=hypothesis_settings(1000 if NIGHTLY else 15)
        )
        assert on.scripts and on.calls > 20 * on.scripts


@pytest.mark.system
@pytest.mark.slow
def test_a_difference_is_made_short_and_replayed(tmp_path: Path) -> None:
    mutant = MUTANTS["wrong-error-code"]
    setting = f"tsm.source=path:{mutated(mutant, tmp_path)}"
    with live(tmp_path / "run", setting) as on:
        machine = calls_on(on)
        with pytest.raises(AssertionError) as failure:
            run_state_machine_as_test(machine, settings=hypothesis_settings(300))
    printed = str(failure.value)
    assert re.search(mutant["says"], printed), printed
    assert machine.found is not None
    # What each script begins with, and the one call.
    start = len(list(on.ground.prologue()))
    assert len(machine.found.calls[: machine.found.index + 1]) == start + 1, printed
    script = tmp_path / "found.calls"
    script.write_text(printed)
    bad = teecall("run", "replay", str(script), "--set", setting, "--run-dir", str(tmp_path / "1"))
    assert bad.returncode == 1 and re.search(mutant["says"], bad.stdout), bad.stdout
    good = teecall("run", "replay", str(script), "--run-dir", str(tmp_path / "2"))
    assert good.returncode == 0 and "calls answered as the model says" in good.stdout, good.stdout
