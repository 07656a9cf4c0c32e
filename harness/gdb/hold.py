# SPDX-License-Identifier: Apache-2.0
"""Keeps the machine of a check that failed for somebody who wants to look at it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from harness.errors import Interrupted, TeecallError
from harness.machine.debugport import held_by_debugger, hold
from harness.machine.machine import Machine

_LOOK_S = 0.5


def holder(how: str, prepare: Callable[[], None]) -> Callable[[Machine], None]:
    """Return the function that holds a machine.

    Args:
        how: `gdb` starts gdb here and lets the machine go on when gdb ends; `keep` waits for
            ctrl-C, or for the end of a debugger that was connected by `teecall gdb`.
        prepare: clears the terminal first.
    """

    def held(machine: Machine) -> None:
        prepare()
        if not hold(machine.monitor):
            _say("the machine cannot be held: QEMU's monitor does not answer")
            return
        if how == "gdb":
            _debug(machine)
        else:
            _wait(machine)
        # One that gdb has left stopped goes on, so that the run can end in order.
        held_by_debugger(machine.monitor)

    return held


def _debug(machine: Machine) -> None:
    from harness.gdb.start import run_gdb

    try:
        run_gdb(machine.run.path)
    except TeecallError as error:
        # The verdict of the run must not be lost for want of a debugger.
        _say(f"{error.message}; {error.remedy}")


def _wait(machine: Machine) -> None:
    _say(f"the machine is held: teecall gdb {machine.run.path}   (ctrl-C here ends the wait)")
    try:
        while machine.status is None and not machine.uart.wait_closed(_LOOK_S):
            pass
    except Interrupted:
        raise
    except KeyboardInterrupt:
        pass


def _say(line: str) -> None:
    print(f"teecall: {line}", file=sys.stderr, flush=True)
