# SPDX-License-Identifier: Apache-2.0
"""The crossings of a run as aligned text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.abi import Event as Kind
from harness.host.results import error_name
from harness.trace.calls import Crossings, Stay, crossings
from harness.trace.interrupts import CAUSE_ECALL_VS
from harness.trace.names import call_name, cause_name
from harness.trace.record import Trace
from harness.trace.ring import TIMEBASE_HZ, Event, lost_events

_CALLS = (Kind.TEECALL, Kind.TEERESUME, Kind.TEERET, Kind.TEERET_INTERRUPTED)
_RANGES = (Kind.ASSIGN, Kind.RELEASE)
_WITH_ERROR = (Kind.TEERET, *_RANGES)
_HEADING = ("hart", "time us", "event", "call", "result", "took us", "")
_RIGHT = (0, 1, 5)
_U64 = (1 << 64) - 1


def microseconds(ticks: int) -> float:
    """Return ticks of CSR time in microseconds."""
    return ticks * 1_000_000 / TIMEBASE_HZ


def text_lines(trace: Trace) -> list[str]:
    """Return a line for each event, with what is missing above and a summary below."""
    events = trace.events
    found = crossings(events)
    ends = _durations(found)
    rows = [_HEADING, *(_row(event, ends.get(id(event))) for event in events)]
    return [*_missing(trace), *_aligned(rows), *_summary(trace, found)]


def as_json(trace: Trace) -> dict[str, object]:
    """Return rings, calls and events as plain data; times are in ticks of `timebase_hz`."""
    events = trace.events
    named = [
        {**event.as_json(), "call": call_name(event.eid, event.fid) if _has_call(event) else None}
        for event in events
    ]
    calls = [
        {"call": call_name(call.eid, call.fid), **call.as_json()}
        for call in crossings(events).calls
    ]
    return {
        "timebase_hz": TIMEBASE_HZ,
        "lost": trace.lost,
        "problems": list(trace.problems),
        "rings": [ring.as_json() for ring in trace.rings],
        "calls": calls,
        "events": named,
    }


def _durations(found: Crossings) -> dict[int, str]:
    """Return what to say at the event that ends a stay, by the event's identity."""
    texts: dict[int, str] = {}
    stays = [*found.boots, *(run.stay for run in found.guest_runs)]
    stays += [stay for call in found.calls for stay in call.stays]
    for stay in stays:
        if stay.end is not None:
            texts[id(stay.end)] = _took(stay)
    return texts


def _took(stay: Stay) -> str:
    return "?" if stay.ticks is None else f"{microseconds(stay.ticks):.1f}"


def _row(event: Event, took: str | None) -> tuple[str, ...]:
    return (
        str(event.hart),
        f"{microseconds(event.time):.1f}",
        event.name,
        call_name(event.eid, event.fid) if _has_call(event) else "",
        _result(event),
        took or "",
        _detail(event),
    )


def _has_call(event: Event) -> bool:
    is_exit = event.kind == Kind.GUEST_EXIT and event.error == CAUSE_ECALL_VS
    return is_exit or event.kind in _CALLS


def _result(event: Event) -> str:
    if event.kind == Kind.GUEST_EXIT:
        return cause_name(event.error & _U64)
    return error_name(event.error) if event.kind in _WITH_ERROR else ""


def _detail(event: Event) -> str:
    value, aux = event.value, event.aux
    if event.kind in (Kind.GUEST_ENTER, Kind.GUEST_EXIT):
        return f"tvm {aux >> 32} vcpu {aux & 0xFFFFFFFF} at {value:#x}"
    if event.kind in _RANGES:
        return f"{aux} pages at {value:#x}"
    if event.kind == Kind.TSM_FAULT:
        return f"{cause_name(value)} at {aux:#x}, mtval {event.error & _U64:#x}"
    if event.kind == Kind.TEERET:
        return f"value {value:#x}" + (f", scause {cause_name(aux)}" if aux else "")
    texts = {
        Kind.TEECALL: f"from {aux:#x}",
        Kind.TEERESUME: f"from {aux:#x}",
        Kind.PMP_UPDATE: f"image {value}",
        Kind.TSM_BOOT: f"entry {value:#x}",
        Kind.TSM_READY: f"entry {value:#x}",
        Kind.TSM_PANIC: f"message at {value:#x}",
        Kind.GUEST_FENCE: f"vmid {value}, reason {aux}",
    }
    return next((text for kind, text in texts.items() if kind == event.kind), "")


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADING))]
    for row in rows:
        cells = [
            cell.rjust(width) if column in _RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _missing(trace: Trace) -> list[str]:
    return [f"LOST: {line}" for line in lost_events(trace.rings)] + [
        f"UNREADABLE: {problem}" for problem in trace.problems
    ]


def _summary(trace: Trace, found: Crossings) -> list[str]:
    resumed = sum(len(call.stays) > 1 for call in found.calls)
    whole = sum(call.complete for call in found.calls)
    return [
        f"{len(trace.events)} events kept, {trace.lost} lost; {len(found.calls)} calls, "
        f"{whole} complete, {resumed} resumed after an interruption; "
        f"{len(found.guest_runs)} guest runs"
    ]
