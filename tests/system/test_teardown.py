# SPDX-License-Identifier: Apache-2.0
"""TVMs that are ended in every state of their lives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.conftest import Scenario
from tests.system.kernels import KERNELS, NIGHTLY, check_banners, words_of

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("host", "guest"), KERNELS if NIGHTLY else KERNELS[:1])
def test_nothing_is_left_of_a_tvm(
    scenario: Scenario, tmp_path: Path, host: str, guest: str
) -> None:
    result = scenario("teardown-matrix", *words_of(host, guest))
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    # The seed and the moments that came of it are printed.
    seed = json.loads((tmp_path / "run" / "run.json").read_text())["seed"]
    assert seed in result.check("moments")["detail"]
    check_banners(tmp_path / "run", {"uart.log": host, "guest-console.log": guest})
