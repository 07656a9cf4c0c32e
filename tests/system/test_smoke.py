# SPDX-License-Identifier: Apache-2.0
"""The smoke run on every variant that first light promises."""

from __future__ import annotations

import pytest

from tests.system.conftest import Smoke

CHECKS = [
    "tools",
    "sources",
    "build",
    "boot",
    "tsm",
    "launch",
    "steps",
    "isolation",
    "teardown",
    "relaunch",
    "poweroff",
]

VARIANTS = {
    "default": (),
    "serial": ("--set", "console.mode=serial"),
    "opensbi-1.8.1": ("--set", "opensbi.version=1.8.1"),
    "one-hart": ("--set", "machine.harts=1"),
    "four-harts": ("--set", "machine.harts=4"),
}


@pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS.keys())
def test_smoke_passes(smoke: Smoke, arguments: tuple[str, ...]) -> None:
    result = smoke(*arguments)
    assert result.status == 0, result.screen
    assert [check["name"] for check in result.report["checks"]] == CHECKS
    assert result.failed() == []
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    assert result.report["verdict"] == "PASS"
    assert "PASS" in result.screen
