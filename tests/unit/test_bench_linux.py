# SPDX-License-Identifier: Apache-2.0
"""What `teecall bench linux` says of its numbers."""

from __future__ import annotations

import pytest

from harness.bench.linux import WORKLOADS, Life, LinuxBench, _numbers
from harness.bench.linux_costs import Costs, costs_of
from harness.bench.linux_disk import READS, disk_content, disk_ratios
from harness.errors import MachineError

# As measured: 256 reads, beyond the same guest without them
PLAIN = Costs(1803)
READ = Costs(1797, 3594, 0, 3600)


def bench(tvm: int, host: int, demands: int = 24, read: Costs = READ) -> LinuxBench:
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
    idle = {"kvm": Life({}, 1.0, None, Costs(900)), "tvm": Life({}, 1.0, 300, Costs(305))}
    more = {"kvm": PLAIN, "tvm": read}
    disk = {
        kind: Life({"disk": 300 * READS}, 1.0, None, plus(cost, idle[kind].costs))
        for kind, cost in more.items()
    }
    tvms = {name: Life({}, 1.0, 40) for name in WORKLOADS}
    return LinuxBench(compute, launch, tvms, touch, disk, idle)


def plus(one: Costs, other: Costs) -> Costs:
    return one.without(Costs(0).without(other))


def test_limits_are_kept_or_marked() -> None:
    text = "\n".join(bench(1020, 1005).lines())
    assert text.count("PASS") == 10 and "over" not in text
    bad = Costs(1894, 3594, 0, 3631)
    text = "\n".join(bench(1021, 1006, 25, bad).lines())
    assert text.count("over") == 10 and "PASS" not in text
    # Of page faults, system calls and switches the quotient is told, not judged.
    assert "fault: TVM / KVM guest" in text


def test_the_table_has_instructions_and_seconds_of_a_launch() -> None:
    lines = bench(1, 1).lines()
    at = next(i for i, line in enumerate(lines) if line.startswith("launch "))
    assert lines[at].split() == ["launch", "100", "400", "30"]
    assert lines[at + 1].split() == ["seconds", "1.00", "2.00"]


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


def test_a_read_is_told_for_both_guests_with_the_switches_that_m_mode_saw() -> None:
    text = "\n".join(bench(1, 1).lines())
    assert "  KVM guest           300 instructions     7.04 exits     0.00 domain switches" in text
    assert "  TVM                 300 instructions     7.02 exits    14.06 domain switches" in text


@pytest.mark.parametrize(
    ("plain", "ours", "within"),
    [
        (PLAIN, READ, [True, True]),
        # An access of the driver that a plain guest does not need
        (PLAIN, Costs(2053, 4106, 0, 4106), [False, True]),
        # M-mode has recorded a call more for each read than the VMM knows of, or nothing at all.
        (PLAIN, Costs(1797, 3594, 0, 4106), [True, False]),
        (PLAIN, Costs(1797, 3594, 0, 0), [True, False]),
        # Nobody has read anything.
        (Costs(0), Costs(0), [False, False]),
    ],
)
def test_limits_of_a_read(plain: Costs, ours: Costs, within: list[bool]) -> None:
    found = disk_ratios({"kvm": plain, "tvm": ours}, {"kvm": 10, "tvm": 16})
    assert [value <= limit for _, value, limit in found if limit] == within
    assert found[-1][1:] == (1.6, None)


def test_each_sector_of_the_disk_says_which_one_it_is() -> None:
    content = disk_content()
    assert len(content) == 64 * 512
    assert content[:8] == bytes([1, 0, 0, 0, 0, 0, 0, 0]) and content[63 * 512] == 64
