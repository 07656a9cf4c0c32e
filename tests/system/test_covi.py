# SPDX-License-Identifier: Apache-2.0
"""A guest takes interrupts through its interrupt file; the PMP's room for such files."""

from __future__ import annotations

import pytest

from tests.system.conftest import Scenario

# Settings, and the harts whose file has an isolation entry (rdsm-tsm.md 5).
VARIANTS = {
    "default": ((), 2),
    "quad": (("machine.harts=4", "machine.aia_guests=3", "opensbi.version=1.8.1"), 4),
    "full": (("machine.harts=8",), 4),
}


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS)
def test_interrupt_files(variant: str, scenario: Scenario) -> None:
    settings, files = VARIANTS[variant]
    words = [word for setting in settings for word in ("--set", setting)]
    result = scenario("covi", *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    assert result.report["metrics"]["files_converted"] >= files
