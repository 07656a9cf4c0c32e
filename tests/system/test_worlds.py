# SPDX-License-Identifier: Apache-2.0
"""The host, a KVM guest and a TVM work at once, and end in any order."""

from __future__ import annotations

import os

import pytest

from tests.system.conftest import Scenario

pytestmark = pytest.mark.system

MORE = ["--set", "worlds.seconds=120", "--set", "worlds.orders=6"]


@pytest.mark.parametrize("harts", [2, 4])
def test_three_worlds(scenario: Scenario, harts: int) -> None:
    more = MORE if os.environ.get("TEECALL_NIGHTLY") else []
    result = scenario("three-worlds", "--set", f"machine.harts={harts}", *more)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    rounds = result.report["metrics"]
    assert min(rounds[f"{name}_rounds"] for name in ("host", "kvm", "tvm")) > 0
