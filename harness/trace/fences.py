# SPDX-License-Identifier: Apache-2.0
"""Fences around a TVM's run, proved from the event rings.

A VMID that a TVM runs with is not the TSM's alone: the host's KVM gives the same numbers to its
own guests, and a VMID is used again after destroy_tvm. So between the moment a hart comes from
the host and the moment it enters a TVM, all translations of the TVM's VMID must be forgotten, and
again between the TVM's last exit and the return to the host (privileged specification, "Hypervisor
Memory-Management Fence Instructions"). QEMU forgets translations on its own account more often
than a hart has to, so that a missing fence changes nothing a guest could see there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from harness.abi import Event as Kind
from harness.trace.ring import Event, Ring, merge

# enum fence_reason of firmware/tsm/trace/trace.h
ENTER = 1
LEAVE = 2
_FROM_HOST = (Kind.TEECALL, Kind.TEERESUME)
_TO_HOST = (Kind.TEERET, Kind.TEERET_INTERRUPTED)


@dataclass(slots=True)
class Fences:
    """What the events say about fences.

    `entries` counts entries into TVMs, `calls` those calls of the host that entered one; `vmids`
    has the TVM ids that ran with each VMID; `missing` has a line for each fence that is not there.
    """

    entries: int = 0
    calls: int = 0
    vmids: dict[int, set[int]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Hart:
    """One hart between two visits of the host; VMIDs are None when there is none.

    `clean` was fenced since the hart came from the host, `used` has run since its last fence.
    """

    known: bool = False
    entered: bool = False
    clean: int | None = None
    used: int | None = None


def check_fences(events: Iterable[Event]) -> Fences:
    """Check that every run of a TVM has a fence before its first entry and behind its last exit.

    Args:
        events: merged events, each hart's in order and without gaps. What a hart did before its
            first call in the list is passed over.
    """
    found = Fences()
    harts: dict[int, _Hart] = {}
    for event in events:
        hart = harts.setdefault(event.hart, _Hart())
        if event.kind in _FROM_HOST:
            harts[event.hart] = _Hart(known=True)
        elif hart.known:
            _follow(hart, event, found)
    return found


def _follow(hart: _Hart, event: Event, found: Fences) -> None:
    if event.kind == Kind.GUEST_FENCE:
        if event.aux == ENTER:
            hart.clean = event.value
        if hart.used == event.value:
            hart.used = None
    elif event.kind == Kind.GUEST_ENTER:
        _enter(hart, event, found)
    elif event.kind in _TO_HOST:
        if hart.used is not None:
            found.missing.append(
                f"hart {event.hart} went back to the host at instret {event.instret} without a"
                f" fence of VMID {hart.used}, which a TVM had used"
            )
        hart.known = False


def _enter(hart: _Hart, event: Event, found: Fences) -> None:
    tvm = event.aux >> 32
    found.entries += 1
    found.calls += not hart.entered
    hart.entered = True
    if hart.clean is None:
        found.missing.append(
            f"hart {event.hart} entered TVM {tvm} at instret {event.instret} without a fence of"
            " its VMID since the host, whose own guests may have used it"
        )
        return
    hart.used = hart.clean
    found.vmids.setdefault(hart.clean, set()).add(tvm)


def since(ring: Ring, head: int) -> Ring:
    """Return the ring as if its writer had begun when `head` events were written."""
    new = ring.head - head
    kept = ring.events[max(0, len(ring.events) - new) :]
    return replace(ring, events=kept, head=new)


def without_gaps(rings: Sequence[Ring]) -> list[Event]:
    """Return the merged events of each hart from where on all of its rings are complete."""
    start: dict[int, int] = {}
    for ring in rings:
        if ring.lost and ring.events:
            start[ring.hart] = max(start.get(ring.hart, 0), ring.events[0].instret)
    kept = (
        [event for event in ring.events if event.instret >= start.get(ring.hart, 0)]
        for ring in rings
    )
    return merge(*kept)
