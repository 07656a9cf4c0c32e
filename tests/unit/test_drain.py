# SPDX-License-Identifier: Apache-2.0
"""The thread that empties the consoles: what arrives when, on streams with and without patience."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import pytest

from harness.machine.streams import Drain, Stream

_LIMIT_S = 5.0


class Counted:
    """A socket that counts how often it was read."""

    def __init__(self, wrapped: socket.socket) -> None:
        self.reads = 0
        self._wrapped = wrapped
        self.sendall = wrapped.sendall
        self.fileno = wrapped.fileno

    def recv(self, size: int) -> bytes:
        self.reads += 1
        return self._wrapped.recv(size)


def awaited(drain: Drain, come: Callable[[], bool]) -> bool:
    with drain.news:
        return drain.news.wait_for(come, _LIMIT_S)


def longer(stream: Stream, size: int) -> bool:
    return stream.end > size


def say_in_bytes(patient: bool, count: int) -> int:
    """Say bytes one at a time, each when the other end could have read; return the reads."""
    near, far = socket.socketpair()
    also_near, also_far = socket.socketpair()
    channel = Counted(near)
    drain = Drain()
    stream = drain.add("uart", channel, patient=patient)
    other = drain.add("shell", also_near)
    drain.start()
    for number in range(count):
        far.sendall(b"x")
        # The first answer comes in the same look as the byte, or in a later one, and may be
        # read before the byte; the second one's look comes when the first one's is over.
        for answer in (2 * number, 2 * number + 1):
            also_far.sendall(b"y")
            assert awaited(drain, partial(longer, other, answer))
    far.sendall(b"!")
    far.close()
    also_far.close()
    assert awaited(drain, lambda: stream.closed and other.closed)
    drain.finish()
    assert stream.all() == b"x" * count + b"!"
    near.close()
    also_near.close()
    return channel.reads


def test_patient_stream_loses_nothing_and_is_read_less_often() -> None:
    assert say_in_bytes(patient=True, count=400) < 200


def test_stream_with_an_answer_is_read_at_once() -> None:
    assert say_in_bytes(patient=False, count=400) >= 400


@pytest.mark.parametrize("patient", [False, True])
def test_end_of_a_stream_is_seen(patient: bool) -> None:
    near, far = socket.socketpair()
    drain = Drain()
    stream = drain.add("uart", near, patient=patient)
    drain.start()
    far.sendall(b"said")
    assert awaited(drain, lambda: stream.end == 4)
    far.close()
    assert stream.wait_closed(_LIMIT_S)
    drain.finish()
    near.close()
