# SPDX-License-Identifier: Apache-2.0
"""The host: its shell, calls into the TSM, and memory that it gives away."""

from __future__ import annotations

import pytest

from harness.host.host import Host
from harness.machine.machine import Machine

PAGE = 4096


def test_shell(host: Host) -> None:
    answer = host.run("uname -m")
    assert (answer.status, answer.output.strip()) == (0, "riscv64")


def test_confidential_page_is_closed_to_the_host(machine: Machine, host: Host) -> None:
    page = machine.config.memory.pool_base
    assert host.poke(page, b"secret").fault is False
    assert host.call("covh", "convert_pages", page, 1).ok
    assert host.call("covh", "global_fence").ok
    assert host.peek(page).fault
    for cpu in range(machine.config.machine.harts):
        assert host.call("covh", "local_fence", cpu=cpu).ok
    assert host.call("covh", "reclaim_pages", page, 1).ok
    assert not host.peek(page).fault


@pytest.mark.teecall(harts=1, set={"host.cmdline": "example=1"})
def test_another_machine(host: Host) -> None:
    assert host.run("nproc").output.strip() == "1"
    assert "example=1" in host.run("cat /proc/cmdline").output


@pytest.mark.teecall(fresh=True)
def test_machine_of_its_own(machine: Machine, host: Host) -> None:
    assert host.peek(machine.config.memory.tsm_base).fault
    host.power_off(machine.config.timeouts.poweroff_s)
    assert machine.status == 0
