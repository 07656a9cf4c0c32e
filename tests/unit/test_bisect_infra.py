# SPDX-License-Identifier: Apache-2.0
"""What the environment spoils is no verdict, whatever judges."""

from __future__ import annotations

import pytest

from harness.bisect.journal import JudgeRecord
from harness.bisect.judge import Judged, Reference, judge_run, metric_of
from harness.bisect.oracle import Outcome
from harness.verdict import Verdict
from tests.unit.test_bisect_loop import run_of


@pytest.mark.parametrize("judge", [{}, {"check": "teardown"}, {"any_failure": True}])
@pytest.mark.parametrize("reference", [None, Reference("INFRA x", "x", at_boot=False)])
def test_infra_is_no_verdict(judge: dict[str, str], reference: Reference | None) -> None:
    spoilt = run_of(Verdict.INFRA, "INFRA x")
    judged = judge_run(spoilt, JudgeRecord(**judge), reference)  # type: ignore[arg-type]
    assert judged.outcome is Outcome.INFRA


def test_infra_has_no_metric() -> None:
    judged = metric_of(run_of(Verdict.INFRA, "INFRA x"), "boot_s")
    assert isinstance(judged, Judged) and judged.outcome is Outcome.INFRA
