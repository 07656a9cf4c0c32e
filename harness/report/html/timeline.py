# SPDX-License-Identifier: Apache-2.0
"""The crossings of a run as a picture: who each hart ran, and what was called.

Calls take microseconds and the time between them can be seconds. On a linear scale nothing would
be seen, so each gap between two events is as wide as the logarithm of its length: the order is
exact, and times are written below and in the tooltips.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from harness.abi import Event as Kind
from harness.host.results import error_name
from harness.report.html.svg import picture, tag
from harness.trace.calls import GuestRun, Stay, crossings
from harness.trace.names import call_name, cause_name
from harness.trace.record import Trace
from harness.trace.ring import Event
from harness.trace.text import microseconds

WORLDS = ("host", "M-mode", "TSM", "TVM")
HOST, M_MODE, TSM, TVM = range(4)
# The last ones tell what led to the failure.
SHOWN = 90
_LEFT, _TOP, _ROW, _BAR = 118, 12, 22, 14
_THIN = 4
_NEAREST, _PER_OCTAVE = 5.0, 1.6
_LETTER = 6.0
_U64 = (1 << 64) - 1
_CALLS = (Kind.TEECALL, Kind.TEERESUME)
_ALARMS = (Kind.TSM_FAULT, Kind.TSM_PANIC)


@dataclass(frozen=True, slots=True)
class _Bar:
    """A hart is in a world from the one event to the other; None is the picture's edge."""

    hart: int
    world: int
    start: Event | None
    end: Event | None
    name: str


def timeline(trace: Trace, shown: int = SHOWN) -> Markup | None:
    """Return the picture, None when there are no events.

    Args:
        trace: the event rings of a run.
        shown: most events that it has, the newest ones.
    """
    events = in_time(trace.events)[-shown:]
    if not events:
        return None
    places = _places(events)
    # What began before the first event that is shown begins at the left edge.
    bars = [bar for bar in _bars(trace.events) if _is_shown(bar, places)]
    harts = sorted({event.hart for event in events})
    width = places[id(events[-1])] + 110
    height = _TOP + len(harts) * (len(WORLDS) * _ROW + 10) + 24
    label = f"the last {len(events)} events of {len(trace.events)} on {len(harts)} harts"
    drawn = [
        *(track for row, hart in enumerate(harts) for track in _tracks(row, hart, width)),
        *(_bar(bar, harts, places, width) for bar in bars),
        *_calls(events, harts, places),
        *(mark for event in events for mark in _mark(event, harts, places)),
        *_scale(events, places, height),
    ]
    return picture(label, width, height, *drawn)


def in_time(events: Sequence[Event]) -> list[Event]:
    """Return events of all harts by CSR time, which the harts share; each hart's stay in order.

    Args:
        events: hart by hart, each hart's in order.
    """
    latest: dict[int, int] = {}
    keyed = []
    for number, event in enumerate(events):
        latest[event.hart] = max(event.time, latest.get(event.hart, 0))
        keyed.append((latest[event.hart], number, event))
    return [event for _, _, event in sorted(keyed, key=lambda each: each[:2])]


def _places(events: Sequence[Event]) -> dict[int, float]:
    """Return how far from the left each event is, by its identity."""
    place = _LEFT + 10.0
    found = {id(events[0]): place}
    for before, after in pairwise(events):
        gap = max(0, after.time - before.time)
        place += _NEAREST + _PER_OCTAVE * math.log2(1 + gap)
        found[id(after)] = place
    return found


def _bars(events: Sequence[Event]) -> Iterator[_Bar]:
    """Give who ran when; `events` are hart by hart, each hart's in order."""
    found = crossings(events)
    order = {id(event): number for number, event in enumerate(events)}
    for stay in found.boots:
        yield _Bar(_hart(stay.start, stay.end), TSM, stay.start, stay.end, "boot of the TSM")
    begun = [run for run in found.guest_runs if run.stay.start]
    by_hart = {
        hart: [run for run in begun if run.hart == hart] for hart in {e.hart for e in events}
    }
    places = {hart: [order[id(run.stay.start)] for run in runs] for hart, runs in by_hart.items()}
    for call in found.calls:
        name = call_name(call.eid, call.fid)
        runs, starts = by_hart[call.hart], places[call.hart]
        for stay in call.stays:
            first = bisect.bisect(starts, order[id(stay.start)]) if stay.start else 0
            last = bisect.bisect(starts, order[id(stay.end)]) if stay.end else len(runs)
            for start, end in _tsm_parts(stay, runs[first:last]):
                yield _Bar(call.hart, TSM, start, end, f"{name} ({call.state})")
    for hart in by_hart:
        stays = [stay for call in found.calls if call.hart == hart for stay in call.stays]
        for before, after in pairwise(stays):
            yield _Bar(hart, HOST, before.end, after.start, "host")
    for run in found.guest_runs:
        name = f"TVM {run.tvm} vCPU {run.vcpu}"
        yield _Bar(run.hart, TVM, run.stay.start, run.stay.end, name)


def _tsm_parts(stay: Stay, runs: Iterable[GuestRun]) -> Iterator[tuple[Event | None, Event | None]]:
    """Give the parts of a stay in which the TSM itself ran, between the runs of TVMs."""
    start = stay.start
    for run in runs:
        yield start, run.stay.start
        start = run.stay.end
        if start is None:
            return
    yield start, stay.end


def _hart(*events: Event | None) -> int:
    return next((event.hart for event in events if event is not None), 0)


def _is_shown(bar: _Bar, places: dict[int, float]) -> bool:
    return any(event is not None and id(event) in places for event in (bar.start, bar.end))


def _y(row: int, world: int) -> float:
    return _TOP + row * (len(WORLDS) * _ROW + 10) + world * _ROW


def _tracks(row: int, hart: int, width: float) -> Iterator[Markup]:
    for world, name in enumerate(WORLDS):
        y = _y(row, world)
        yield tag("text", f"hart {hart} {name}", x=4, y=y + _BAR - 3, class_="track")
        yield tag("line", x1=_LEFT, x2=width, y1=y + _BAR, y2=y + _BAR, class_="rule")


def _bar(bar: _Bar, harts: Sequence[int], places: dict[int, float], width: float) -> Markup:
    start = places.get(id(bar.start), _LEFT) if bar.start else _LEFT
    end = places.get(id(bar.end), width) if bar.end else width
    if bar.start is not None and bar.end is not None:
        took = f", {microseconds(bar.end.time - bar.start.time):.1f} µs"
    else:
        took = ", its beginning is lost" if bar.start is None else ", it has no end"
    classes = f"w{bar.world}" + ("" if bar.end else " open")
    # The host's track has the names of its calls as well.
    height = _THIN if bar.world == HOST else _BAR
    place = {"x": start, "y": _y(harts.index(bar.hart), bar.world) + _BAR - height}
    title = tag("title", bar.name + took)
    return tag("rect", title, **place, width=max(end - start, 2.0), height=height, class_=classes)


def _calls(
    events: Sequence[Event], harts: Sequence[int], places: dict[int, float]
) -> Iterator[Markup]:
    """Write the names of calls where there is room for them."""
    free = dict.fromkeys(harts, 0.0)
    for event in events:
        x = places[id(event)]
        if event.kind in _CALLS and x >= free[event.hart]:
            name = call_name(event.eid, event.fid).rpartition(".")[2]
            y = _y(harts.index(event.hart), HOST) + _BAR - _THIN - 3
            yield tag("text", name, x=x + 3, y=y, class_="call")
            free[event.hart] = x + 8 + _LETTER * len(name)


def _mark(event: Event, harts: Sequence[int], places: dict[int, float]) -> Iterator[Markup]:
    x, row = places[id(event)], harts.index(event.hart)
    title = tag("title", f"{microseconds(event.time):.1f} µs {event.name} {about(event)}")
    if event.kind in _ALARMS:
        y = _y(row, TSM)
        yield tag("path", title, d=f"M{x - 6:.1f} {y}l12 14m0 -14l-12 14", class_="alarm")
        yield tag("text", event.name, x=x + 9, y=y + _BAR - 3, class_="alarm-text")
    elif event.writer == "tsmd":
        y = _y(row, M_MODE)
        refused = event.kind == Kind.TEERET and event.error != 0
        classes = "refused" if refused else "w1"
        yield tag("rect", title, x=x - 1.5, y=y, width=3, height=_BAR, class_=classes)
        if refused:
            name = error_name(event.error)
            yield tag("text", name, x=x + 4, y=y + _BAR - 3, class_="alarm-text")


def about(event: Event) -> str:
    """Return in a few words what an event is about."""
    if event.kind in _ALARMS:
        return f"{cause_name(event.value)} at {event.aux:#x}"
    if event.kind == Kind.TEERET:
        return f"{call_name(event.eid, event.fid)}: {error_name(event.error)}"
    if event.kind in _CALLS:
        return f"{call_name(event.eid, event.fid)} from {event.aux:#x}"
    if event.kind in (Kind.GUEST_ENTER, Kind.GUEST_EXIT):
        why = f": {cause_name(event.error & _U64)}" if event.kind == Kind.GUEST_EXIT else ""
        return f"TVM {event.aux >> 32} vCPU {event.aux & 0xFFFFFFFF} at {event.value:#x}{why}"
    return f"value {event.value & _U64:#x}"


def _scale(events: Sequence[Event], places: dict[int, float], height: float) -> Iterator[Markup]:
    free = 0.0
    for event in events:
        x = places[id(event)]
        if x >= free:
            text = f"{microseconds(event.time):.1f} µs"
            yield tag("line", x1=x, x2=x, y1=_TOP, y2=height - 18, class_="grid")
            yield tag("text", text, x=x, y=height - 6, class_="time")
            free = x + _LETTER * len(text) + 24
