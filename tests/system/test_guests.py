# SPDX-License-Identifier: Apache-2.0
"""Guests other than the smoke's, and hosts that lose a hart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.test_hostile import POOL, booted

PAGE = POOL + 0x400000


def test_fp_registers_of_a_guest_hold(tmp_path: Path) -> None:
    with booted(tmp_path) as host:
        assert "fp: ok" in host.run_guest("/payload/fp.elf").lines


@pytest.mark.parametrize(
    ("cpu", "says"),
    [("rv64", "vec: none"), ("rv64,v=true", "vec: ok"), ("rv64,v=true,vlen=1024", "vec: ok")],
)
def test_vector_registers_of_a_guest_hold(tmp_path: Path, cpu: str, says: str) -> None:
    with booted(tmp_path, f"machine.cpu={cpu}") as host:
        assert says in host.run_guest("/payload/vec.elf").lines


def test_a_stopped_hart_holds_up_no_fence(tmp_path: Path) -> None:
    with booted(tmp_path) as host:
        online = "/sys/devices/system/cpu/cpu1/online"
        # The TSM must have seen the hart, or nothing waits for it.
        assert host.call("covh", "local_fence", cpu=1).ok
        assert host.call("covh", "convert_pages", PAGE, 1, cpu=0).ok
        assert host.call("covh", "global_fence", cpu=0).ok
        assert host.shell.run(f"echo 0 >{online}").ok
        assert not host.run_guest("/payload/hello.elf", nonce=1).trouble
        assert host.shell.run(f"echo 1 >{online}").ok
        # The hart that came back has the isolation that was set up without it.
        assert '"fault":true' in host.shell.run(f"taskset 2 tvm peek {PAGE:#x} --json").output
        assert not host.run_guest("/payload/hello.elf", nonce=2).trouble
        assert host.call("covh", "reclaim_pages", PAGE, 1, cpu=1).ok
