# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest has to say of its devices, and what the host may find of its memory."""

from __future__ import annotations

import hashlib

import pytest

from harness.host.results import GuestRun
from harness.scenarios.linux_disks import check_private, expected, judge_devices
from harness.scenarios.runner import CheckFailed

HOST = "11" * 32
NONCE = "0123456789abcdef"
BEFORE = ["fedcba9876543210"]
RANDOM = f"devices: random 4096 {'22' * 32}"
INTERRUPTS = [
    f"devices: interrupts {12 + i}:   {7 + i}  SiFive PLIC  {i + 1} Edge  virtio{i}"
    for i in range(4)
]


def said() -> list[str]:
    return [*expected(HOST, NONCE, BEFORE), RANDOM, *INTERRUPTS]


def test_a_guest_that_says_all_passes() -> None:
    assert judge_devices(said(), HOST, NONCE, BEFORE) == "22" * 32


@pytest.mark.parametrize("missing", range(len(said())))
def test_every_line_is_needed(missing: int) -> None:
    lines = said()
    del lines[missing]
    with pytest.raises(CheckFailed):
        judge_devices(lines, HOST, NONCE, BEFORE)


def test_what_the_host_wrote_is_what_counts() -> None:
    with pytest.raises(CheckFailed, match="from the host"):
        judge_devices(said(), "33" * 32, NONCE, BEFORE)


def test_zeros_are_not_random() -> None:
    zero = hashlib.sha256(bytes(4096)).hexdigest()
    lines = [line.replace("22" * 32, zero) for line in said()]
    with pytest.raises(CheckFailed, match="random bytes"):
        judge_devices(lines, HOST, NONCE, BEFORE)


def test_a_device_that_never_interrupts_fails() -> None:
    lines = [line.replace(":   9  ", ":   0  ") for line in said()]
    with pytest.raises(CheckFailed, match="interrupts of 4 devices"):
        judge_devices(lines, HOST, NONCE, BEFORE)


def test_a_file_system_that_is_made_anew_has_lost_its_files() -> None:
    with pytest.raises(CheckFailed, match="anew"):
        judge_devices([*said(), "devices: made a file system"], HOST, NONCE, BEFORE)
    with pytest.raises(CheckFailed, match="anew"):
        judge_devices(said(), HOST, NONCE, [])


def pried(**changed: int) -> GuestRun:
    event = {"event": "pry", "own": 4000, "own_readable": 0, "first": 0}
    shared = {"shared": 1024, "shared_readable": 1024}
    devices = {"event": "devices", "pool_size": 1024 * 4096}
    return GuestRun(({**event, **shared, **changed}, devices), (), 0)


def test_only_the_pool_may_be_readable() -> None:
    assert check_private(pried()) == "4000 pages closed to the host, 1024 shared"
    with pytest.raises(CheckFailed, match=r"read 3 of .* 4000 own pages.*0x80000000"):
        check_private(pried(own_readable=3, first=0x80000000))


@pytest.mark.parametrize(
    "wrong", [{"own": 0}, {"shared": 1025}, {"shared": 0}, {"shared_readable": 1023}]
)
def test_numbers_that_do_not_fit_fail(wrong: dict[str, int]) -> None:
    with pytest.raises(CheckFailed, match="the host has found"):
        check_private(pried(**wrong))
    with pytest.raises(CheckFailed, match="the host has found"):
        check_private(GuestRun((), (), 0))
