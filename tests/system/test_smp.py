# SPDX-License-Identifier: Apache-2.0
"""Many harts at once: every number of harts, both firmware versions, both kinds of interrupts."""

from __future__ import annotations

import os

import pytest

from tests.system.conftest import Scenario

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
VARIANTS = {
    "one-hart": ("machine.harts=1",),
    "two-harts": (),
    "four-harts": ("machine.harts=4",),
    "eight-harts": ("machine.harts=8",),
    "opensbi-1.8.1": ("opensbi.version=1.8.1",),
    "aia": ("machine.aia=aplic-imsic",),
    "everything": ("machine.harts=4", "machine.aia=aplic-imsic", "opensbi.version=1.8.1"),
}
IN_EVERY_RUN = ("one-hart", "two-harts", "everything")
# What one hart alone cannot show.
NEED_TWO = {"visible", "pair", "migrate", "contend", "shootdown", "hotplug"}


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else IN_EVERY_RUN)
def test_many_harts_at_once(variant: str, scenario: Scenario) -> None:
    words = [word for setting in VARIANTS[variant] for word in ("--set", setting)]
    result = scenario("smp", *words)
    assert not result.failed(), result.screen
    skipped = {c["name"] for c in result.report["checks"] if c["verdict"] == "SKIP"}
    assert skipped == (NEED_TWO if variant == "one-hart" else set()), result.screen
