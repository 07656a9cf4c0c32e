# SPDX-License-Identifier: Apache-2.0
"""Show the machine's consoles while it runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from harness.machine.deaths import clean
from harness.machine.machine import Machine
from harness.machine.streams import Stream, with_notes

_LOOK_S = 0.2


class _Follower(threading.Thread):
    """Hands every complete line of some streams to a function of the caller."""

    def __init__(self, streams: list[Stream], show: Callable[[str, str], None]) -> None:
        super().__init__(name="follow", daemon=True)
        self._streams = streams
        self._show = show
        self._positions = [0] * len(streams)
        self._noted = [0] * len(streams)
        self._stop_requested = threading.Event()

    def run(self) -> None:
        """Show lines until told to stop."""
        while not self._stop_requested.is_set():
            with self._streams[0].news:
                self._streams[0].news.wait(_LOOK_S)
            self._show_new()
        self._show_new(everything=True)

    def finish(self) -> None:
        """Show the rest and end."""
        self._stop_requested.set()
        self.join()

    def _show_new(self, everything: bool = False) -> None:
        for index, stream in enumerate(self._streams):
            start = self._positions[index]
            new = stream.read(start)
            end = len(new) if everything else new.rfind(b"\n") + 1
            self._positions[index] += end
            notes = [note for note in stream.notes[self._noted[index] :] if note[0] <= start + end]
            self._noted[index] += len(notes)
            text = with_notes(new[:end], start, notes)
            for line in clean(text).decode(errors="replace").splitlines():
                self._show(stream.name, line)


@contextlib.contextmanager
def following(machine: Machine, show: Callable[[str, str], None]) -> Iterator[None]:
    """Call `show(console, line)` for every line the machine says inside the `with` block."""
    streams = [machine.uart] + ([machine.shell] if machine.shell is not None else [])
    follower = _Follower(streams, show)
    follower.start()
    try:
        yield
    finally:
        follower.finish()
