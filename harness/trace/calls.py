# SPDX-License-Identifier: Apache-2.0
"""Calls and guest runs, put together from the events of both writers.

A ring that has wrapped begins in the middle of a call, a machine that died ends in the middle of
one, and the rings of M-mode and the TSM begin at different times: a beginning or an end that is
not there is None, never made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.abi import Event as Kind
from harness.trace.ring import Event

_STARTS = (Kind.TEECALL, Kind.TEERESUME)
_ENDS = (Kind.TEERET, Kind.TEERET_INTERRUPTED)


@dataclass(slots=True)
class Stay:
    """The time that the hart spent in another domain at one go."""

    start: Event | None
    end: Event | None = None

    @property
    def ticks(self) -> int | None:
        """Ticks of CSR time from start to end, None when one of the two is not there."""
        if self.start is None or self.end is None:
            return None
        return self.end.time - self.start.time


@dataclass(slots=True)
class Call:
    """A call of the host to the TSM; an interrupted one has a stay for each time it was resumed."""

    hart: int
    eid: int
    fid: int
    stays: list[Stay] = field(default_factory=list)

    @property
    def state(self) -> str:
        """How it went: `returned`, `interrupted` (and never resumed) or `unfinished`."""
        end = self.stays[-1].end
        if end is None:
            return "unfinished"
        return "returned" if end.kind == Kind.TEERET else "interrupted"

    @property
    def complete(self) -> bool:
        """True when its TEECALL and all that follows is there."""
        first = self.stays[0].start
        whole = first is not None and first.kind == Kind.TEECALL
        return whole and self.state == "returned"

    @property
    def ticks(self) -> int | None:
        """Ticks from the first TEECALL to the TEERET, what the host did in between included."""
        first, last = self.stays[0].start, self.stays[-1].end
        if not self.complete or first is None or last is None:
            return None
        return last.time - first.time

    def as_json(self) -> dict[str, object]:
        """Return the call for `teecall trace --json`, times in ticks."""
        return {
            "hart": self.hart,
            "eid": f"{self.eid:#x}",
            "fid": f"{self.fid:#x}",
            "state": self.state,
            "complete": self.complete,
            "ticks": self.ticks,
            "stays": [
                {
                    "start": stay.start.time if stay.start else None,
                    "end": stay.end.time if stay.end else None,
                }
                for stay in self.stays
            ],
        }


@dataclass(slots=True)
class GuestRun:
    """A stay of the hart in a TVM, from the TSM's sret to the trap that ends it."""

    hart: int
    tvm: int
    vcpu: int
    stay: Stay


@dataclass(frozen=True, slots=True)
class Crossings:
    """What the events amount to, in the order of their beginnings on each hart."""

    calls: tuple[Call, ...]
    boots: tuple[Stay, ...]
    guest_runs: tuple[GuestRun, ...]


def crossings(events: Sequence[Event]) -> Crossings:
    """Put calls, boots of the TSM and guest runs together.

    Args:
        events: merged events of all harts, each hart's in order.
    """
    harts = {event.hart: _Hart(event.hart) for event in events}
    for event in events:
        harts[event.hart].take(event)
    found = [harts[number] for number in sorted(harts)]
    return Crossings(
        tuple(_flat(hart.calls for hart in found)),
        tuple(stay for hart in found for stay in hart.boots),
        tuple(run for hart in found for run in hart.guest_runs),
    )


def _flat(lists: Iterable[list[Call]]) -> list[Call]:
    return [call for calls in lists for call in calls]


class _Hart:
    """Follows one hart."""

    def __init__(self, number: int) -> None:
        self.calls: list[Call] = []
        self.boots: list[Stay] = []
        self.guest_runs: list[GuestRun] = []
        self._hart = number
        # The call that the hart is in, and one that was interrupted before.
        self._inside: Call | None = None
        self._interrupted: Call | None = None
        self._guest: GuestRun | None = None

    def take(self, event: Event) -> None:
        """Take the hart's next event."""
        if event.kind in _STARTS:
            self._start(event)
        elif event.kind in _ENDS:
            self._end(event)
        elif event.kind == Kind.TSM_BOOT:
            self.boots.append(Stay(event))
        elif event.kind == Kind.TSM_READY:
            self._ready(event)
        elif event.kind == Kind.GUEST_ENTER:
            self._guest = self._guest_run(event, Stay(event))
        elif event.kind == Kind.GUEST_EXIT:
            run = self._guest or self._guest_run(event, Stay(None))
            run.stay.end = event
            self._guest = None

    def _start(self, event: Event) -> None:
        call = self._interrupted
        if event.kind == Kind.TEECALL or call is None or not _same(call, event):
            call = self._new_call(event)
        self._inside, self._interrupted, self._guest = call, None, None
        call.stays.append(Stay(event))

    def _end(self, event: Event) -> None:
        call = self._inside
        if call is None:
            # Its TEECALL is lost.
            call = self._new_call(event)
            call.stays.append(Stay(None))
        call.stays[-1].end = event
        interrupted = event.kind == Kind.TEERET_INTERRUPTED
        self._interrupted = call if interrupted else None
        self._inside = self._guest = None

    def _ready(self, event: Event) -> None:
        if self.boots and self.boots[-1].end is None:
            self.boots[-1].end = event
        else:
            self.boots.append(Stay(None, event))

    def _new_call(self, event: Event) -> Call:
        call = Call(self._hart, event.eid, event.fid)
        self.calls.append(call)
        return call

    def _guest_run(self, event: Event, stay: Stay) -> GuestRun:
        run = GuestRun(self._hart, event.aux >> 32, event.aux & 0xFFFFFFFF, stay)
        self.guest_runs.append(run)
        return run


def _same(call: Call, event: Event) -> bool:
    return (call.eid, call.fid) == (event.eid, event.fid)
