# SPDX-License-Identifier: Apache-2.0
"""A host that means harm: what it asks for is refused, and the TSM lives on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness import abi
from harness.build.builder import build_all
from harness.config.load import load
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.machine.rundir import new_run
from harness.ui import QuietUi
from tests.system.conftest import Smoke
from tests.system.test_failures import edited

FIRMWARE_GAP = 0x801F0000
DBTR = 0x44425452
POOL = 0x90000000
GONE_S = 60.0


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A booted machine that the tests of this module share."""
    with booted(tmp_path_factory.mktemp("run")) as shared:
        yield shared


@contextlib.contextmanager
def booted(run_dir: Path, *settings: str) -> Iterator[Host]:
    config = load((), settings).value
    artefacts = build_all(config, QuietUi())
    with powered(config, artefacts, new_run(run_dir)) as machine:
        yield reach_shell(machine)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(0x80000000, id="firmware"),
        pytest.param(FIRMWARE_GAP, id="between firmware and the end of its PMP entry"),
        pytest.param(0x8F000000, id="TSM"),
        pytest.param(0x8FFFF000, id="boot information"),
        pytest.param(0x10000000, id="UART"),
        pytest.param(0xBFFFFFF8, id="across the end of RAM"),
        pytest.param((1 << 64) - 16, id="wraps around"),
    ],
)
def test_pointers_that_are_not_the_hosts(host: Host, address: int) -> None:
    answer = host.call("covh", "get_tsm_info", address, 48)
    assert answer.error == abi.Error.INVALID_ADDRESS
    assert host.call("covh", "get_tsm_info", POOL, 48).ok


def test_no_debug_triggers_beside_a_tsm(host: Host) -> None:
    # OpenSBI would use their shared memory after it became confidential.
    assert host.call("base", "probe_extension", DBTR).value == 0


def test_private_extension_is_not_the_hosts(host: Host) -> None:
    for function in ("ready", "ret", "ret_interrupted", "assign", "release", "info", "panic"):
        assert host.call("tsmd", function, POOL, 1).error == abi.Error.NOT_SUPPORTED


def test_conversion_holds_on_every_hart(host: Host) -> None:
    page = POOL + 0x200000
    assert host.call("covh", "convert_pages", page, 16, cpu=0).ok
    for cpu in range(2):
        result = host.shell.run(f"taskset {1 << cpu:x} tvm probe 00 {page:#x} {page + 0xF000:#x}")
        assert result.output.count('"fault":true') == 4, result.output
    assert host.call("covh", "global_fence").ok
    for cpu in range(2):
        assert host.call("covh", "local_fence", cpu=cpu).ok
    assert host.call("covh", "reclaim_pages", page, 16, cpu=1).ok
    for cpu in range(2):
        result = host.shell.run(f"taskset {1 << cpu:x} tvm peek {page:#x} --json")
        assert '"fault":false' in result.output


def test_reboot_shows_nothing_of_a_tvm(tmp_path: Path) -> None:
    with booted(tmp_path, 'qemu.extra_args=["-action","reboot=reset"]') as host:
        guest = host.run_guest("/payload/hello.elf", hold="held")
        pages = sorted(guest.pages.values())
        ram = host.machine.ram
        assert any(any(ram.read(page, 4096)) for page in pages)
        host.shell.send("reboot -f")
        _wait_for(lambda: log_of(host).count(b"teecall: host ready") == 2)
        found = reach_shell(host.machine)
        for page in pages:
            access = found.peek(page, 4096)
            assert not access.fault and not any(access.data)


def test_death_of_the_tsm_frees_every_hart(tmp_path: Path) -> None:
    # Dies with the page tracker locked, while the other hart asks for the lock.
    tree = edited(
        "firmware/tsm",
        "call/info.c",
        "\tif (args[1] < sizeof(info))\n",
        "\tif (args[1] == 666) {\n\t\tu64 start = arch_time();\n\n\t\tpages_lock();\n"
        # Half a second: the other hart is inside by then, and waits for the lock.
        "\t\twhile (arch_time() - start < 5000000)\n\t\t\t;\n"
        "\t\t*(volatile char *)0x80000000UL = 0;\n\t}\n\tif (args[1] < sizeof(info))\n",
        tmp_path,
    )
    with booted(tmp_path / "run", f"tsm.source=path:{tree}") as host:
        host.shell.send(
            f"(until tvm call covh convert_pages {POOL:#x} 1 --cpu 1 --json | grep -q error.:-1,;"
            " do :; done) &"
            f" usleep 300000; tvm call covh get_tsm_info {POOL:#x} 666 --cpu 0;"
            " wait; poweroff -f"
        )
        _wait_for(lambda: host.machine.status is not None)
        assert host.machine.status == 0
        assert b"tsmd: TSM domain dead" in log_of(host)


def test_smepmp_is_refused_with_a_reason(smoke: Smoke) -> None:
    result = smoke("--set", "machine.cpu=rv64,smepmp=true")
    assert result.status == 1, result.screen
    assert "Smepmp" in (Path(result.report["evidence_dir"]) / "uart.log").read_text()
    assert result.failed()[0] == "boot"


def log_of(host: Host) -> bytes:
    """All that the UART has said."""
    return host.machine.uart.all() or b""


def _wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + GONE_S
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)
