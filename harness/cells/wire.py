# SPDX-License-Identifier: Apache-2.0
"""How a process and those that work for it talk: frames of a length and that many bytes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

_LENGTH = struct.Struct("<Q")


def send(line: socket.socket, data: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: nobody reads any more.
    """
    line.sendall(_LENGTH.pack(len(data)) + data)


def receive(line: socket.socket, wait: Callable[[], None] | None = None) -> bytes:
    """Wait for a frame.

    Args:
        line: where it comes.
        wait: returns when there is something on the line, and may raise an error of its own.

    Raises:
        EOFError: the other side has ended before all of it came.
    """
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size, wait))
    return _exactly(line, length, wait)


def _exactly(line: socket.socket, length: int, wait: Callable[[], None] | None) -> bytes:
    data = bytearray()
    while len(data) < length:
        try:
            if wait is not None:
                wait()
            part = line.recv(min(length - len(data), 1 << 20))
        except ConnectionError as error:
            raise EOFError(str(error)) from error
        if not part:
            raise EOFError("the other side has ended")
        data += part
    return bytes(data)
