# SPDX-License-Identifier: Apache-2.0
"""TSM calls: every call that host and guest can make of the TSM, rightly and wrongly.

A guest makes its own calls and judges their answers; the host's part is played by `tvm vm`, which
also does each of its steps wrong first. What the host sees of the guest is judged here, and so are
the answers to the host's calls in both states of a TVM.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from harness import abi
from harness.host.results import GuestRun, JsonObject, error_name, number
from harness.scenarios import tsm_calls_host as of_host
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, boot, build, poweroff, sources, tools
from harness.scenarios.smp import begin

_GUEST = "/payload/calls.elf"
_INPUT = "from the host"
# A letter of the alphabet for each byte of the text that the guest writes in one call.
_LONG_TEXT = "".join(chr(ord("a") + i % 26) for i in range(599))
_LARGE_MIB = 16
_STORE, _LOAD, _A0 = 0x23, 0x03, 10
# Each wrong step of the host, in the order in which `tvm vm --contrary` takes them.
_ATTEMPTS = (
    ("remove of a mapped page", abi.Error.INVALID_ADDRESS),
    ("go on with a mapped page", abi.Error.INVALID_ADDRESS),
    ("invalidate", abi.Error.SUCCESS),
    ("invalidate again", abi.Error.INVALID_ADDRESS),
    ("remove without a fence", abi.Error.INVALID_ADDRESS),
    ("go on with a blocked page", abi.Error.INVALID_ADDRESS),
    ("validate", abi.Error.SUCCESS),
)
# COVG 0 to 5: the host is told of each that has worked.
_TOLD = frozenset(range(6))
_RUNS: dict[int, GuestRun] = {}


def _run(smoke: Smoke, *options: object) -> GuestRun:
    host = smoke.need_host()
    seconds = smoke.config.timeouts.guest_s
    answer = host.tvm_json(
        "vm", _GUEST, *options, "--timeout", int(seconds), timeout=seconds + 10.0
    )
    return GuestRun(answer.objects, answer.messages, answer.status)


def _judge(run: GuestRun) -> JsonObject:
    """Check that the guest is content and has come to its end; return what the VMM counted."""
    wrong = [line for line in run.lines if re.match(r"calls: .* is [0-9a-f]{16} and not ", line)]
    if wrong:
        raise CheckFailed(wrong[0].removeprefix("calls: "), "see tsm.log", details=wrong[1:9])
    end = run.first("vm") or {}
    if run.error or end.get("reason") != "shutdown":
        raise CheckFailed(
            run.error or f"the guest ended by {end.get('reason')}",
            "see tsm.log, events.json",
            details=[line[:100] for line in run.lines[-5:]],
        )
    return end


def guest(smoke: Smoke) -> str:
    """Let a guest with two vCPUs make every call it can; it compares each answer."""
    smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    vcpus = min(2, smoke.config.machine.harts)
    run = _run(smoke, "--vcpus", vcpus, "--arg", vcpus, "--contrary", "--input", _INPUT)
    # What the host has seen is judged also when the guest is not content.
    _RUNS[id(smoke)] = run
    smoke.stack.callback(_RUNS.pop, id(smoke), None)
    end = _judge(run)
    last = run.lines[-1] if run.lines else ""
    match = re.fullmatch(r"calls: (\d+) checks, 0 failures", last)
    if match is None:
        raise CheckFailed("the guest did not come to its end", details=run.lines[-5:])
    return (
        f"{match[1]} answers as they have to be on {vcpus} vCPUs; {number(end, 'zero_pages')} pages"
        f" on demand, {number(end, 'mmio')} emulated accesses, {number(end, 'ipis')} IPIs"
    )


def _guest_run(smoke: Smoke) -> GuestRun:
    run = _RUNS.get(id(smoke))
    if run is None:
        raise Skipped("the guest did not come to its end")
    return run


def exposure(smoke: Smoke) -> str:
    """Check that an emulated access shows the host its value and nothing else of the guest."""
    accesses = list(_guest_run(smoke).all("mmio"))
    seen: Counter[tuple[bool, int]] = Counter()
    for access in accesses:
        _check_access(access)
        seen[bool(access["store"]), number(access, "size")] += 1
    missing = [
        f"{'store' if store else 'load'} of {size}"
        for store in (True, False)
        for size in (1, 2, 4, 8)
        if not seen[store, size]
    ]
    if missing:
        raise CheckFailed(f"the host was never asked for: {', '.join(missing)}")
    return f"{len(accesses)} accesses of all sizes, each with one register of the guest at most"


def _check_access(access: JsonObject) -> None:
    store, size, instruction = access["store"], number(access, "size"), number(access, "htinst")
    where = f"{'store' if store else 'load'} of {size} bytes at {number(access, 'gpa'):#x}"
    register = instruction >> (20 if store else 7) & 31
    if instruction & 0x7F != (_STORE if store else _LOAD) or register != _A0:
        raise CheckFailed(f"{where}: htinst {instruction:#x} does not name a0")
    if instruction & ~(0x7F | 7 << 12 | 31 << (20 if store else 7)):
        raise CheckFailed(f"{where}: htinst {instruction:#x} tells of base register or offset")
    gprs = access["gprs"]
    assert isinstance(gprs, list)
    if any(gprs[1:]) or (not store and gprs[0]) or gprs[0] >> 8 * size:
        raise CheckFailed(f"{where}: the host sees {[hex(value) for value in gprs]} in a0 to a7")


def handshake(smoke: Smoke) -> str:
    """Check the TSM's answers to a host that takes each step of sharing before its time."""
    run = _guest_run(smoke)
    attempts = [(str(one["what"]), number(one, "error")) for one in run.all("attempt")]
    if not attempts or len(attempts) % len(_ATTEMPTS):
        raise CheckFailed(f"the host took {len(attempts)} wrong steps", details=run.lines[-5:])
    for index, (what, error) in enumerate(attempts):
        name, wanted = _ATTEMPTS[index % len(_ATTEMPTS)]
        if (what, error) != (name, wanted):
            raise CheckFailed(f"{what}: the TSM answers {error_name(error)}, not {wanted.name}")
    if len(attempts) < 2 * len(_ATTEMPTS):
        raise CheckFailed("the host had pages to take away in one of share and unshare only")
    return f"{len(attempts)} steps out of order in share and unshare, each refused where it has to"


def told(smoke: Smoke) -> str:
    """Check that the host is told of each COVG call that worked, with what it needs to know."""
    run = _guest_run(smoke)
    calls = [call for call in run.all("call") if number(call, "eid") == abi.Eid.COVG]
    missing = _TOLD - {number(call, "fid") for call in calls}
    if missing:
        names = ", ".join(abi.Covg(fid).name.lower() for fid in sorted(missing))
        raise CheckFailed(f"the host was not told of {names}")
    _check_hidden(run)
    text = "\n".join(run.lines)
    for wanted in (_LONG_TEXT, "calls: written from shared memory", "calls: written by putchar"):
        if wanted not in text:
            raise CheckFailed(
                f"the guest's console does not say {wanted[:40]!r}", details=run.lines[-5:]
            )
    return f"{len(calls)} calls; {len(_LONG_TEXT)} bytes of the guest's own memory on its console"


def _check_hidden(run: GuestRun) -> None:
    """Where another vCPU starts, and with what, is not the host's to know."""
    for call in run.all("call"):
        args = call["args"]
        assert isinstance(args, list)
        if number(call, "eid") == abi.Eid.HSM and any(args[1:]):
            raise CheckFailed(f"the host sees the arguments of hart_start: {args}")


def large(smoke: Smoke) -> str:
    """Run the same guest with its memory on demand in 2 MiB pages."""
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    size = ("--memory", _LARGE_MIB, "--arg", _LARGE_MIB << 8 | 1)
    end = _judge(_run(smoke, "--vcpus", 1, *size, "--large", "--input", _INPUT))
    # All but the block of the image, which has small pages already.
    wanted = _LARGE_MIB // 2 - 1
    if number(end, "large_pages") != wanted:
        raise CheckFailed(f"{number(end, 'large_pages')} pages of 2 MiB, not {wanted}")
    return f"{number(end, 'large_pages')} pages of 2 MiB, {number(end, 'zero_pages')} of 4 KiB"


def healthy(smoke: Smoke) -> str:
    """Check that the TSM counts as before."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    difference = smoke.before.difference(smoke.need_recorder().stats(host.machine.ram))
    if difference:
        raise CheckFailed(f"the TSM's counts are not as before: {difference}", "see tsm.log")
    return "TSM counts as before"


_CHECKS: Sequence[tuple[str, Callable[[Smoke], str]]] = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin),
    ("guest", guest),
    ("exposure", exposure),
    ("handshake", handshake),
    ("told", told),
    ("large", large),
    ("building", of_host.building),
    ("running", of_host.running),
    ("sizes", of_host.sizes),
    ("healthy", healthy),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
