# SPDX-License-Identifier: Apache-2.0
"""A process that writes batches by chance and judges their answers, while a machine makes calls.

The machine needs one core for its calls, which are made one after the other, and Python as much
again for half of the time. So `python -m harness.conformance.scribe FD` writes the next batch and
judges the last one meanwhile; only what the machine reads and what it says goes between them. It
ends when its owner closes the socket, or is dead.
"""

from __future__ import annotations

import contextlib
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

from harness.cells import wire
from harness.conformance.desk import Desk, Judged, Packed, Setting
from harness.errors import InfraError


class Scribe:
    """The process as its owner sees it. What is asked for is done, and answered, in order."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def ask(self, what: str, argument: int | str) -> None:
        """Ask for `write`, with a number of calls, or `judge`, with what the machine printed."""
        try:
            wire.send(self._line, pickle.dumps((what, argument)))
        except OSError as error:
            raise _gone() from error

    def packed(self) -> Packed:
        """Wait for the answer to `write`."""
        packed = self._answer()
        assert isinstance(packed, Packed)
        return packed

    def judged(self) -> Judged:
        """Wait for the answer to `judge`."""
        judged = self._answer()
        assert isinstance(judged, Judged)
        return judged

    def _answer(self) -> object:
        try:
            return pickle.loads(wire.receive(self._line))
        except EOFError as error:
            raise _gone() from error


def _gone() -> InfraError:
    return InfraError("the process that writes the calls has ended", "its message stands above")


@contextlib.contextmanager
def scribe(setting: Setting) -> Iterator[Scribe]:
    """Start the process; it has ended when the block ends.

    Raises:
        InfraError: it ended by itself; raised where its answer is awaited.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            command = [sys.executable, "-m", "harness.conformance.scribe", str(theirs.fileno())]
            process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        try:
            wire.send(ours, pickle.dumps(setting))
            yield Scribe(ours)
        finally:
            process.kill()
            process.wait()


def main() -> None:
    """Serve the owner until it closes its side of the socket."""
    # Ctrl-C goes to the whole foreground group; the owner's end is this one's too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as line, contextlib.suppress(EOFError, OSError):
        desk = Desk(pickle.loads(wire.receive(line)))
        while True:
            what, argument = pickle.loads(wire.receive(line))
            answer = desk.write(argument) if what == "write" else desk.judge(argument)
            wire.send(line, pickle.dumps(answer))


if __name__ == "__main__":
    main()
