# SPDX-License-Identifier: Apache-2.0
"""Which lines of a kernel's log mean that something is wrong."""

from __future__ import annotations

import pytest

from harness.scenarios.smp_checks import complaints_in


@pytest.mark.parametrize(
    "line",
    [
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "rcu: rcu_sched kthread starved for 5256 jiffies! g-1103 f0x0 RCU_GP_WAIT_FQS(5)",
        "rcu_sched: a stall that is told in other words",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 67s! [tvm:45]",
        "WARNING: CPU: 0 PID: 33 at kernel/workqueue.c:1412",
        "INFO: task tvm:45 blocked for more than 120 seconds.",
        "covh: page 0x9ffff000 is lost",
    ],
)
def test_a_complaint(line: str) -> None:
    assert complaints_in(f"[    0.1] fine\n[    1.2] {line}\n") == [f"[    1.2] {line}"]


@pytest.mark.parametrize(
    "line",
    [
        "Kernel command line: console=ttyS0 rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30",
        "rcu: \tRCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).",
        "covh: loading out-of-tree module taints kernel.",
        "covh: module verification failed: signature and/or required key missing",
    ],
)
def test_no_complaint(line: str) -> None:
    assert complaints_in(f"[    1.2] {line}\n") == []
