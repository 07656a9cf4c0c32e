# SPDX-License-Identifier: Apache-2.0
"""Attestation on the real machine, and `teecall attest verify` on what a run has left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import abi
from harness.build.builder import build_all
from harness.config.load import load
from harness.host.boot import powered, reach_shell
from harness.machine.rundir import new_run
from harness.scenarios.attest_checks import said
from harness.ui import QuietUi
from tests.system.conftest import Scenario, teecall

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
VARIANTS = {
    "default": (),
    "aia": ("machine.aia=aplic-imsic",),
    "one-hart": ("machine.harts=1",),
    "everything": ("machine.aia=aplic-imsic", "machine.harts=4", "opensbi.version=1.8.1"),
}


@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else ["default"])
def test_evidence_is_verified(variant: str, scenario: Scenario, tmp_path: Path) -> None:
    words = [word for setting in VARIANTS[variant] for word in ("--set", setting)]
    result = scenario("attest", *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    check_command_line(tmp_path / "run")


def check_command_line(run: Path) -> None:
    """Verify the run's evidence again, and in vain with another argument and challenge."""
    argument, challenge = (run / "argument").read_text(), (run / "challenge").read_text()
    words = ["attest", "verify", str(run / "evidence.cbor"), "--root", str(run / "root.pem")]
    words += ["--guest", str(run / "guest.elf")]
    good = teecall(*words, "--arg", argument, "--challenge", challenge)
    assert good.returncode == 0, good.stdout
    assert "verified: signatures, challenge, initial" in good.stdout
    stale = teecall(*words, "--arg", argument, "--challenge", "00" * 64)
    assert stale.returncode == 1 and "challenge" in stale.stdout
    other = teecall(*words, "--arg", "1", "--challenge", challenge)
    assert other.returncode == 1 and "register 5" in other.stdout


def test_without_a_root_of_trust_there_is_no_evidence(tmp_path: Path) -> None:
    config = load((), ()).value
    artefacts = build_all(config, QuietUi())
    guest = {"/payload/attest.elf": (artefacts.hello_elf.parent / "attest.elf").read_bytes()}
    with powered(config, artefacts, new_run(tmp_path), guest) as machine:
        found = said(reach_shell(machine).run_guest("/payload/attest.elf", nonce=1))
    assert found["evidence"] == f"error {abi.Error.NOT_SUPPORTED.value}"
    assert found["formats"] == "0" and found["extend"] == "0"
