# SPDX-License-Identifier: Apache-2.0
"""The crossings of a run for a trace viewer (Chrome's JSON format, which Perfetto reads).

One process for each domain (host, M-mode, TSM, each TVM), in it one track for each hart. A call
is a slice of the host, which waits; inside it the TSM's track has a slice while the TSM runs and
the TVM's track one while the guest runs. What happens at a moment is an instant of whoever
recorded it.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.abi import Event as Kind
from harness.host.results import error_name
from harness.trace.calls import Call, Crossings, GuestRun, Stay, crossings
from harness.trace.interrupts import CAUSE_ECALL_VS
from harness.trace.names import call_name, cause_name
from harness.trace.record import Trace
from harness.trace.ring import TIMEBASE_HZ, Event, Ring, lost_events

HOST, M_MODE, TSM, FIRST_TVM = 1, 2, 3, 4
_DOMAINS = {HOST: "host", M_MODE: "M-mode", TSM: "TSM"}
_WRITERS = {"tsmd": M_MODE, "tsm": TSM}
_NS_PER_TICK = 1_000_000_000 // TIMEBASE_HZ
_U64 = (1 << 64) - 1

JsonObject = dict[str, object]


def perfetto(trace: Trace) -> JsonObject:
    """Return the trace file's content.

    Lost events are in `otherData`, and an instant at the beginning of the track that lacks them.
    """
    drawing = _Drawing(trace)
    return {
        "displayTimeUnit": "ns",
        "otherData": {
            "lost": trace.lost,
            "lost_events": lost_events(trace.rings),
            "problems": list(trace.problems),
            "rings": [ring.as_json() for ring in trace.rings],
        },
        "traceEvents": [*drawing.names(), *drawing.events()],
    }


class _Drawing:
    """One trace on its way into the file."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._events = trace.events
        self._found: Crossings = crossings(self._events)
        self._moments = _moments(self._events)
        self._first: dict[int, int] = {}
        for event in self._events:
            self._first.setdefault(event.hart, self._moments[id(event)])
        tvms = sorted({run.tvm for run in self._found.guest_runs})
        self._tvms = {tvm: FIRST_TVM + index for index, tvm in enumerate(tvms)}

    def names(self) -> Iterator[JsonObject]:
        """Give processes and tracks their names."""
        domains = {**_DOMAINS, **{pid: f"TVM {tvm}" for tvm, pid in self._tvms.items()}}
        harts = sorted({ring.hart for ring in self._trace.rings})
        for pid, name in domains.items():
            yield {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}}
            yield {"ph": "M", "pid": pid, "name": "process_sort_index", "args": {"sort_index": pid}}
            for hart in harts:
                name = f"hart {hart}"
                place = {"pid": pid, "tid": _track(hart)}
                yield {"ph": "M", **place, "name": "thread_name", "args": {"name": name}}

    def events(self) -> Iterator[JsonObject]:
        """Give everything that is drawn."""
        for ring in self._trace.rings:
            if ring.lost:
                yield self._loss(ring)
        for stay in self._found.boots:
            hart = _hart_of(stay)
            yield self._slice(TSM, hart, "boot", stay.start, stay.end, {})
        for call in self._found.calls:
            yield from self._call(call)
        for run in self._found.guest_runs:
            yield self._guest_run(run)
        for event in self._events:
            if event.kind not in (Kind.GUEST_ENTER, Kind.GUEST_EXIT):
                yield self._instant(_WRITERS[event.writer], event)

    def _call(self, call: Call) -> Iterator[JsonObject]:
        name = call_name(call.eid, call.fid)
        for stay in call.stays:
            args = {**_call_facts(stay), "state": call.state, "complete": call.complete}
            yield self._slice(HOST, call.hart, name, stay.start, stay.end, args)
            start = stay.start
            for run in self._runs_in(call.hart, stay):
                yield self._slice(TSM, call.hart, name, start, run.stay.start, {})
                start = run.stay.end
                if start is None:
                    break
            else:
                yield self._slice(TSM, call.hart, name, start, stay.end, {})

    def _runs_in(self, hart: int, stay: Stay) -> list[GuestRun]:
        """Return the guest runs that began in a stay of the TSM."""
        first = self._moments[id(stay.start)] if stay.start else 0
        last = self._moments[id(stay.end)] if stay.end else _U64
        return [
            run
            for run in self._found.guest_runs
            if run.hart == hart
            and run.stay.start is not None
            and first <= self._moments[id(run.stay.start)] <= last
        ]

    def _guest_run(self, run: GuestRun) -> JsonObject:
        args: JsonObject = {}
        if run.stay.start is not None:
            args["entered at"] = f"{run.stay.start.value:#x}"
        end = run.stay.end
        if end is not None:
            args |= {"left at": f"{end.value:#x}", "why": cause_name(end.error & _U64)}
            if end.error == CAUSE_ECALL_VS:
                args["call"] = call_name(end.eid, end.fid)
        pid = self._tvms[run.tvm]
        return self._slice(pid, run.hart, f"vcpu {run.vcpu}", run.stay.start, end, args)

    def _slice(
        self,
        pid: int,
        hart: int,
        name: str,
        start: Event | None,
        end: Event | None,
        args: JsonObject,
    ) -> JsonObject:
        """Draw from start to end; one whose end is not there is left open in the viewer."""
        begin = self._first[hart] if start is None else self._moments[id(start)]
        shown = f"{name} (beginning lost)" if start is None else name
        place = {"pid": pid, "tid": _track(hart), "name": shown, "ts": begin / 1000, "args": args}
        if end is None:
            return {"ph": "B", **place}
        return {"ph": "X", **place, "dur": (self._moments[id(end)] - begin) / 1000}

    def _instant(self, pid: int, event: Event) -> JsonObject:
        return {
            "ph": "i",
            "s": "t",
            "pid": pid,
            "tid": _track(event.hart),
            "name": event.name,
            "ts": self._moments[id(event)] / 1000,
            "args": event.as_json(),
        }

    def _loss(self, ring: Ring) -> JsonObject:
        first = ring.events[0] if ring.events else None
        return {
            "ph": "i",
            "s": "t",
            "pid": _WRITERS[ring.writer],
            "tid": _track(ring.hart),
            "name": f"{ring.lost} earlier events lost",
            "ts": self._moments[id(first)] / 1000 if first else 0,
            "args": ring.as_json(),
        }


def _moments(events: list[Event]) -> dict[int, int]:
    """Return a time in ns for each event, by its identity.

    Many events of a hart can fall into one tick of CSR time; they are drawn 1 ns apart, so that
    the viewer keeps their order.
    """
    moments: dict[int, int] = {}
    last: dict[int, int] = {}
    for event in events:
        moment = max(event.time * _NS_PER_TICK, last.get(event.hart, -1) + 1)
        moments[id(event)] = last[event.hart] = moment
    return moments


def _track(hart: int) -> int:
    # Viewers take track 0 for the process itself.
    return hart + 1


def _hart_of(stay: Stay) -> int:
    event = stay.start or stay.end
    return event.hart if event else 0


def _call_facts(stay: Stay) -> JsonObject:
    facts: JsonObject = {}
    if stay.start is not None:
        facts["host pc"] = f"{stay.start.aux:#x}"
    if stay.end is not None and stay.end.kind == Kind.TEERET:
        facts |= {"error": error_name(stay.end.error), "value": f"{stay.end.value:#x}"}
    return facts
