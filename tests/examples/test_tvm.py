# SPDX-License-Identifier: Apache-2.0
"""TVMs: a guest of teecall's, and a payload that is compiled here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.testing.guests import Tvm

SOURCE = Path(__file__).with_name("payload.S")
CROSS = "riscv64-linux-gnu-"


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The payload as a flat binary."""
    folder = tmp_path_factory.mktemp("payload")
    elf, flat = folder / "payload.elf", folder / "payload.bin"
    place = "-Wl,-Ttext=0x80200000,--build-id=none"
    compile_ = [f"{CROSS}gcc", "-nostdlib", "-static", place, "-o", str(elf)]
    subprocess.run([*compile_, str(SOURCE)], check=True)
    subprocess.run([f"{CROSS}objcopy", "-O", "binary", elf, flat], check=True)
    return flat


def test_guest_answers(tvm: Tvm) -> None:
    guest = tvm.run("hello", arg=42)
    assert not guest.wait().trouble
    assert "hello: nonce=000000000000002a" in guest.lines


def test_payload_of_your_own(tvm: Tvm, payload: Path) -> None:
    guest = tvm.payload(payload)
    assert not guest.wait().trouble
    assert guest.lines == ["payload: hart 0, device tree"]


@pytest.mark.teecall(harts=1)
def test_guest_that_never_ends(tvm: Tvm) -> None:
    guest = tvm.run("spin")
    guest.wait_line("spin")
    end = guest.destroy()
    assert (end.first("exit") or {})["reason"] == "limit"
