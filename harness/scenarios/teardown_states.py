# SPDX-License-Identifier: Apache-2.0
"""The states of a TVM that can be reached exactly, each ended in order and by SIGKILL."""

from __future__ import annotations

import shlex

from harness.host.results import number
from harness.scenarios.linux_tvm import (
    CONSOLE_LOG,
    KERNEL,
    NIGHTLY,
    console_of,
    console_size,
    release_of,
    words_of,
)
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke
from harness.scenarios.smp_checks import BackgroundGuest
from harness.scenarios.teardown_victim import (
    IN_ORDER,
    KILL,
    WAYS,
    Victim,
    await_console,
    nothing_left,
    pool,
)

# It shares a page and takes it back, three times over; the second vCPU is never started.
_SHARING = "tvm vm /payload/share.elf --vcpus 2 --arg 3"
_SPIN = "tvm vm /payload/spin.elf"
_HELD = "victim"
_FAULT = f"tvm run /payload/fault.elf --hold {_HELD}"
# Words of a command line are separated by a zero byte.
_HELD_WORDS = f"hold.{_HELD}"
# What a launch consists of. The tool converts in blocks of 2 MiB, two for this guest.
_BUILD = (
    "convert_pages",
    "convert_pages:2",
    "global_fence",
    "create_tvm",
    "add_tvm_memory_region",
    "add_tvm_page_table_pages",
    "create_tvm_vcpu",
    "create_tvm_vcpu:2",
    "add_tvm_measured_pages",
    "add_tvm_measured_pages:2",
    "finalize_tvm",
)
# What the host does for share and unshare; the second page was shared before.
_SHARE = (
    "tvm_invalidate_pages",
    "tvm_fence",
    "tvm_remove_pages",
    "add_tvm_shared_pages",
    "tvm_invalidate_pages:2",
    "tvm_remove_pages:2",
)
# What the tool does when its guest has ended.
_END = ("destroy_tvm", "reclaim_pages")
# Used where a TVM's own launch does not tell, being cut off.
_USED: dict[int, int] = {}


def extent(smoke: Smoke, ranges: list[range]) -> int:
    """Return how many bytes from the pool's bottom on a TVM has had."""
    return max(part.stop for part in ranges) - smoke.config.memory.pool_base


def whole(smoke: Smoke) -> str:
    """Let the guest whose life is cut off later live to its end: it has all the states."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    run = BackgroundGuest.run(host, f"{_SHARING} --json")
    end = run.first("vm") or {}
    if run.error or end.get("reason") != "shutdown" or "share: done" not in run.lines:
        raise CheckFailed(
            run.error or f"the guest ended by {end.get('reason')}",
            "see tsm.log, events.json",
            details=[*run.lines[-3:], *run.messages[-3:]],
        )
    used = extent(smoke, run.pool)
    _USED[id(smoke)] = used
    smoke.stack.callback(_USED.pop, id(smoke), None)
    nothing_left(smoke, "ended by itself", used)
    return f"{used >> 12} pages, {number(end, 'shared_pages')} shared, all came back"


def _used(smoke: Smoke) -> int:
    used = _USED.get(id(smoke))
    if used is None:
        raise Skipped("no TVM came to its end")
    return used


def _cut_off(smoke: Smoke, functions: tuple[str, ...]) -> str:
    """End the guest behind each function: both ways at night, else in turns."""
    host, used = smoke.need_host(), _used(smoke)
    done = 0
    for turn, function in enumerate(functions):
        for way in WAYS if NIGHTLY else WAYS[turn % 2 :][:1]:
            done += 1
            victim = Victim.start(host, _SHARING, function)
            victim.await_stopped()
            state = f"behind {function}, {way}"
            if not number(pool(host), "confidential"):
                raise CheckFailed(f"{state}: no page was confidential, so nothing is proved")
            victim.end(way, smoke.config.timeouts.guest_s)
            nothing_left(smoke, state, used)
    return (
        f"{len(functions)} states, {done} ends in order and by SIGKILL:"
        " nothing left, the next launch works"
    )


def built(smoke: Smoke) -> str:
    """End a TVM behind each step of its launch."""
    return _cut_off(smoke, _BUILD)


def sharing(smoke: Smoke) -> str:
    """End a TVM behind each step of the host's part in sharing: the guest waits for the rest."""
    return _cut_off(smoke, _SHARE)


def ending(smoke: Smoke) -> str:
    """End the VMM while it takes back what its guest had, which has ended by itself."""
    return _cut_off(smoke, _END)


def running(smoke: Smoke) -> str:
    """End a TVM that never leaves its hart by itself."""
    host = smoke.need_host()
    _used(smoke)
    for way in WAYS:
        victim = Victim.start(host, _SPIN)
        victim.await_console("spin: start")
        used = extent(smoke, victim.run().pool)
        victim.end(way, smoke.config.timeouts.guest_s)
        nothing_left(smoke, f"running, {way}", used)
    return f"{len(WAYS)} ways: nothing left, the next launch works"


def faulted(smoke: Smoke) -> str:
    """End a TVM whose vCPU has died of an access to no memory, and which still exists."""
    host = smoke.need_host()
    _used(smoke)
    for way in WAYS:
        run = BackgroundGuest.run(host, f"{_FAULT} --json")
        reason = (run.first("exit") or {}).get("reason")
        if reason != "fault" or run.first("held") is None:
            raise CheckFailed(f"the guest ended by {reason}, not by a fault", details=run.lines)
        # The process that holds the TVM is no child of the shell.
        find = f"victim=$(grep -l '{_HELD_WORDS}' /proc/[0-9]*/cmdline | cut -d / -f 3)"
        gone = "while [ -e /proc/$victim ]; do usleep 5000; done"
        if way == KILL:
            host.shell.run(f"{find}; kill -9 $victim; {gone}", smoke.config.timeouts.guest_s)
        else:
            host.release(_HELD)
        nothing_left(smoke, f"faulted, {way}", extent(smoke, run.pool))
    return f"{len(WAYS)} ways: nothing left, the next launch works"


def waiting(smoke: Smoke) -> str:
    """End a Linux TVM with two vCPUs that waits for its console: both are in WFI."""
    host = smoke.need_host()
    _used(smoke)
    words = shlex.join(["tvm", *words_of(smoke.config, console_of(smoke), 2, None)])
    # The moments by chance kill it there once more.
    ways = WAYS if NIGHTLY else (IN_ORDER,)
    release = ""
    for way in ways:
        start = console_size(smoke)
        victim = Victim.start(host, words)
        await_console(smoke, victim, start, "linux: userspace at ")
        said = smoke.run.file(CONSOLE_LOG).read_bytes()[start:].decode(errors="replace")
        release = release_of(said.replace("\r", "").splitlines(), smoke.files[KERNEL])
        victim.await_idle()
        used = extent(smoke, victim.run().pool)
        victim.end(way, smoke.config.timeouts.guest_s)
        nothing_left(smoke, f"waiting in WFI, {way}", used)
    return (
        f"2 vCPUs of Linux {release} in WFI, {len(ways)} ways: nothing left, the next launch works"
    )
