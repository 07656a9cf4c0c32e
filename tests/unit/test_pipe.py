# SPDX-License-Identifier: Apache-2.0
"""UART0's pipes, as QEMU and the harness use them."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from harness.machine import pipe
from harness.machine.pipe import UartPipes


@pytest.fixture
def pipes() -> Iterator[UartPipes]:
    with UartPipes(deaf=False) as made:
        yield made


def paths(pipes: UartPipes) -> list[str]:
    return re.findall(r"path=([^,]+)", pipes.device)


def test_what_the_machine_says_and_hears(pipes: UartPipes) -> None:
    out, into = paths(pipes)
    machine = ["sh", "-c", f"read -r line <{into}; echo heard $line >{out}"]
    with subprocess.Popen(machine, pass_fds=pipes.theirs) as process:
        pipes.hand_over()
        pipes.sendall(b"hello\n")
        process.wait(10)
    assert pipes.recv(100) == b"heard hello\n"
    assert pipes.recv(100) == b""


def test_nothing_said_yet_is_not_the_end(pipes: UartPipes) -> None:
    with pytest.raises(BlockingIOError):
        pipes.recv(1)


def test_a_machine_that_is_gone_hears_nothing(pipes: UartPipes) -> None:
    pipes.hand_over()
    with pytest.raises(BrokenPipeError):
        pipes.sendall(b"x")


def test_a_machine_that_hangs_loses_what_it_has_no_room_for(
    pipes: UartPipes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe, "_ROOM_WITHIN_MS", 10)
    pipes.sendall(b"a" * (1 << 20))
    _, into = pipes.theirs
    held = os.read(into, 1 << 20)
    assert 4096 <= len(held) < 1 << 20
    # What it takes again arrives.
    pipes.sendall(b"b")
    assert os.read(into, 1 << 20) == b"b"


def test_a_deaf_machine_has_no_input() -> None:
    with UartPipes(deaf=True) as pipes:
        assert "input-path" not in pipes.device
        with pytest.raises(OSError, match="takes no input"):
            pipes.sendall(b"x")


def test_less_room_where_the_user_has_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "pipe-user-pages-soft")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with UartPipes(deaf=False) as pipes:
        assert len(pipes.theirs) == 2


def test_nothing_stays_open() -> None:
    with UartPipes(deaf=False) as first:
        wanted = first.theirs
    with UartPipes(deaf=False) as second:
        assert second.theirs == wanted
