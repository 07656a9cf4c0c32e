# SPDX-License-Identifier: Apache-2.0
"""Containment on every kind of machine, and the one limit of PMP that is known."""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import pytest

from harness.host.results import parse_answer
from tests.system.conftest import Scenario
from tests.system.test_hostile import booted

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
VARIANTS = {
    "default": (),
    "aia": ("machine.aia=aplic-imsic",),
    "opensbi-1.8.1": ("opensbi.version=1.8.1",),
    "four-harts": ("machine.harts=4",),
    "one-hart": ("machine.harts=1",),
    "not-optimised": ("tsm.flags=[-O0]",),
    "everything": ("machine.aia=aplic-imsic", "machine.harts=4", "opensbi.version=1.8.1"),
}
IN_EVERY_RUN = ("default", "one-hart", "everything")

POOL = 0x90000000
# mie: the machine timer's interrupt is enabled.
MTIE = 1 << 7
# QEMU's fw_cfg on the virt machine: its DMA register, and its words (docs/specs/fw_cfg).
FW_CFG_DMA = 0x10100010
FW_CFG_READ, FW_CFG_SELECT = 1 << 1, 1 << 3
FW_CFG_SIGNATURE = b"QEMU"


@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else IN_EVERY_RUN)
def test_harm_is_contained(variant: str, scenario: Scenario) -> None:
    words = [word for setting in VARIANTS[variant] for word in ("--set", setting)]
    result = scenario("containment", *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen


def test_a_finished_tsm_cannot_be_made_to_fault(scenario: Scenario, tmp_path: Path) -> None:
    elf = tmp_path / "tsm.elf"
    elf.write_bytes(b"")
    result = scenario("containment", "--set", f"tsm.elf={elf}")
    assert result.status == 2, result.screen
    assert "tsm.elf" in result.screen


@pytest.mark.parametrize("limit_ms", [0, 250])
def test_the_watchdogs_limit_reaches_the_machine_and_0_is_off(
    limit_ms: int, tmp_path: Path
) -> None:
    with booted(tmp_path, f"tsm.watchdog_ms={limit_ms}") as host:
        value = host.shell.run(
            "hexdump -v -e '1/1 \"%02x\"' $(find /proc/device-tree/ -name watchdog-ms)"
        )
        assert int(value.output.strip(), 16) == limit_ms
        # The watchdog is the machine timer, and nobody else wants it where there is Sstc.
        registers = host.machine.monitor.human("info registers -a")
        enabled = [int(mie, 16) for mie in re.findall(r"^ mie +([0-9a-f]+)", registers, re.M)]
        assert len(enabled) == host.machine.config.machine.harts
        assert [bool(mie & MTIE) for mie in enabled] == [bool(limit_ms)] * len(enabled)


def test_a_batch_answers_each_line_and_names_the_wrong_one(tmp_path: Path) -> None:
    with booted(tmp_path) as host:
        good = f"covh get_tsm_info {POOL:#x} 48 --cpu 1"
        host.shell.run(f"for i in $(seq 1000); do echo {good}; done >/tmp/good; echo >>/tmp/good")
        counted = host.shell.run("tvm batch /tmp/good | tee /tmp/all | grep -c '\"error\":0,'")
        assert counted.output.strip() == "1000"
        assert host.shell.run("wc -l </tmp/all").output.strip() == "1000"
        wrong = host.shell.run(f"printf '%s\\n' '# nothing' '{good}' 'covh nonsense' | tvm batch")
        answer = parse_answer(wrong.output, wrong.status)
        assert len(answer.objects) == 1
        assert wrong.status == 2
        assert 'line 3: no function "nonsense" in covh' in wrong.output


@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="PMP checks harts, not devices: DMA goes past it"
)
def test_a_device_cannot_write_confidential_memory(tmp_path: Path) -> None:
    page, command = POOL, POOL + (4 << 20)
    with booted(tmp_path) as host:
        if not host.call("covh", "convert_pages", page, 512).ok or not host.peek(page).fault:
            pytest.fail("the page is not confidential: this run proves nothing", pytrace=False)
        before = host.machine.ram.read(page, 4)
        # Entry 0 is the signature: a device of the host is told to write it to the page.
        control = FW_CFG_SELECT | FW_CFG_READ
        host.poke(command, struct.pack(">IIQ", control, len(FW_CFG_SIGNATURE), page))
        host.poke(FW_CFG_DMA, struct.pack(">Q", command))
        # The device clears the control word when it is done: without that nothing was tried.
        if host.peek(command, 4).data != bytes(4) or before == FW_CFG_SIGNATURE:
            raise RuntimeError("the device did not do what it was told")
        assert host.machine.ram.read(page, 4) == before
