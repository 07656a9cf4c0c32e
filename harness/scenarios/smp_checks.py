# SPDX-License-Identifier: Apache-2.0
"""What the SMP run looks at: guests in the background, their events, and harts that leave."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness import abi
from harness.host.host import Host
from harness.host.results import Answer, CallResult, GuestRun, number, parse_answer
from harness.scenarios.runner import CheckFailed
from harness.trace.ring import Event

# Lines of the kernel that mean that something is wrong with it or with the driver.
_COMPLAINT = re.compile(
    r"BUG|WARNING|Oops|Call Trace|lockup|hung task|blocked for more than"
    # The kernel also says how long it waits for one, and which option of its command line said so.
    r"|rcu.*stall(?!_timeout| warnings timeout)|rcu:.* starved"
    # A kernel that checks signatures has to say that ours has none.
    r"|covh: (?!loading|module verification failed: signature)"
)


@dataclass(frozen=True, slots=True)
class BackgroundGuest:
    """A `tvm run` that goes on while the shell does something else."""

    host: Host
    name: str

    @staticmethod
    def run(host: Host, command: str) -> GuestRun:
        """Run a `tvm run --json` command in the foreground and return its events."""
        result = host.shell.run(command)
        answer = parse_answer(result.output, result.status)
        return GuestRun(answer.objects, answer.messages, answer.status)

    @classmethod
    def start(cls, host: Host, name: str, elf: str, arg: int, *, cpus: int) -> BackgroundGuest:
        """Start a guest on the harts of the mask `cpus`."""
        return cls.launch(host, name, f"taskset {cpus:x} tvm run {elf} --arg {arg} --json")

    @classmethod
    def launch(cls, host: Host, name: str, command: str) -> BackgroundGuest:
        """Start a command that runs guests."""
        place = f"/tmp/{name}"
        host.shell.run(f"{command} >{place}.out 2>&1 & echo $! >{place}.pid")
        return cls(host, name)

    def wait_for_launch(self) -> None:
        """Wait until the guest has said something, so that it runs."""
        place = f"/tmp/{self.name}"
        self.host.shell.run(
            f"until grep -q '\"console\"' {place}.out || ! kill -0 $(cat {place}.pid);"
            " do usleep 5000; done"
        )

    def stop(self) -> GuestRun:
        """End the guest in order and return its events."""
        self.host.shell.run(f"kill -TERM $(cat /tmp/{self.name}.pid)")
        return self.ended()

    def finish(self) -> Answer:
        """Tell a command that was to go on until now that it is enough."""
        self.host.shell.run(f"kill -USR1 $(cat /tmp/{self.name}.pid)")
        return self._answer()

    def ended(self) -> GuestRun:
        """Wait for the end of the guest and return its last events and the launch."""
        answer = self._answer()
        return GuestRun(answer.objects, answer.messages, answer.status)

    def _answer(self) -> Answer:
        place = f"/tmp/{self.name}"
        wait = f"while kill -0 $(cat {place}.pid) 2>/dev/null; do usleep 5000; done"
        # A guest that prints for a long time has said the same all the time.
        show = f"head -n 1 {place}.out | cut -c1-4000; tail -n +2 {place}.out | tail -n 20"
        result = self.host.shell.run(f"{wait}; {show}; rm {place}.*")
        return parse_answer(result.output, result.status)


def check_roamer(guest: GuestRun, rounds: int) -> int:
    """Check that roam.elf found all its registers and memory in all rounds.

    Returns:
        How often it left for the host.
    """
    wanted = f"roam: ok after {rounds} rounds"
    if wanted not in guest.lines:
        said = next((line for line in guest.lines if line.startswith("roam:")), "")
        raise CheckFailed(
            f"the guest says `{said}`" if said else guest.trouble or "the guest said nothing",
            "see tsm.log, events.json",
            details=guest.lines[-3:],
        )
    if guest.trouble:
        raise CheckFailed(guest.trouble, "see tsm.log, events.json")
    return number(guest.first("exit") or {}, "exits")


def check_stopped(guest: GuestRun) -> None:
    """Check that a guest that never ends was well until it was stopped."""
    reason = (guest.first("exit") or {}).get("reason")
    if guest.error or reason != "limit" or any("changed" in line for line in guest.lines):
        raise CheckFailed(
            f"the TVM in the background ended by {reason}: {guest.error}",
            "see tsm.log, events.json",
            details=guest.lines[-3:],
        )


@dataclass(frozen=True, slots=True)
class _Stay:
    """A vCPU of a TVM in a domain was on a hart from `start` to `end`, in ticks."""

    hart: int
    sdid: int
    tvm: int
    start: int
    end: int


def _stays(events: Sequence[Event]) -> list[_Stay]:
    """Return the stays of all guests, in the order in which they began."""
    stays: list[_Stay] = []
    for hart in {event.hart for event in events}:
        mine = sorted(
            (event for event in events if event.hart == hart and event.writer != "tsmd"),
            key=lambda event: event.time,
        )
        entered: Event | None = None
        for event in mine:
            if event.kind == abi.Event.GUEST_ENTER:
                entered = event
            elif event.kind == abi.Event.GUEST_EXIT and entered is not None:
                stays.append(_Stay(hart, event.sdid, event.aux >> 32, entered.time, event.time))
                entered = None
    return sorted(stays, key=lambda stay: stay.start)


def count_together(events: Sequence[Event]) -> int:
    """Return how often a TVM was entered while another was inside on another hart."""
    times, latest = 0, dict[int, _Stay]()
    for stay in _stays(events):
        others = [
            one
            for one in latest.values()
            if one.hart != stay.hart and (one.sdid, one.tvm) != (stay.sdid, stay.tvm)
        ]
        times += any(other.end > stay.start for other in others)
        latest[stay.hart] = stay
    return times


def check_moved(events: Sequence[Event], tvm: int, harts: int) -> int:
    """Check that the vCPU of a TVM was on all harts, and on one at a time.

    Returns:
        How often it moved.
    """
    stays = [stay for stay in _stays(events) if stay.tvm == tvm]
    seen = {stay.hart for stay in stays}
    if len(seen) != harts:
        raise CheckFailed(
            f"the vCPU was on harts {sorted(seen)} of {harts} only", "see events.json"
        )
    moves = 0
    for before, after in itertools.pairwise(stays):
        moves += before.hart != after.hart
        if after.start < before.end:
            raise CheckFailed(
                f"the vCPU was on harts {before.hart} and {after.hart} at the same time",
                "see events.json",
            )
    return moves


def check_unplugged(host: Host, cpu: int, harts: int, page: int) -> None:
    """Unplug a hart that owes a fence, plug it in again, and check what it and others see.

    Args:
        host: the host.
        cpu: the hart that leaves.
        harts: number of harts.
        page: two pages of the pool that nobody uses.
    """
    late = page + 0x1000
    _wanted(host.call("covh", "local_fence", cpu=cpu), "local_fence before it leaves")
    _wanted(host.call("covh", "convert_pages", page, 1, cpu=0), "convert_pages")
    _fence_on(host, [other for other in range(harts) if other != cpu])
    pending = host.call("covh", "reclaim_pages", page, 1, cpu=0)
    if pending.error != abi.Error.INVALID_ADDRESS:
        raise CheckFailed(f"a page that hart {cpu} has not fenced: reclaim {pending.error_name}")
    _plug(host, cpu, online=False)
    _wanted(
        host.call("covh", "reclaim_pages", page, 1, cpu=0),
        f"reclaim_pages of a page whose fence waits for hart {cpu}, which has stopped",
    )
    _wanted(host.call("covh", "convert_pages", late, 1, cpu=0), "convert_pages")
    _plug(host, cpu, online=True)
    _check_view(host, cpu, late, fault=True)
    _check_view(host, cpu, page, fault=False)
    _fence_on(host, range(harts))
    _wanted(host.call("covh", "reclaim_pages", late, 1, cpu=cpu), f"reclaim_pages on hart {cpu}")
    for hart in range(harts):
        _check_view(host, hart, late, fault=False)


def _fence_on(host: Host, harts: Sequence[int]) -> None:
    _wanted(host.call("covh", "global_fence", cpu=0), "global_fence")
    for hart in harts:
        _wanted(host.call("covh", "local_fence", cpu=hart), f"local_fence on hart {hart}")


def _wanted(answer: CallResult, what: str) -> None:
    if not answer.ok:
        raise CheckFailed(f"{what}: {answer.error_name}", "see tsm.log, events.json")


def _plug(host: Host, cpu: int, *, online: bool) -> None:
    """Take a hart away or give it back, through HSM as Linux does it."""
    result = host.shell.run(f"echo {online:d} >/sys/devices/system/cpu/cpu{cpu}/online")
    if not result.ok:
        raise CheckFailed(f"hart {cpu} does not {'start' if online else 'stop'}: {result.output}")


def _check_view(host: Host, cpu: int, page: int, *, fault: bool) -> None:
    """Check whether a hart can read a page."""
    output = host.shell.run(f"taskset {1 << cpu:x} tvm peek {page:#x} --json").output
    answers = parse_answer(output).objects
    found = bool(answers[0].get("fault")) if answers else None
    if found != fault:
        raise CheckFailed(
            f"hart {cpu}, which was off when the page was converted, can read it"
            if fault
            else f"hart {cpu} cannot read a page that was reclaimed",
            "a starting hart must load the newest PMP image",
            details=[output],
        )


def kernel_complaints(host: Host) -> list[str]:
    """Return the lines of the kernel's log that say that something is wrong."""
    return complaints_in(host.shell.run("dmesg").output)


def complaints_in(log: str) -> list[str]:
    """Return the lines of a kernel's log that say that something is wrong."""
    return [line for line in log.splitlines() if _COMPLAINT.search(line)]
