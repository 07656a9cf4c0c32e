# SPDX-License-Identifier: Apache-2.0
"""Where cells run: in processes of this workstation, or on a Dask cluster."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import __version__
from harness.cells.cell import Cell, CellResult, Need, run_cell
from harness.cells.pool import CellPool
from harness.cells.remote import end_remote, run_remote, version
from harness.cells.room import LocalRoom, Room, cores, free_memory_mib
from harness.errors import InfraError, UsageError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 5
# Workers may just have been started beside us.
_WORKERS_S = 20
_ADDRESS = re.compile(r"(?:tcp|tls)://[^\s/]+:\d+")
_MIB = 1 << 20
_UNLIMITED_MIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Backend:
    """What a scheduler needs, and the ways to end what runs.

    `end` asks everything that goes on to end in order, `kill` does not ask.
    """

    executor: Executor
    room: Room
    run: Callable[[Cell], CellResult]
    end: Callable[[], None]
    kill: Callable[[], None]


@contextlib.contextmanager
def local_backend(jobs: int | None = None) -> Iterator[Backend]:
    """Run cells on this workstation.

    Args:
        jobs: how many at once; None for one per core.
    """
    jobs = jobs or cores()
    pool = CellPool(jobs)
    try:
        yield Backend(pool, LocalRoom(jobs, free_memory_mib()), run_cell, pool.end, pool.kill)
    except BaseException:
        pool.kill()
        raise
    finally:
        pool.shutdown()


@dataclass(frozen=True, slots=True)
class _ForClient:
    """Runs a cell for one client; it goes to the worker with the cell."""

    client: str

    def __call__(self, cell: Cell) -> CellResult:
        return run_remote(cell, self.client)


@dataclass(frozen=True, slots=True)
class _ClusterRoom:
    """The room of a cluster: its threads and memory, as many workers as it has at the moment."""

    client: Client
    jobs: int | None

    def fits(self, need: Need, running: Sequence[Need]) -> bool:
        """Tell whether a run may begin; one always may, else nothing would ever happen."""
        if not running:
            return True
        try:
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        except Exception:
            # The cluster does not answer: what goes on there decides how this ends.
            return False
        threads = sum(worker["nthreads"] for worker in workers)
        # 0 is a worker without a limit.
        memory = sum(worker["memory_limit"] // _MIB or _UNLIMITED_MIB for worker in workers)
        return LocalRoom(min(self.jobs or threads, threads), memory).fits(need, running)


@contextlib.contextmanager
def dask_backend(address: str, jobs: int | None = None) -> Iterator[Backend]:
    """Run cells on a Dask cluster; its workers have teecall, and share the folder of the evidence.

    Args:
        address: of the cluster's scheduler, such as tcp://host:8786.
        jobs: how many at once; None for one per thread of the workers.

    Raises:
        UsageError: `distributed` is not installed, the address will not do, or the workers have
            another version of teecall.
        InfraError: nobody answers there, or the cluster has no workers.
    """
    client = _connect(address)
    try:
        _check_workers(client, address)
        name = secrets.token_hex(8)

        def end() -> None:
            # What cannot be reached cannot be ended from here; the cluster loses it by itself.
            with contextlib.suppress(Exception):
                client.run(end_remote, name, on_error="ignore")

        executor = client.get_executor(pure=False)  # type: ignore[no-untyped-call]
        room = _ClusterRoom(client, jobs)
        try:
            yield Backend(executor, room, _ForClient(name), end, end)
        finally:
            end()
            executor.shutdown(wait=False)
    finally:
        client.close(timeout=_CONNECT_S)  # type: ignore[no-untyped-call]


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "--scheduler needs Dask, which is not installed", "pip install 'teecall[dask]'"
        ) from None
    # What it cannot take, Dask would try until the time is over.
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"--scheduler {address}: no address of a Dask scheduler",
            "give one such as tcp://host:8786",
        )
    try:
        return Client(  # type: ignore[no-untyped-call]
            address, timeout=_CONNECT_S, set_as_default=False, name="teecall"
        )
    except OSError as error:
        raise InfraError(
            f"no Dask scheduler answers at {address}", "start one: dask scheduler"
        ) from error


def _check_workers(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKERS_S)
    except TimeoutError:
        raise InfraError(
            f"the Dask cluster at {address} has no workers", f"start some: dask worker {address}"
        ) from None
    found: dict[str, object] = client.run(version, on_error="return")
    for worker, what in found.items():
        if what != __version__:
            said = what if isinstance(what, str) else f"none that works ({what})"
            raise UsageError(
                f"the Dask worker {worker} has another teecall: {said}, here is {__version__}",
                "install the same teecall on all workers, and start them again",
            )
