# SPDX-License-Identifier: Apache-2.0
"""Linux as a TVM, from launch to power off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import Scenario
from tests.system.kernels import KERNELS, NIGHTLY, check_banners, words_of


@pytest.mark.parametrize(("host", "guest"), KERNELS if NIGHTLY else KERNELS[:1])
def test_linux_runs_as_a_tvm(scenario: Scenario, tmp_path: Path, host: str, guest: str) -> None:
    result = scenario("linux-tvm", *words_of(host, guest))
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    guests = dict.fromkeys(("guest-console.log", "kvm-console.log"), guest)
    check_banners(tmp_path / "run", {"uart.log": host, **guests})
