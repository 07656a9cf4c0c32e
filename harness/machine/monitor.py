# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor: QMP through the `qemu.qmp` library, connected at the first use."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import InfraError

if TYPE_CHECKING:
    import asyncio

    from qemu.qmp import QMPClient

_T = TypeVar("_T")
_ANSWER_S = 5.0


def _undisturbed(make: Callable[[], _T]) -> _T:
    """Return what `make` returns, called where no signal's exception can leave it half made.

    Python runs the handlers of signals in the main thread alone. A loop that was never finished
    complains on stderr when it is thrown away.
    """
    made: list[_T] = []
    thread = threading.Thread(target=lambda: made.append(make()), name="loop")
    thread.start()
    thread.join()
    return made[0]


class Monitor:
    """QMP over a socket that QEMU inherited."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: QMPClient | None = None

    def connect(self) -> None:
        """Connect now; otherwise the first command does."""
        self.execute("query-status")

    def execute(self, command: str, **arguments: object) -> object:
        """Execute a QMP command and return its answer.

        Raises:
            InfraError: QEMU refuses the command, or does not answer.
        """
        from qemu.qmp import QMPError

        try:
            client = self._connected()
            return self._run(client.execute(command, arguments or None))
        except (QMPError, OSError, TimeoutError) as error:
            raise InfraError(f"QEMU's monitor: {command}: {error or 'no answer'}") from error

    def human(self, line: str) -> str:
        """Execute a line of the human monitor and return what it prints."""
        answer = self.execute("human-monitor-command", **{"command-line": line})
        return str(answer).replace("\r\n", "\n")

    def quit(self) -> None:
        """Ask QEMU to end. The connection may end before the answer."""
        self.execute("quit")

    def close(self) -> None:
        """Drop the connection."""
        if self._loop is None:
            return
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._run(self._client.disconnect())
        self._end_tasks(self._loop)
        self._loop.close()
        self._loop = None

    @staticmethod
    def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
        """End what an interruption has left in the middle."""
        import asyncio

        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))

    def _connected(self) -> QMPClient:
        if self._client is None:
            # Imported here: the machine boots while these load.
            import asyncio
            import logging

            from qemu.qmp import QMPClient

            # The library reports the end of the connection as an error; here it is a normal end.
            logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)
            self._loop = _undisturbed(asyncio.new_event_loop)
            client = QMPClient("teecall")
            self._run(client.connect(self._channel))
            self._client = client
        return self._client

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        import asyncio

        assert self._loop is not None
        return self._loop.run_until_complete(asyncio.wait_for(work, _ANSWER_S))
