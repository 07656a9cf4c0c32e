# SPDX-License-Identifier: Apache-2.0
"""The calls of the TSM on every kind of machine."""

from __future__ import annotations

import os

import pytest

from tests.system.conftest import Scenario

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
VARIANTS = {
    "default": (),
    "one-hart": ("machine.harts=1",),
    "four-harts": ("machine.harts=4",),
    "vectors": ("machine.cpu=rv64,v=true",),
}


@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else ["default"])
def test_every_call_is_answered_as_it_has_to_be(variant: str, scenario: Scenario) -> None:
    words = [word for setting in VARIANTS[variant] for word in ("--set", setting)]
    result = scenario("tsm-calls", *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
