# SPDX-License-Identifier: Apache-2.0
"""`teecall bench linux`: the numbers are instructions, so that some of them can be judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.bench.linux import HOST_LIMIT, TVM_LIMIT, WORKLOADS
from harness.bench.linux_costs import DEMAND_LIMIT, TOUCH_MIB
from harness.bench.linux_disk import COUNTS_LIMIT, EXITS_LIMIT, READS
from tests.system.conftest import teecall

pytestmark = pytest.mark.system


def test_bench_linux(tmp_path: Path) -> None:
    target = tmp_path / "linux.json"
    done = teecall("bench", "linux", "-q", "--json", str(target))
    assert done.returncode == 0, done.stdout
    found = json.loads(target.read_text())
    for world in ("stock", "host", "kvm", "tvm"):
        assert set(found["compute"][world]) == set(WORKLOADS)
        assert min(found["compute"][world].values()) > 1_000_000
    # A TVM does not get memory without its VMM, and computes without it.
    idle = found["launch"]["tvm"]
    assert found["touch"]["tvm"]["costs"]["demands"] - idle["costs"]["demands"] > TOUCH_MIB / 4
    assert found["tvm"]["integer"]["exits"] - idle["exits"] < 100
    # KVM has a page for each exit; its guests never leave the host's domain.
    kvm = found["touch"]["kvm"]["costs"]
    assert kvm["exits"] - found["launch"]["kvm"]["costs"]["exits"] > 100 * TOUCH_MIB
    assert kvm["switches"] == 0 < found["touch"]["tvm"]["costs"]["switches"]
    # A read needs its notification and its interrupt at least, in a TVM with M-mode in between.
    for kind, records in (("kvm", 0), ("tvm", 2)):
        read, without = found["disk"][kind]["costs"], found["disk_idle"][kind]["costs"]
        assert read["exits"] - without["exits"] >= 4 * READS
        assert read["recorded"] - without["recorded"] >= records * 4 * READS
        assert records or read["recorded"] == 0
    limits = [ratio for ratio in found["ratios"] if ratio["limit"] is not None]
    assert {ratio["limit"] for ratio in limits} == {
        *(HOST_LIMIT, TVM_LIMIT, DEMAND_LIMIT),
        *(EXITS_LIMIT, COUNTS_LIMIT),
    }
    assert len(limits) == len(WORKLOADS) + 5
    assert all(ratio["within"] for ratio in limits), done.stdout
    assert done.stdout.count("PASS") == len(limits)
