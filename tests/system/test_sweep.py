# SPDX-License-Identifier: Apache-2.0
"""Interrupts at every instruction; a sample of them unless it is night."""

from __future__ import annotations

import os

import pytest

from tests.system.conftest import Scenario

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
OTHERWISE = ("opensbi.version=1.8.1", "machine.aia=aplic-imsic", "machine.harts=4")
# Settings, and ticks between two deadlines of the sample.
VARIANTS = {"default": ((), 89), "otherwise": (OTHERWISE, 499)}
PLACES = ("M-mode", "TSM", "TVM", "host")
ARRIVALS = ("IPI", "FENCE", "HFENCE_GVMA", "HFENCE_VVMA")


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS)
def test_interrupts_arrive_everywhere(variant: str, scenario: Scenario) -> None:
    settings, step = VARIANTS[variant]
    settings = (*settings, f"sweep.step={1 if NIGHTLY else step}")
    words = [word for setting in settings for word in ("--set", setting)]
    result = scenario("interrupt-sweep", *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    metrics = result.report["metrics"]
    for sweep in ("timer", "other_hart"):
        assert all(metrics[f"{sweep}_{place}"] > 0 for place in PLACES), metrics
    assert all(metrics[f"other_hart_{arrival}"] > 0 for arrival in ARRIVALS), metrics
    assert metrics["max_tick_delay_s"] <= 1e-3
