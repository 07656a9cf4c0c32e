# SPDX-License-Identifier: Apache-2.0
"""The process that worker processes are forked from, with all modules loaded already.

`python -m harness.cells.nursery FD [MODULE...]` takes, from the socket FD, one socket for each
worker that it is to fork: the worker's line. A fresh Python needs 0.15 s to load what a smoke
needs; a fork takes 2 ms. Nothing ever runs here, and there are no threads, so that a fork copies a
quiet process.

A line is all that ties a worker to its owner. It brings the call, takes the process id and the
result back, and the worker ends when the owner's side of it is closed: because the owner wants
it, or because the owner is dead, SIGKILL included. `multiprocessing` has no such tie in daemonic
processes, where it refuses to start any, and those are what Dask's workers are.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import importlib
import os
import pickle
import signal
import socket
import sys
import threading

from harness.cells import wire
from harness.errors import Interrupted, own_error

# Time for a worker to end in order: to stop its machine and to write its evidence.
GRACE_S = 10.0
# All that a smoke which passes loads, also what is imported where it is used: a worker does one
# run, so that each of them would load it again.
PRELOAD = (
    "harness.cells.cell",
    "harness.scenarios.smoke",
    "harness.build.image",
    "harness.scenarios.smoke_checks",
    "harness.trace.record",
    "harness.machine.forensics",
    "harness.machine.timeline",
    "harness.report.history",
    "harness.report.make",
    "qemu.qmp",
    "tomllib",
)
_PR_SET_PDEATHSIG = 1
_ASK = (signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Fork a worker for every line that comes, until the owner closes the socket."""
    for module in (*PRELOAD, *sys.argv[2:]):
        importlib.import_module(module)
    gc.freeze()
    _go_on_with_parents_death()
    # Nobody waits for the workers: the kernel reaps them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Ctrl-C goes to the whole foreground group; the owner decides what it means for a worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    while True:
        _, lines, _, _ = socket.recv_fds(control, 1, 1)
        if not lines:
            return
        if os.fork() == 0:
            control.close()
            _be_worker(lines[0])
        os.close(lines[0])


def _be_worker(handle: int) -> None:
    """Do what the line says and end this process."""
    status = 1
    try:
        os.set_inheritable(handle, False)
        _go_on_with_parents_death()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _ASK:
            signal.signal(number, _end)
        faulthandler.enable()
        with socket.socket(fileno=handle) as line:
            _serve(line)
        status = 0
    except (Interrupted, EOFError, OSError):
        # The owner does not want the result any more, or is gone.
        pass
    finally:
        _ask_no_more()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        # Not the interpreter's own way: what the nursery has registered to be done is not ours.
        os._exit(status)


def _go_on_with_parents_death() -> None:
    """Let the kernel send SIGCONT when the parent dies: a stopped process would not see its end.

    A fork does not inherit this (prctl(2), PR_SET_PDEATHSIG). To one that runs it does nothing.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT.value, 0, 0, 0)


def _end(number: int, _: object) -> None:
    """End as on ctrl-C, once: what cleans up must not be interrupted in turn."""
    _ask_no_more()
    raise Interrupted(number)


def _ask_no_more() -> None:
    for number in _ASK:
        signal.signal(number, signal.SIG_IGN)


def _serve(line: socket.socket) -> None:
    wire.send(line, str(os.getpid()).encode())
    request = wire.receive(line)
    threading.Thread(target=_end_with_owner, args=(line,), name="owner", daemon=True).start()
    outcome = _outcome(request)
    # The owner closes the line as soon as it has this; that must not interrupt the end.
    _ask_no_more()
    wire.send(line, outcome)


def _outcome(request: bytes) -> bytes:
    try:
        function, arguments, named = pickle.loads(request)
        return pickle.dumps((True, function(*arguments, **named)))
    except Exception as error:
        try:
            return pickle.dumps((False, error))
        except Exception:
            # It holds what cannot leave this process; what it says can.
            return pickle.dumps((False, own_error(error)))


def _end_with_owner(line: socket.socket) -> None:
    """Wait until the owner closes its side, then end this process, in order if it can."""
    with contextlib.suppress(OSError):
        # Nothing else comes on this line.
        line.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
