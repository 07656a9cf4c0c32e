# SPDX-License-Identifier: Apache-2.0
"""Switch: what TEECALLs cost in instructions, as metrics that are the same in every run.

It is `teecall bench switch` for the one machine that is configured, with a single hart: a bare
payload in the host kernel's place, under `-icount`. `teecall bisect --scenario switch --metric
null_call_instructions --worse-by 5%` finds what made a TEECALL dearer.
"""

from __future__ import annotations

from harness.bench.switch import SwitchBench, deterministic, has_h
from harness.scenarios.runner import Skipped, Step
from harness.scenarios.smoke import Smoke, build, sources, tools


def switch(smoke: Smoke) -> str:
    """Count the instructions of a TEECALL that the TSM refuses, and of its parts."""
    if smoke.artefacts is None:
        raise Skipped("nothing was built")
    if not has_h(smoke.config):
        raise Skipped("the TSM needs the H extension")
    bench = SwitchBench(smoke.run, smoke.ui, offline=smoke.offline)
    cost = bench.switch("switch", deterministic(smoke.config))
    assert cost.tsm is not None
    smoke.metrics |= {
        "null_call_instructions": cost.tsm.null,
        "sbi_call_instructions": cost.mmode.plain,
        "tsm_enter_instructions": cost.mmode.enter,
        "tsm_leave_instructions": cost.mmode.leave,
        "tvm_enter_instructions": cost.tsm.tvm_enter,
        "tvm_exit_instructions": cost.tsm.tvm_exit,
        "tick_instructions": cost.tsm.tick,
    }
    return f"a null TEECALL takes {cost.tsm.null} instructions, {cost.tsm_alone} of them the TSM's"


STEPS: tuple[Step[Smoke], ...] = tuple(
    Step(check.__name__, check) for check in (tools, sources, build, switch)
)
