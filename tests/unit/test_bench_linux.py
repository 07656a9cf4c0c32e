# SPDX-License-Identifier: Apache-2.0
"""What `teecall bench linux` says of its numbers."""

from __future__ import annotations

import pytest

from harness.bench.linux import WORKLOADS, Life, LinuxBench, _numbers
from harness.errors import MachineError


def bench(tvm: int, host: int) -> LinuxBench:
    compute = {
        "stock": dict.fromkeys(WORKLOADS, 1000),
        "host": dict.fromkeys(WORKLOADS, host),
        "kvm": dict.fromkeys(WORKLOADS, 1000),
        "tvm": dict.fromkeys(WORKLOADS, tvm),
    }
    launch = {"kvm": Life({"total": 100}, 1.0), "tvm": Life({"total": 400}, 2.0, 30)}
    return LinuxBench(compute, launch, {name: Life({}, 1.0, 40) for name in WORKLOADS})


def test_limits_are_kept_or_marked() -> None:
    text = "\n".join(bench(1020, 1005).lines())
    assert text.count("PASS") == 7 and "over" not in text
    text = "\n".join(bench(1021, 1006).lines())
    assert text.count("over") == 7 and "PASS" not in text
    # Of page faults, system calls and switches the quotient is told, not judged.
    assert "fault: TVM / KVM guest" in text


def test_exits_of_a_workload_are_without_those_of_the_launch() -> None:
    line = next(line for line in bench(1, 1).lines() if line.startswith("fault"))
    assert line.split()[-1] == "10"


def test_a_program_that_was_cut_off_is_told() -> None:
    assert _numbers("bench: fault 20\r\nbench: done\r\n") == {"fault": 2000}
    with pytest.raises(MachineError):
        _numbers("bench: fault 20\n")
