# SPDX-License-Identifier: Apache-2.0
"""How a process and those that work for it talk: frames of a length and that many bytes."""

from __future__ import annotations

import socket
import struct

_LENGTH = struct.Struct("<Q")


def send(line: socket.socket, data: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: nobody reads any more.
    """
    line.sendall(_LENGTH.pack(len(data)) + data)


def receive(line: socket.socket) -> bytes:
    """Wait for a frame.

    Raises:
        EOFError: the other side has ended before all of it came.
    """
    (length,) = _LENGTH.unpack(_exactly(line, _LENGTH.size))
    return _exactly(line, length)


def _exactly(line: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        try:
            part = line.recv(min(length - len(data), 1 << 20))
        except ConnectionError as error:
            raise EOFError(str(error)) from error
        if not part:
            raise EOFError("the other side has ended")
        data += part
    return bytes(data)
