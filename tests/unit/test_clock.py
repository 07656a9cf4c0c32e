# SPDX-License-Identifier: Apache-2.0
"""Time limits: a clock that is set and a debugger that holds the machine change nothing."""

from __future__ import annotations

import time

import pytest

from harness.errors import MachineHang
from harness.machine.deadline import Deadline


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0])
def test_a_jump_of_the_wall_clock_is_no_hang(
    monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    deadline = Deadline("a step", stall_s=5, total_s=20)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + jump_s)
    deadline.check()
    assert 4 < deadline.remaining() <= 5


def test_a_silence_that_is_excused_starts_the_time_anew() -> None:
    now = [0.0]
    deadline = Deadline("a step", stall_s=5, total_s=20, clock=lambda: now[0])
    now[0] = 30.0
    deadline.check(lambda: True)
    assert deadline.remaining() == 5
    now[0] = 34.0
    deadline.check()
    now[0] = 35.0
    with pytest.raises(MachineHang):
        deadline.check(lambda: False)
