# SPDX-License-Identifier: Apache-2.0
"""A machine without a processor does not hang."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from harness.machine.starved import Starved, waited_s


class Workstation:
    """Seconds that pass, and that each hart of a machine waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits = {"main": 0.0, "hart": 0.0}
        self.starved = Starved(lambda: dict(self.waits), lambda: self.now)

    def passes(self, seconds: float, waiting: float) -> None:
        self.now += seconds
        self.waits["hart"] += waiting


def test_a_silence_without_a_processor_is_excused() -> None:
    here = Workstation()
    here.passes(10, 1)
    assert not here.starved.excuses(5)
    here.passes(10, 9)
    assert here.starved.excuses(5)


def test_a_hart_that_spins_beside_another_machine_hangs() -> None:
    here = Workstation()
    here.passes(10, 5)
    assert not here.starved.excuses(0)


def test_a_silence_is_not_excused_for_ever() -> None:
    here = Workstation()
    seen = []
    for _ in range(5):
        here.passes(10, 9)
        seen.append(here.starved.excuses(7))
    assert seen == [True, True, True, False, False]
    # It has said something: another silence.
    here.passes(10, 9)
    assert here.starved.excuses(8)


def test_a_thread_that_is_new_has_waited_since_it_is_there() -> None:
    here = Workstation()
    here.passes(10, 0)
    here.starved.excuses(0)
    here.passes(10, 0)
    here.waits["new"] = 9.0
    assert here.starved.excuses(0)


def test_no_statistics_excuse_nothing() -> None:
    here = Workstation()
    here.waits = {}
    here.now += 10
    assert not here.starved.excuses(0)
    assert waited_s(2**22 + 1) == {}


def test_the_kernel_counts_who_waits() -> None:
    where = {min(os.sched_getaffinity(0))}
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {where})\nwhile True: pass"]
        )
        for _ in range(3)
    ]
    try:
        end = time.monotonic() + 60
        while sum(max(waited_s(one.pid).values(), default=0) for one in crowd) < 0.5:
            assert time.monotonic() < end, "no waiting was counted"
            time.sleep(0.02)
    finally:
        for one in crowd:
            one.kill()
            one.wait()
