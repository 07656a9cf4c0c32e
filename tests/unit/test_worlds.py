# SPDX-License-Identifier: Apache-2.0
"""What three worlds have to find, and in which orders they end."""

from __future__ import annotations

import itertools
import zlib

import pytest

from harness.config.schema import Config
from harness.machine.rundir import RunDir
from harness.scenarios.linux_tvm import KERNEL
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke
from harness.scenarios.world import NAMES, World, log_of, results
from harness.scenarios.worlds import orders_of

NONCE = 0x29FFE814422A6667


def test_results_follow_from_nonce_and_process() -> None:
    first = list(itertools.islice(results(NONCE, 0), 3))
    assert first == list(itertools.islice(results(NONCE, 0), 3))
    assert first != list(itertools.islice(results(NONCE, 1), 3))
    assert len(set(first)) == 3


def test_first_result_is_two_crcs_of_the_buffer() -> None:
    x, words = 5 + 2 + 1, b""
    for _ in range(4096):
        x ^= x << 13 & (1 << 64) - 1
        x ^= x >> 7
        x ^= x << 17 & (1 << 64) - 1
        words += x.to_bytes(8, "little")
    assert next(results(5, 2)) == zlib.crc32(words + words)


def test_all_orders_are_there_once() -> None:
    found = orders_of(b"seed", 6)
    assert sorted(found) == sorted(itertools.permutations(NAMES))
    assert orders_of(b"seed", 2) == orders_of(b"seed", 2)


def world(tmp_path: object, text: str) -> World:
    import contextlib
    from pathlib import Path

    from harness.ui import QuietUi

    assert isinstance(tmp_path, Path)
    smoke = Smoke(Config(), RunDir(tmp_path), QuietUi(), contextlib.ExitStack())
    (tmp_path / log_of("tvm")).write_text(text)
    return World(smoke, "tvm", NONCE, 1, 0)


def test_right_results_are_counted(tmp_path: object) -> None:
    found = list(itertools.islice(results(NONCE, 0), 5))
    text = f"hello\r\nwork: 0 2 {found[1]:08x}\r\nwork: done 0 5 {found[4]:08x}\nwork: 0 9"
    assert world(tmp_path, text).rounds == 5


@pytest.mark.parametrize(
    "text",
    [
        "work: 0 1 00000000\n",
        "work: 7 1 00000000\n",
        "work: failed: a file is wrong\n",
        "[    8.26] Kernel panic - not syncing: Attempted to kill init!\n",
    ],
)
def test_what_is_wrong_is_told(tmp_path: object, text: str) -> None:
    with pytest.raises(CheckFailed):
        world(tmp_path, text).look()


def test_a_guest_with_another_kernel_than_it_is_to_have_is_told(tmp_path: object) -> None:
    banner = "Linux version 6.12.107 (teecall@teecall) (gcc) #1 SMP"
    found = world(tmp_path, f"[    0.000000] {banner}\r\nwork: userspace at 1\r\n")
    found.smoke.files[KERNEL] = f"\0{banner}\n\0".encode()
    assert found.release() == "6.12.107"
    found.smoke.files[KERNEL] = b"Linux version 6.12.107+deb13 (debian) (gcc-14) #1 SMP Debian\n"
    with pytest.raises(CheckFailed, match="not that of the guest's Image"):
        found.release()


def test_a_guest_without_a_banner_is_told(tmp_path: object) -> None:
    found = world(tmp_path, "work: userspace at 1\r\n")
    found.smoke.files[KERNEL] = b"Linux version 6.12.107 (teecall@teecall) (gcc) #1 SMP\n"
    with pytest.raises(CheckFailed, match="no banner"):
        found.release()
