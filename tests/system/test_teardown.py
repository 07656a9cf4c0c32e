# SPDX-License-Identifier: Apache-2.0
"""TVMs that are ended in every state of their lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.conftest import Scenario

pytestmark = pytest.mark.system


def test_nothing_is_left_of_a_tvm(scenario: Scenario, tmp_path: Path) -> None:
    result = scenario("teardown-matrix")
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    # The moments are made again from what is printed.
    seed = json.loads((tmp_path / "run" / "run.json").read_text())["seed"]
    assert seed in result.check("moments")["detail"]
