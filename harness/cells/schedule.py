# SPDX-License-Identifier: Apache-2.0
"""Brings cells to an executor, as many at once as there is room for, and their results back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from dataclasses import replace

from harness.cells.cell import Cell, CellResult, run_cell, spoilt
from harness.cells.room import Room
from harness.errors import InfraError, TeecallError

# An attempt that the environment spoilt is made again this many times.
RETRIES = 2

Run = Callable[[Cell], CellResult]


class Scheduler:
    """Runs cells.

    Args:
        executor: does the runs.
        room: says how many of them at once.
        run: what is done with a cell; the executor must be able to carry it.
    """

    def __init__(self, executor: Executor, room: Room, run: Run = run_cell) -> None:
        self._executor = executor
        self._room = room
        self._run = run
        self._running: dict[Future[CellResult], tuple[Cell, float]] = {}
        self._again: deque[Cell] = deque()
        self._spoilt: dict[str, tuple[str, ...]] = {}
        self._closed = False

    def close(self) -> None:
        """Begin no further cell; those that go on come to their end, also by another attempt."""
        self._closed = True

    def results(self, cells: Iterable[Cell]) -> Iterator[CellResult]:
        """Run cells and give each one's result as it comes.

        An attempt that the environment spoilt is made again, twice at most; that it was is in the
        result. Cells are taken one by one as there is room, so that there may be any number.
        Labels must differ.
        """
        waiting = iter(cells)
        ahead: Cell | None = None
        while True:
            ahead = self._fill(self._still_wanted(ahead), waiting)
            if not self._running:
                return
            done, _ = wait(self._running, return_when=FIRST_COMPLETED)
            for future in done:
                result = self._settled(future)
                if result is not None:
                    yield result

    def drained(self, limit_s: float) -> list[CellResult]:
        """Wait for what still goes on, which somebody has asked to end.

        Args:
            limit_s: time to wait in seconds.

        Returns:
            Results of the cells that came to their end all the same.
        """
        done, _ = wait(self._running, timeout=limit_s)
        found = []
        for future in done:
            cell, _ = self._running.pop(future)
            result = outcome(future, cell, 0.0)
            if not result.is_spoilt:
                found.append(self._complete(result))
        return found

    def _fill(self, ahead: Cell | None, waiting: Iterator[Cell]) -> Cell | None:
        """Begin cells while there is room; return the one that has to wait, if any."""
        while True:
            if ahead is None:
                ahead = self._next(waiting)
            if ahead is None or not self._fits(ahead):
                return ahead
            self._running[self._executor.submit(self._run, ahead)] = (ahead, time.monotonic())
            ahead = None

    def _still_wanted(self, cell: Cell | None) -> Cell | None:
        """Forget a cell that waits for room when no further one is to begin."""
        return None if self._closed and cell is not None and cell.attempt == 1 else cell

    def _next(self, waiting: Iterator[Cell]) -> Cell | None:
        if self._again:
            return self._again.popleft()
        return None if self._closed else next(waiting, None)

    def _fits(self, cell: Cell) -> bool:
        return self._room.fits(cell.need, [other.need for other, _ in self._running.values()])

    def _settled(self, future: Future[CellResult]) -> CellResult | None:
        """Return what came of a cell, or None when it is to be run again."""
        cell, begun = self._running.pop(future)
        result = outcome(future, cell, time.monotonic() - begun)
        if result.is_spoilt and cell.attempt <= RETRIES:
            why = result.failures[0].message if result.failures else "interrupted"
            self._spoilt[cell.label] = (*self._spoilt.get(cell.label, ()), why)
            self._again.append(cell.again())
            return None
        return self._complete(result)

    def _complete(self, result: CellResult) -> CellResult:
        """Tell of earlier attempts; the executor may have made some by itself."""
        return replace(result, spoilt=(*self._spoilt.pop(result.cell.label, ()), *result.spoilt))


def outcome(future: Future[CellResult], cell: Cell, seconds: float) -> CellResult:
    """Return what came of a cell, also when its executor failed with it.

    Args:
        future: is done.
        cell: what was submitted.
        seconds: since then.
    """
    try:
        return future.result()
    except CancelledError:
        return spoilt(cell, InfraError("the executor took the run back"), seconds)
    except TeecallError as error:
        return spoilt(cell, error, seconds)
    except Exception as error:
        # Executors have errors of their own for workers that they lose.
        lost = InfraError(f"the run was lost: {type(error).__name__}: {error}")
        return spoilt(cell, lost, seconds)
