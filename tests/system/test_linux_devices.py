# SPDX-License-Identifier: Apache-2.0
"""Disks, random bytes and a network for Linux as a TVM and as a plain guest of KVM."""

from __future__ import annotations

from tests.system.conftest import Scenario


def test_linux_has_devices(scenario: Scenario) -> None:
    result = scenario("linux-devices")
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
