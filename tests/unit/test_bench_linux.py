# SPDX-License-Identifier: Apache-2.0
"""What `teecall bench linux` says of its numbers."""

from __future__ import annotations

import pytest

from harness.bench.linux import WORKLOADS, Life, LinuxBench, _numbers
from harness.bench.linux_costs import Costs, costs_of
from harness.errors import MachineError


def bench(tvm: int, host: int, demands: int = 24) -> LinuxBench:
    compute = {
        "stock": dict.fromkeys(WORKLOADS, 1000),
        "host": dict.fromkeys(WORKLOADS, host),
        "kvm": dict.fromkeys(WORKLOADS, 1000),
        "tvm": dict.fromkeys(WORKLOADS, tvm),
    }
    launch = {"kvm": Life({"total": 100}, 1.0), "tvm": Life({"total": 400}, 2.0, 30)}
    touch = {
        "kvm": Life({"touch": 96}, 1.0, None, Costs(4800)),
        "tvm": Life({"touch": 48}, 1.0, 50, Costs(96, 240, demands)),
    }
    return LinuxBench(compute, launch, {name: Life({}, 1.0, 40) for name in WORKLOADS}, touch)


def test_limits_are_kept_or_marked() -> None:
    text = "\n".join(bench(1020, 1005).lines())
    assert text.count("PASS") == 8 and "over" not in text
    text = "\n".join(bench(1021, 1006, 25).lines())
    assert text.count("over") == 8 and "PASS" not in text
    # Of page faults, system calls and switches the quotient is told, not judged.
    assert "fault: TVM / KVM guest" in text


def test_exits_of_a_workload_are_without_those_of_the_launch() -> None:
    line = next(line for line in bench(1, 1).lines() if line.startswith("fault"))
    assert line.split()[-1] == "10"


def test_a_program_that_was_cut_off_is_told() -> None:
    assert _numbers("bench: fault 20\r\nbench: done\r\n") == {"fault": 2000}
    with pytest.raises(MachineError):
        _numbers("bench: fault 20\n")


def test_a_touch_is_told_by_mib_for_both_guests() -> None:
    text = "\n".join(bench(1, 1).lines())
    assert "KVM guest             2 instructions   100.00 exits     0.00 domain switches" in text
    assert "TVM                   1 instructions     2.00 exits     5.00 domain switches" in text


def test_what_a_vmm_reports_is_counted_as_exits_and_switches() -> None:
    end = {"exits": [10, 5], "interrupts": 2, "demand_calls": 4, "demands": 3}
    assert costs_of("tvm", {"vm": end}) == Costs(17, 42, 3)
    assert costs_of("kvm", {"exit": {"all_exits": 9, "exits": 1}}) == Costs(9)
