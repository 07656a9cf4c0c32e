# SPDX-License-Identifier: Apache-2.0
"""Launches that lack memory: in the confidential pool, in the tool, on the whole host."""

from __future__ import annotations

import re
import shlex

from harness.host.host import Host
from harness.host.results import number
from harness.scenarios.linux_tvm import NIGHTLY, console_of, words_of
from harness.scenarios.payload import PAGE
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke
from harness.scenarios.smp_checks import BackgroundGuest, kernel_complaints
from harness.scenarios.teardown_victim import Victim, nothing_left, pool

# Behind these calls the host runs out of memory: nothing, some and all of the guest is built.
_STAGES = ("add_tvm_measured_pages", "convert_pages", "finalize_tvm")
_BLOCK = 2 << 20
# More than the host has; it writes to all of it, and is the kernel's next victim itself.
_HOG = "dd if=/dev/zero of=/dev/null bs=2000M count=1"
_QUIET = "echo 1 >/proc/sys/vm/overcommit_memory; dmesg -n 1"
_LOUD = "dmesg -n 7; echo 0 >/proc/sys/vm/overcommit_memory"
_KILLED = re.compile(r"Out of memory: Killed process (\d+) \((\w+)\)")
_WRONG = re.compile(r"BUG|WARNING|Oops|lockup|covh: ")
# Room for the tool, and too little for the files of its guest.
_ADDRESS_SPACE_KIB = 8192


def crowded(smoke: Smoke) -> str:
    """Launch where the pool has no room, and where the tool has no address space for the guest."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    size = smoke.config.memory.pool_size
    words = shlex.join(["tvm", *words_of(smoke.config, console_of(smoke), 1, None), "--json"])
    cases = {
        "a pool too small": (f"{words} --memory {2 * size >> 20}", "pool failed"),
        "no address space": (f"(ulimit -v {_ADDRESS_SPACE_KIB}; {words})", ""),
    }
    for name, (command, says) in cases.items():
        run = BackgroundGuest.run(host, command)
        if run.status == 0 or run.first("launch") or says not in run.error:
            raise CheckFailed(f"{name}: the launch is not refused: {run.error}")
        nothing_left(smoke, name, _BLOCK)
    return f"{', '.join(cases)}: the launch ends with its reason, nothing left"


def exhausted(smoke: Smoke) -> str:
    """Use up all the host's memory in the middle of a launch: the kernel kills the VMM."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    complaints = kernel_complaints(host)
    if complaints:
        raise CheckFailed("the host's kernel complains already", details=complaints)
    words = shlex.join(["tvm", *words_of(smoke.config, console_of(smoke), 1, None)])
    stages = _STAGES if NIGHTLY else _STAGES[:1]
    for stage in stages:
        victim = Victim.start(host, words, stage)
        victim.await_stopped()
        confidential = number(pool(host), "confidential")
        if not confidential:
            raise CheckFailed(f"behind {stage} no page is confidential: nothing is proved")
        _exhaust(smoke, stage)
        # What the kernel says of it is told apart from later complaints.
        nothing_left(smoke, f"out of memory behind {stage}", confidential * PAGE)
    return f"killed by the kernel behind {', '.join(stages)}: nothing left"


def _exhaust(smoke: Smoke, stage: str) -> None:
    """Let the kernel run out of memory; its first victim has to be the VMM."""
    host = smoke.need_host()
    # On the UART the kernel's words would be those of a machine that dies.
    host.shell.run(f"{_QUIET}; echo 1000 >/proc/$victim/oom_score_adj; dmesg -c >/dev/null")
    host.shell.run(f"{_HOG}; wait $victim; victim=", smoke.config.timeouts.guest_s)
    lines = host.shell.run(f"dmesg -c; {_LOUD}").output.splitlines()
    killed = [match[2] for match in map(_KILLED.search, lines) if match]
    if killed[:1] != ["tvm"]:
        raise CheckFailed(f"behind {stage}: the kernel killed {killed or 'nothing'}, not the VMM")
    wrong = [line for line in lines if _WRONG.search(line)]
    if wrong:
        raise CheckFailed(f"behind {stage}: the host's kernel complains", details=wrong)


def usable(smoke: Smoke) -> str:
    """Convert and reclaim the whole pool: no page is held by something that nobody counts."""
    host, memory = smoke.need_host(), smoke.config.memory
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    pages = memory.pool_size // PAGE
    _call(host, "convert_pages", memory.pool_base, pages)
    _call(host, "global_fence", cpu=0)
    for cpu in range(smoke.config.machine.harts):
        _call(host, "local_fence", cpu=cpu)
    _call(host, "reclaim_pages", memory.pool_base, pages)
    return f"all {pages} pages of the pool converted and reclaimed at once"


def _call(host: Host, function: str, *args: int, cpu: int | None = None) -> None:
    answer = host.call("covh", function, *args, cpu=cpu)
    if not answer.ok:
        raise CheckFailed(f"{function}: {answer.error_name}", "see tsm.log, events.json")
