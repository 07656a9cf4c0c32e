# SPDX-License-Identifier: Apache-2.0
"""A hang that no other hart met shows nothing, and is brought about again."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from harness.config.schema import Config
from harness.machine.rundir import RunDir
from harness.scenarios import containment_faults
from harness.scenarios.containment_faults import FAULTS, fault_step
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke
from harness.ui import QuietUi


@pytest.mark.parametrize("misses", [0, 2, 3])
def test_a_fault_that_shows_nothing_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misses: int
) -> None:
    folders: list[str] = []

    def alone(_: Smoke, __: object, folder: str) -> str:
        folders.append(folder)
        if len(folders) <= misses:
            raise containment_faults._Missed("nobody was there")
        return "seen"

    monkeypatch.setattr(containment_faults, "_alone", alone)
    check = fault_step(next(fault for fault in FAULTS if fault.name == "loop"))
    smoke = Smoke(Config(), RunDir(tmp_path), QuietUi(), contextlib.ExitStack())
    if misses < 3:
        assert check(smoke) == "seen"
    else:
        with pytest.raises(CheckFailed, match="nobody was there, 3 times: this run proves nothing"):
            check(smoke)
    names = ["fault-loop", "fault-loop-1", "fault-loop-2"]
    assert folders == names[: min(misses + 1, 3)]
