# SPDX-License-Identifier: Apache-2.0
"""What the machine says, taken off its sockets at once by a thread that does nothing else.

QEMU stops a guest whose console nobody reads. So the thread here only moves bytes into memory:
it runs no code of a user, decodes nothing and waits for nobody. Everyone who wants to see the
bytes reads them from the `Stream`, at a position of their own.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Sequence
from typing import Protocol

_CHUNK = 1 << 16
# QEMU writes the whole log to a file; memory only needs what a reader may still ask for.
_KEEP = 32 << 20
# A UART is read byte by byte: arrivals closer than this share their time.
_SAME_TIME_S = 0.001
# A stream on which nobody waits for an answer is looked at again after this long. A UART says one
# byte at a time, and a boot would wake this thread, and who waits for news, 3900 times.
_PAUSE_S = 0.002
# Times that are kept, some minutes of a console that never pauses; then the older half goes.
_MOST_TIMES = 1 << 18


class Channel(Protocol):
    """A socket, or what reads like one."""

    def recv(self, size: int, /) -> bytes:
        """Return what has arrived; nothing at the end."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it, or raise OSError."""

    def fileno(self) -> int:
        """Return the descriptor to wait for."""


class Stream:
    """The bytes one console has said, and the socket to answer it.

    `notes` are lines of the harness's own, each with the position at which it was made;
    `arrivals` are positions with the monotonic seconds at which the byte there arrived.
    """

    def __init__(self, name: str, channel: Channel, news: threading.Condition) -> None:
        self.name = name
        self.closed = False
        self.news = news
        self.notes: list[tuple[int, str]] = []
        self.arrivals: list[tuple[int, float]] = []
        self._channel = channel
        self._data = bytearray()
        self._dropped = 0

    @property
    def end(self) -> int:
        """Number of bytes said so far."""
        return self._dropped + len(self._data)

    def read(self, position: int) -> bytes:
        """Return what was said from `position` on (from the oldest byte kept, if that is later)."""
        return bytes(self._data[max(0, position - self._dropped) :])

    def all(self) -> bytes | None:
        """Return everything said, None when it was too much to keep."""
        return None if self._dropped else bytes(self._data)

    def tail(self, size: int) -> bytes:
        """Return the last `size` bytes."""
        return bytes(self._data[-size:])

    def send(self, data: bytes) -> None:
        """Send `data`; a machine that is gone swallows it, the next read tells why."""
        try:
            self._channel.sendall(data)
        except OSError:
            self.closed = True

    def note(self, line: str, position: int | None = None) -> None:
        """Remember a line that belongs between what was said before and what comes after.

        Args:
            line: without its end.
            position: where on the stream; None: here.
        """
        self.notes.append((self.end if position is None else position, line))

    def wait_closed(self, seconds: float) -> bool:
        """Wait for the end of the stream; return whether it has come."""
        with self.news:
            return self.news.wait_for(lambda: self.closed, seconds)

    def _fill(self) -> bool:
        """Take what is there; return False at the end of the stream."""
        try:
            data = self._channel.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        now = time.monotonic()
        with self.news:
            if not self.arrivals or now - self.arrivals[-1][1] >= _SAME_TIME_S:
                self.arrivals.append((self.end, now))
                if len(self.arrivals) > _MOST_TIMES:
                    del self.arrivals[: _MOST_TIMES // 2]
            self._data += data
            excess = len(self._data) - _KEEP
            if excess > _CHUNK:
                del self._data[:excess]
                self._dropped += excess
            self.closed = self.closed or not data
            self.news.notify_all()
        return bool(data)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._channel.fileno()


def with_notes(data: bytes, start: int, notes: Sequence[tuple[int, str]]) -> bytes:
    """Return what was said from position `start` on, with each note as a line of its own."""
    parts, done = [], 0
    for position, line in notes:
        at = min(max(position - start, done), len(data))
        inside_line = at > 0 and data[at - 1 : at] != b"\n"
        parts.append(data[done:at] + (b"\n" if inside_line else b""))
        parts.append(line.encode() + b"\n")
        done = at
    return b"".join([*parts, data[done:]])


class Drain:
    """The thread that keeps all streams of one machine empty."""

    def __init__(self) -> None:
        self.news = threading.Condition()
        self.streams: list[Stream] = []
        self._selector = selectors.DefaultSelector()
        self._patient: set[Stream] = set()
        # Streams that are left alone until that time, in monotonic seconds.
        self._resting: dict[Stream, float] = {}
        self._stop_read, self._stop_write = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="drain", daemon=True)

    def add(self, name: str, channel: Channel, *, patient: bool = False) -> Stream:
        """Read `channel` from now on (before `start`).

        Args:
            name: of the stream.
            channel: where it is read; it has to hold what comes in 2 ms.
            patient: take what it says in pieces 2 ms apart, and so with times that exact.
        """
        stream = Stream(name, channel, self.news)
        self.streams.append(stream)
        if patient:
            self._patient.add(stream)
        self._selector.register(stream, selectors.EVENT_READ, stream)
        return stream

    def start(self) -> None:
        """Start reading."""
        self._selector.register(self._stop_read, selectors.EVENT_READ, None)
        self._thread.start()

    @property
    def total(self) -> int:
        """Bytes said on all streams together: any growth is a sign of life."""
        return sum(stream.end for stream in self.streams)

    @property
    def any_closed(self) -> bool:
        """True when QEMU has closed a console: it is gone, or about to be."""
        return any(stream.closed for stream in self.streams)

    def finish(self) -> None:
        """Wait for the end of all streams (QEMU is gone), then stop."""
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        self._stop_write.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._selector.close()
        self._stop_read.close()

    def _run(self) -> None:
        open_streams = len(self.streams)
        while open_streams:
            for key, _ in self._selector.select(self._rest()):
                stream = key.data
                if stream is None:
                    return
                alive = stream._fill()
                if not alive:
                    open_streams -= 1
                if not alive or stream in self._patient:
                    self._selector.unregister(key.fileobj)
                if alive and stream in self._patient:
                    self._resting[stream] = time.monotonic() + _PAUSE_S

    def _rest(self) -> float | None:
        """Take back the streams that have rested; return the seconds until the next has."""
        now = time.monotonic()
        for stream in [one for one, until in self._resting.items() if until <= now]:
            del self._resting[stream]
            self._selector.register(stream, selectors.EVENT_READ, stream)
        return min(self._resting.values()) - now if self._resting else None
