# SPDX-License-Identifier: Apache-2.0
"""Linux as a TVM, from launch to power off."""

from __future__ import annotations

from tests.system.conftest import Scenario


def test_linux_runs_as_a_tvm(scenario: Scenario) -> None:
    result = scenario("linux-tvm")
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
