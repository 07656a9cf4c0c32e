# SPDX-License-Identifier: Apache-2.0
"""Plain KVM guests beside TVMs, on every kind of machine; mutants.yaml has what it catches."""

from __future__ import annotations

import os

import pytest

from tests.system.conftest import Scenario

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
VARIANTS = {
    "default": (),
    "vector": ("machine.cpu=rv64,v=true",),
    "four-harts": ("machine.harts=4",),
    "aia": ("machine.aia=aplic-imsic",),
    "opensbi-1.8.1": ("opensbi.version=1.8.1",),
}
IN_EVERY_RUN = ("default", "vector")


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else IN_EVERY_RUN)
def test_kvm_guests_and_tvms_keep_their_state(variant: str, scenario: Scenario) -> None:
    words = [word for setting in VARIANTS[variant] for word in ("--set", setting)]
    result = scenario("beside-kvm", *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    vector = "vector registers of 128 bits" if variant == "vector" else "no vector registers"
    assert vector in result.check("kvm-outlives")["detail"]


def test_one_hart_proves_what_it_can(scenario: Scenario) -> None:
    """A KVM guest comes and goes beside a TVM; what needs a second hart is skipped."""
    result = scenario("beside-kvm", "--set", "machine.harts=1")
    assert result.failed() == [], result.screen
    assert result.check("tvm-outlives")["verdict"] == "PASS", result.screen
    assert result.check("fences")["verdict"] == "PASS", result.screen
    assert result.check("two-harts")["verdict"] == "SKIP", result.screen
