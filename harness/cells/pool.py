# SPDX-License-Identifier: Apache-2.0
"""An executor that does every call in a process of its own.

The pools of the standard library break as a whole when one of their processes is killed. Here that
loses one call: its future raises WorkerLost. No process outlives its owner (see `nursery`).
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from harness.cells.worker import Call, Nursery
from harness.errors import Cancelled

P = ParamSpec("P")
T = TypeVar("T")


class CellPool(Executor):
    """Runs calls, each in a process of its own, at most `workers` at once.

    Args:
        workers: see above.
        modules: what the calls need beside what a run needs; it is loaded once.

    What is submitted must be a function of a module, with arguments that can be pickled.
    """

    def __init__(self, workers: int, modules: Sequence[str] = ()) -> None:
        self._nursery = Nursery(modules)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="cell")
        self._mutex = threading.Lock()
        self._calls: set[Call] = set()
        self._ending = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` in a process of its own; the future raises WorkerLost when that is killed."""
        return self._threads.submit(self._call, pickle.dumps((fn, args, kwargs)))

    def _call(self, request: bytes) -> Any:
        with self._mutex:
            if self._ending:
                raise Cancelled("the run was not begun")
            call = self._nursery.worker()
            self._calls.add(call)
        try:
            return call.result(request)
        finally:
            with self._mutex:
                self._calls.discard(call)

    def end(self) -> None:
        """Ask everything that goes on to end, and begin nothing more."""
        for call in self._stop():
            call.end()

    def kill(self) -> None:
        """End everything that goes on at once, and begin nothing more."""
        for call in self._stop():
            call.kill()

    def _stop(self) -> list[Call]:
        with self._mutex:
            self._ending = True
            return list(self._calls)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the pool when what goes on has ended."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        self._nursery.close()
