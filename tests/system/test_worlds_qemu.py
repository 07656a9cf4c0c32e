# SPDX-License-Identifier: Apache-2.0
"""Three worlds with Debian's QEMU on the host, accel=kvm, as the KVM guest's VMM."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from harness.config.load import load
from harness.config.schema import Config
from harness.machine.rundir import new_run
from harness.scenarios import qemu, worlds
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke, boot
from harness.scenarios.vmm import short_life
from harness.scenarios.world import log_of
from harness.ui import QuietUi
from tests.system.conftest import Scenario

pytestmark = pytest.mark.system

QEMU = ["--set", "worlds.vmm=qemu"]
MORE = ["--set", "worlds.seconds=60", "--set", "worlds.orders=6"]


def test_three_worlds_with_qemu(scenario: Scenario, tmp_path: Path) -> None:
    more, orders = (MORE, 6) if os.environ.get("TEECALL_NIGHTLY") else ([], 1)
    result = scenario("three-worlds", *QEMU, *more)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    said = {check["name"]: check["detail"] for check in result.report["checks"]}
    assert "QEMU 1:10." in said["vmm"]
    console = (tmp_path / "run" / log_of("kvm")).read_text(errors="replace")
    # Once by itself, and for each order once beside the others.
    assert console.count("Machine model: riscv-virtio,qemu") == 1 + orders
    assert console.count("reboot: Power down") == 1


def test_a_guest_that_kvm_does_not_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /dev/kvm QEMU does not fall back; told to emulate, it is seen to."""
    with contextlib.ExitStack() as stack:
        config = load((), ["worlds.vmm=qemu"]).value
        run = Smoke(config, new_run(tmp_path / "run"), QuietUi(), stack)
        worlds.build(run)
        assert run.artefacts is not None
        run.files["/guest/firmware"] = run.artefacts.opensbi_bin.read_bytes()
        boot(run)
        shell = run.need_host().shell
        shell.run("mv /dev/kvm /tmp/kvm")
        with pytest.raises(CheckFailed) as caught:
            short_life(run)
        assert "Could not access KVM" in "\n".join(caught.value.details)
        shell.run("mv /tmp/kvm /dev/kvm")
        monkeypatch.setattr(qemu, "command", _emulated)
        with pytest.raises(CheckFailed, match="has no vCPU of KVM"):
            short_life(run)


def _emulated(config: Config, vcpus: int, kernel: str, initrd: str) -> str:
    """Return the command for a guest that QEMU emulates, whose firmware is the first to speak."""
    fifo = f"rm -f {qemu.INPUT}; mkfifo {qemu.INPUT}"
    machine = "qemu-system-riscv64 -accel tcg -machine virt -bios /guest/firmware"
    return f"{fifo}; {machine} -nodefaults -display none -serial stdio <>{qemu.INPUT}"
