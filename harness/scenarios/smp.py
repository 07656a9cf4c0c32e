# SPDX-License-Identifier: Apache-2.0
"""SMP: TVMs, conversions, fences and remote fences on many harts at once, and harts that leave.

The host is the real one. What a shell cannot do, the `tvm` tool does: `storm`, `visible`,
`contend` and `shootdown` work with a pinned process or thread on each hart.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from harness.host.host import Host
from harness.host.results import Answer, JsonObject, number
from harness.machine.deadline import scaled
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, boot, build, poweroff, sources, tools, tsm
from harness.scenarios.smp_checks import (
    BackgroundGuest,
    check_moved,
    check_roamer,
    check_stopped,
    check_unplugged,
    count_together,
    kernel_complaints,
)

_ROAM = "/payload/roam.elf"
_SPIN = "/payload/spin.elf"
_HELLO = "/payload/hello.elf"
# Rounds of the guests that count exits, whatever the machine is.
_EXITS = 300
# The event rings are looked at until two guests were seen inside together so many times.
_TIMES = 10
# More rounds than any run has time for.
_ENDLESS = 1 << 40


def _scale() -> int:
    """How much more is done where there is time: at night."""
    return 20 if os.environ.get("TEECALL_NIGHTLY") else 1


def begin(smoke: Smoke) -> str:
    """Note what the TSM counts before anything is launched."""
    smoke.need_host()
    detail = tsm(smoke)
    smoke.before = smoke.need_recorder().stats(smoke.need_host().machine.ram)
    return detail


def visible(smoke: Smoke) -> str:
    """Convert and reclaim from each hart; all harts see it before the call returns."""
    harts = _several(smoke)
    done = _crew(smoke, "visible", "--rounds", 4 * _scale() if harts <= 4 else _scale())
    return (
        f"{number(done, 'rounds')} conversions and reclaims, each seen by {harts} harts at once"
        " through a translation that was in use"
    )


def pair(smoke: Smoke) -> str:
    """Run two TVMs on two harts at the same time."""
    _several(smoke)
    host = smoke.need_host()
    guests = [
        BackgroundGuest.start(host, f"pair{cpu}", _ROAM, _ENDLESS, cpus=1 << cpu) for cpu in (0, 1)
    ]
    for guest in guests:
        guest.wait_for_launch()
    times = _seen_together(smoke)
    for guest in guests:
        check_stopped(guest.stop())
    _check_seen(times)
    return f"one was inside {times} times when the other came, and both kept what was theirs"


def migrate(smoke: Smoke) -> str:
    """Move one vCPU to the next hart at every exit; the guest checks all that is its own."""
    harts = _several(smoke)
    host = smoke.need_host()
    rounds = 200 * _scale()
    command = f"tvm run {_ROAM} --arg {rounds} --roam --json"
    guest = BackgroundGuest.run(host, command)
    exits = check_roamer(guest, rounds)
    launch = guest.first("launch")
    rings = smoke.need_recorder().rings(host.machine.ram)
    moves = check_moved(
        [event for ring in rings for event in ring.events], number(launch or {}, "tvm"), harts
    )
    return (
        f"{exits} exits on {harts} harts in turn, {moves} moves in the event rings; registers,"
        " FP registers and memory of the guest kept"
    )


def contend(smoke: Smoke) -> str:
    """Let all harts run the same vCPU: it is never on two of them."""
    _several(smoke)
    # On a busy workstation one hart may be done before the next gets its turn: the longer it
    # takes, the surer they meet.
    for exits in (_EXITS, 10 * _EXITS, 100 * _EXITS):
        done = _crew(smoke, "contend", _ROAM, "--arg", exits)
        if number(done, "refused"):
            break
    else:
        raise CheckFailed("no hart was ever refused: they did not meet, so nothing was proved")
    return (
        f"{exits} exits, each exactly once; {number(done, 'refused')} attempts on a vCPU that"
        " another hart ran were refused"
    )


def storm(smoke: Smoke) -> str:
    """Convert, fence, reclaim and launch TVMs on all harts at once."""
    harts = smoke.config.machine.harts
    rounds = (2 if harts <= 2 else 1) * _scale()
    done = _crew(smoke, "storm", _HELLO, "--rounds", rounds)
    wanted = rounds * harts
    if number(done, "rounds") != wanted:
        raise CheckFailed(f"{number(done, 'rounds')} rounds of {wanted} were done")
    return (
        f"{number(done, 'conversions')} conversions with {number(done, 'fences')} fences and"
        f" {number(done, 'launches')} TVMs on {harts} harts at once,"
        f" {number(done, 'crowded')} tried again for want of isolation entries"
    )


def shootdown(smoke: Smoke) -> str:
    """Close a page under threads on harts that run TVMs: nobody reads it any more."""
    harts = _several(smoke)
    # With more harts than cores each round waits for each hart's turn.
    rounds = max(3, 48 // harts**2) * _scale()
    seconds = _seconds(smoke)
    shooting = BackgroundGuest.launch(
        smoke.need_host(),
        "shootdown",
        f"tvm shootdown {_SPIN} --rounds {rounds} --timeout {seconds} --hold",
    )
    # Whatever the machine's speed, the TVMs stay and pages are closed until this was seen.
    times = _seen_together(smoke)
    done = _counts("shootdown", shooting.finish())
    _check_seen(times)
    if number(done, "launches") != harts:
        raise CheckFailed(f"TVMs ran on {number(done, 'launches')} harts of {harts}")
    return (
        f"{number(done, 'rounds')} pages closed on {harts} harts that ran TVMs, {times} times one"
        " beside another: every access after it faulted"
    )


def hotplug(smoke: Smoke) -> str:
    """Unplug harts while a fence waits for them and a TVM runs; plug them in again."""
    harts = _several(smoke)
    host = smoke.need_host()
    memory = smoke.config.memory
    guest = BackgroundGuest.start(host, "hotplug", _ROAM, _ENDLESS, cpus=1)
    guest.wait_for_launch()
    # Away from the guest's block at the pool's bottom, and no two harts share a page.
    page = memory.pool_base + memory.pool_size // 2
    chosen = range(1, harts) if _scale() > 1 else range(harts - 1, harts)
    for cpu in chosen:
        check_unplugged(host, cpu, harts, page + cpu * 0x200000)
    check_stopped(guest.stop())
    return (
        f"hart{'s' if len(chosen) > 1 else ''} {', '.join(map(str, chosen))}: a pending fence did"
        " not wait for it, what was converted without it faults on it, and a TVM ran on"
    )


def healthy(smoke: Smoke) -> str:
    """Check that all memory came back and that neither the TSM nor the kernel complains."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    after = smoke.need_recorder().stats(host.machine.ram)
    difference = smoke.before.difference(after)
    if difference:
        raise CheckFailed(f"the TSM's counts are not as before: {difference}", "see tsm.log")
    pool = host.tvm_json("pool").objects[0]
    pages = smoke.config.memory.pool_size // 4096
    if number(pool, "free") != pages or number(pool, "confidential"):
        raise CheckFailed(
            f"{pages - number(pool, 'free')} pages of the pool are still taken,"
            f" {number(pool, 'confidential')} confidential"
        )
    complaints = kernel_complaints(host)
    if complaints:
        raise CheckFailed("the host's kernel complains", "see uart.log", details=complaints)
    return f"TSM counts as before, all {pages} pages free, the kernel has no complaint"


def _several(smoke: Smoke) -> int:
    """Return the number of harts, or skip the check when there is only one."""
    smoke.need_host()
    harts = smoke.config.machine.harts
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    if harts < 2:
        raise Skipped("it needs two harts; set machine.harts")
    return harts


def _crew(smoke: Smoke, verb: str, *words: object) -> JsonObject:
    """Run one of the tool's verbs that work on all harts; return its counts."""
    host: Host = smoke.need_host()
    seconds = _seconds(smoke)
    return _counts(verb, host.tvm_json(verb, *words, "--timeout", seconds, timeout=seconds + 10.0))


def _seen_together(smoke: Smoke) -> int:
    """Look at the rings until TVMs that go on were together inside; return how often.

    Each look tells of the moment that the rings hold, and on a busy workstation the next is better.
    """
    host = smoke.need_host()
    deadline = scaled("two TVMs inside at the same time", _seconds(smoke) / 2, ceiling=1.0)
    times = 0
    while times < _TIMES and deadline.remaining():
        rings = smoke.need_recorder().rings(host.machine.ram)
        times += count_together([event for ring in rings for event in ring.events])
        host.shell.run("usleep 10000")
    return times


def _check_seen(times: int) -> None:
    if not times:
        raise CheckFailed("no two TVMs were inside at the same time", "see events.json")


def _seconds(smoke: Smoke) -> int:
    return max(1, round(smoke.config.timeouts.guest_s)) * _scale()


def _counts(verb: str, answer: Answer) -> JsonObject:
    """Return what a verb that works on all harts has counted, if it did all it had to."""
    counts = next((one for one in answer.objects if "failures" in one), None)
    if counts is None:
        raise CheckFailed(f"tvm {verb} says nothing", details=answer.messages[-5:])
    if number(counts, "failures") or not counts.get("ended"):
        raise CheckFailed(
            f"{counts.get('first') or 'it has not come to its end'}"
            f" ({number(counts, 'failures')} failures)",
            "see events.json and tsm.log",
            details=answer.messages[-5:],
        )
    return counts


_CHECKS: tuple[tuple[str, Callable[[Smoke], str]], ...] = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin),
    ("visible", visible),
    ("pair", pair),
    ("migrate", migrate),
    ("contend", contend),
    ("storm", storm),
    ("shootdown", shootdown),
    ("hotplug", hotplug),
    ("healthy", healthy),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
