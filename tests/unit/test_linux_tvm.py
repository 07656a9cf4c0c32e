# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest has to say on its console."""

from __future__ import annotations

import pytest

from harness.scenarios.linux_tvm import expected, judge
from harness.scenarios.runner import CheckFailed

NONCE = "0123456789abcdef"
BANNER = "[    0.000000] Linux version 6.12.107 (teecall@teecall) (gcc) #1 SMP"
UP = "linux: userspace at 0.85, 2 CPUs, 6.12.107"
SLEPT = "linux: slept from 1.18 to 1.49"


def said() -> list[str]:
    return [BANNER, UP, *expected(NONCE, 2), SLEPT]


def test_a_guest_that_says_all_passes() -> None:
    detail = judge(said(), NONCE, 2)
    assert detail.startswith("Linux 6.12.107, userspace 0.85 s")


@pytest.mark.parametrize("missing", range(len(said())))
def test_every_line_is_needed(missing: int) -> None:
    lines = said()
    del lines[missing]
    with pytest.raises(CheckFailed):
        judge(lines, NONCE, 2)


def test_the_answer_depends_on_the_nonce() -> None:
    with pytest.raises(CheckFailed, match="did not say `linux: answer"):
        judge(said(), NONCE[::-1], 2)


def test_a_guest_with_another_number_of_cpus_fails() -> None:
    with pytest.raises(CheckFailed, match="does not have 1 CPUs"):
        judge(said(), NONCE, 1)


def test_a_sleep_that_is_too_short_fails() -> None:
    lines = [*said()[:-1], "linux: slept from 1.18 to 1.20"]
    with pytest.raises(CheckFailed, match="sleep"):
        judge(lines, NONCE, 2)


def test_what_the_shim_refuses_is_said_first() -> None:
    with pytest.raises(CheckFailed, match="memory that is not zero"):
        judge(["shim: memory that is not zero at 0000000087e00000, error 0"], NONCE, 1)
