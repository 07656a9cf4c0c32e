# SPDX-License-Identifier: Apache-2.0
"""The VMM of a Linux TVM is killed at every stage of its guest; nothing may be left of it."""

from __future__ import annotations

import shlex
import time

from harness.host.results import JsonObject, number
from harness.machine.deadline import slowness
from harness.scenarios.linux_tvm import (
    CONSOLE_LOG,
    console_of,
    console_size,
    words_of,
)
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

# What the guest says when it has come so far; the first moment is before it says anything.
_STAGES = {
    "half built": None,
    "in the kernel": "Linux version ",
    "waiting in its userspace": "linux: userspace at ",
}


def killed(smoke: Smoke) -> str:
    """Kill the VMM with SIGKILL while its guest is half built, runs, and waits."""
    smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    free = number(_pool(smoke), "free")
    for stage, said in _STAGES.items():
        _await(smoke, stage, said, _start(smoke))
        _kill(smoke, stage, free)
    return f"killed {', '.join(_STAGES)}: all {free} pages are free again, TSM counts as before"


def _start(smoke: Smoke) -> int:
    """Start the tool in the background; without an input the guest waits in its userspace.

    Returns:
        Where the guest's part of the console's log begins.
    """
    start = console_size(smoke)
    command = shlex.join(["tvm", *words_of(smoke.config, console_of(smoke), 1, None), "--json"])
    smoke.need_host().shell.run(f"{command} >/tmp/killed 2>&1 & killed=$!")
    return start


def _pool(smoke: Smoke) -> JsonObject:
    return smoke.need_host().tvm_json("pool").objects[0]


def _await(smoke: Smoke, stage: str, said: str | None, start: int) -> None:
    """Wait until the guest has come as far as the stage."""
    end = time.monotonic() + smoke.config.timeouts.guest_s * slowness()
    while time.monotonic() < end:
        if said is None:
            if number(_pool(smoke), "confidential"):
                return
        elif said.encode() in smoke.run.file(CONSOLE_LOG).read_bytes()[start:]:
            return
        if not smoke.need_host().shell.run("kill -0 $killed 2>/dev/null").ok:
            break
    tail = smoke.need_host().shell.run("tail -n 3 /tmp/killed").output
    raise CheckFailed(
        f"the guest did not come so far that it was {stage}",
        f"see {CONSOLE_LOG}",
        details=[line[:200] for line in tail.splitlines()],
    )


def _kill(smoke: Smoke, stage: str, free: int) -> None:
    host = smoke.need_host()
    assert smoke.before is not None
    # The process is waited for, and by then the kernel has closed its files.
    host.shell.run("kill -9 $killed; wait $killed", smoke.config.timeouts.guest_s)
    pool = _pool(smoke)
    if number(pool, "free") != free or number(pool, "confidential"):
        raise CheckFailed(
            f"killed {stage}: {number(pool, 'free')} of {free} pages are free,"
            f" {number(pool, 'confidential')} are confidential",
            "covh.ko has to clean up when the file is closed; see uart.log, tsm.log",
        )
    difference = smoke.before.difference(smoke.need_recorder().stats(host.machine.ram))
    if difference:
        raise CheckFailed(f"killed {stage}: the TSM's counts differ: {difference}", "see tsm.log")
