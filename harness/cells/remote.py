# SPDX-License-Identifier: Apache-2.0
"""What runs inside a worker of a cluster: cells, each in a process of its own again.

A worker holds several cells in threads; a fault of one must not end the others, and a client that
does not want them any more must be able to end them, which no cluster does with a thread.
"""

from __future__ import annotations

import pickle
import platform
import threading
from dataclasses import replace

from harness import __version__
from harness.cells.cell import Cell, CellResult, run_cell
from harness.cells.worker import Call, Nursery
from harness.errors import Cancelled
from harness.verdict import Verdict

_LOST = "the cluster lost the worker that ran it"

_nursery = Nursery()
_mutex = threading.Lock()
_calls: dict[str, set[Call]] = {}
_ended: set[str] = set()


def run_remote(cell: Cell, client: str) -> CellResult:
    """Run a cell in a process of its own.

    A cluster gives a cell to another worker by itself when one dies with it; then the folder of
    the lost attempt stays as it is, and the result says that there was one.

    Args:
        cell: the cell.
        client: who has asked for it, as in `end_remote`.

    Raises:
        WorkerLost: its process was killed.
        Cancelled: the client has ended.
    """
    lost: tuple[str, ...] = ()
    while cell.place.exists():
        cell, lost = cell.again(), (*lost, _LOST)
    call = _begin(client)
    try:
        result = call.result(pickle.dumps((run_cell, (cell,), {})))
    finally:
        with _mutex:
            _calls[client].discard(call)
    assert isinstance(result, CellResult)
    return _from_here(replace(result, spoilt=lost))


def _from_here(result: CellResult) -> CellResult:
    """Name the worker when its environment stood in the way: the others may be in order."""
    if not result.is_spoilt:
        return result
    where = f"on the worker {_address()}: "
    checks = (
        replace(check, detail=where + check.detail) if check.verdict is Verdict.INFRA else check
        for check in result.checks
    )
    failures = (replace(found, message=where + found.message) for found in result.failures)
    return replace(result, checks=tuple(checks), failures=tuple(failures))


def _address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        # The worker was closed meanwhile.
        return platform.node()


def _begin(client: str) -> Call:
    with _mutex:
        if client in _ended:
            raise Cancelled("the run was not begun")
        call = _nursery.worker()
        _calls.setdefault(client, set()).add(call)
    return call


def end_remote(client: str) -> None:
    """End every cell of a client in this process, and begin none that still comes from it."""
    with _mutex:
        _ended.add(client)
        calls = list(_calls.get(client, ()))
    for call in calls:
        call.end()


def version() -> str:
    """Return the version of teecall here."""
    return __version__
