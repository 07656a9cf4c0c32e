# SPDX-License-Identifier: Apache-2.0
"""The host, a KVM guest and a TVM work at once, and end in any order."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from harness.config.load import load
from harness.machine.rundir import new_run
from harness.scenarios import world, worlds
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke, boot
from harness.scenarios.smp import healthy
from harness.scenarios.world import World, start
from harness.scenarios.worlds import orders_of
from harness.ui import QuietUi
from tests.system.conftest import Scenario
from tests.system.kernels import NIGHTLY, check_banners, words_of

pytestmark = pytest.mark.system

# Harts, the host's kernel, the guests' kernel
CELLS = [(2, "debian", "small"), (4, "small", "small")]
MORE_CELLS = [(2, "small", "debian"), (4, "debian", "debian")]
# By the number of harts: four of them on two cores take their time.
ORDERS = {2: 4, 4: 2}
SHORT = ["--set", "worlds.seconds=2"]
LONG = ["--set", "worlds.seconds=120"]


@pytest.fixture(scope="module")
def seeds() -> dict[int, str]:
    """Seeds by number of harts; those of 2 and of 4 share the six orders between them."""
    while True:
        two, four = os.urandom(16), os.urandom(16)
        if len({*orders_of(two, ORDERS[2]), *orders_of(four, ORDERS[4])}) == 6:
            return {2: two.hex(), 4: four.hex()}


@pytest.mark.parametrize(("harts", "host", "guest"), CELLS + (MORE_CELLS if NIGHTLY else []))
def test_three_worlds(
    scenario: Scenario, tmp_path: Path, seeds: dict[int, str], harts: int, host: str, guest: str
) -> None:
    orders = 6 if NIGHTLY else ORDERS[harts]
    length = LONG if NIGHTLY else [*SHORT, "--seed", seeds[harts]]
    words = ["--set", f"machine.harts={harts}", "--set", f"worlds.orders={orders}", *length]
    result = scenario("three-worlds", *words_of(host, guest), *words)
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    rounds = result.report["metrics"]
    assert min(rounds[f"{name}_rounds"] for name in ("host", "kvm", "tvm")) > 0
    assert result.check("teardown")["detail"].count(" then ") == 2 * orders
    guests = dict.fromkeys(("kvm-console.log", "tvm-console.log"), guest)
    check_banners(tmp_path / "run", {"uart.log": host, **guests})


def test_a_failed_step_leaves_no_world_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as stack:
        run = Smoke(load((), []).value, new_run(tmp_path / "run"), QuietUi(), stack)
        worlds.build(run)
        boot(run)
        worlds.begin_memory(run)
        with monkeypatch.context() as patched:
            patched.setattr(World, "rounds", property(_no_result))
            with pytest.raises(CheckFailed, match="no result"):
                worlds.work(run)
        # Both guests run, and have the pool's pages and their devices.
        assert "--input load" in run.need_host().shell.run("ps").output
        worlds.usable(run)
        healthy(run)
        again = start(run, "tvm", "again")
        again.await_rounds(1)
        # It dies of SIGKILL, the end of a tool that cannot clean up: that is no end in order.
        kill = world._kill
        monkeypatch.setattr(world, "_kill", lambda name, _: kill(name, "KILL"))
        with pytest.raises(CheckFailed, match="SIGTERM ended it with status 137"):
            again.end()


def _no_result(_: World) -> int:
    raise CheckFailed("no result")
