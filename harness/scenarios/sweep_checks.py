# SPDX-License-Identifier: Apache-2.0
"""What must hold at every point of arrival, and where the interrupt became pending.

Under `-icount` CSR time is a function of the instructions executed, so an event's time says
exactly where the hart was when the deadline passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from harness.abi import Error
from harness.abi import Event as Kind
from harness.scenarios.sweep_memory import Arrival, Operation, Point
from harness.trace.ring import Event

INTERRUPT = 1 << 63
SOFT, TIMER = INTERRUPT | 1, INTERRUPT | 5
ECALL_VS = 10
_SSIP, _STIP = 1 << 1, 1 << 5
_ECALL_SIZE = 4
_ANSWERS = {
    Operation.NULL: (Error.NOT_SUPPORTED, 0),
    Operation.CONVERT: (Error.SUCCESS, 65),
    Operation.RECLAIM: (Error.SUCCESS, 17),
    Operation.SPIN: (Error.SUCCESS, 0),
    Operation.EXIT: (Error.SUCCESS, 0),
    Operation.GLOBAL_FENCE: (Error.SUCCESS, 0),
    Operation.LOCAL_FENCE: (Error.SUCCESS, 0),
}
# Of the host's own translations, and of its guests': SBI RFENCE.
FENCES = (Arrival.FENCE, Arrival.HFENCE_GVMA, Arrival.HFENCE_VVMA)
_CSRS = (
    *("sepc", "scause", "stval", "scounteren", "vsscratch", "vsepc", "vstval", "htimedelta"),
    *("hedeleg", "hideleg", "sie", "sstatus.SIE"),
)
_RUNS = (Operation.SPIN, Operation.EXIT)


class Place(StrEnum):
    """Who had the hart when the interrupt became pending."""

    BEFORE = "host before"
    M_IN = "M-mode in"
    TSM = "TSM"
    TVM = "TVM"
    M_OUT = "M-mode out"
    AFTER = "host after"


_BEHIND = {
    Kind.TEECALL: Place.TSM,
    Kind.TEERESUME: Place.TSM,
    Kind.TEERET: Place.M_OUT,
    Kind.TEERET_INTERRUPTED: Place.M_OUT,
    Kind.GUEST_ENTER: Place.TVM,
    Kind.GUEST_EXIT: Place.TSM,
}


def place_of(point: Point, events: Sequence[Event]) -> Place:
    """Return where the hart was when the interrupt became pending.

    A TVM's events stand on the TSM's side of the border: what ends the run with the TVM's pc
    unmoved was pending before the TVM ran, what does not end it came behind the TVM's ECALL.

    Args:
        point: the arrival.
        events: of its call, in order.
    """
    at = pending_at(point)
    entered = next((e.time for e in events if e.kind == Kind.TEECALL), point.end)
    # One that was taken before M-mode had the hart was pending before the ECALL.
    if at < point.call or (point.taken and point.taken_at < entered):
        return Place.BEFORE
    if at > point.end:
        return Place.AFTER
    place, enter = Place.M_IN, None
    for index, event in enumerate(events):
        if event.time > at:
            break
        place = _BEHIND.get(Kind(event.kind), place)
        enter = index if event.kind == Kind.GUEST_ENTER else enter
    if place is Place.TVM and enter is not None:
        leave = next((e for e in events[enter:] if e.kind == Kind.GUEST_EXIT), None)
        by_interrupt = leave is not None and leave.error < 0
        moved = leave is not None and leave.value != events[enter].value
        return Place.TVM if by_interrupt and moved else Place.TSM
    return place


def pending_at(point: Point) -> int:
    """Return the time at which the interrupt became pending."""
    return point.deadline if point.arrival <= Arrival.TIMER_PENDING else point.sent


def problems(point: Point, events: Sequence[Event]) -> Iterator[str]:
    """Yield what is wrong at a point of arrival.

    Args:
        point: what the host found.
        events: of the call on this hart, in order.
    """
    yield from _registers(point)
    yield from _answer(point)
    yield from _crossings(point, events)
    if point.arrival == Arrival.TIMER_PENDING:
        yield from _left_pending(point)
    elif point.arrival in FENCES:
        yield from _unnoticed(point, events)
    else:
        yield from _taken(point, events)
    if point.operation in _RUNS:
        yield from _run(point, events)


def _registers(point: Point) -> Iterator[str]:
    for number in range(1, 32):
        if point.wrong_gprs >> number & 1:
            yield f"x{number} is not as the host had it"
    for number, name in enumerate(_CSRS):
        if point.wrong_csrs >> number & 1:
            yield f"{name} is not as the host had it"


def _answer(point: Point) -> Iterator[str]:
    error, value = _ANSWERS[Operation(point.operation)]
    if (point.error, point.value) != (error, value):
        yield (
            f"the call answered error {point.error}, value {point.value:#x}, not {int(error)},"
            f" {value:#x}"
        )


def _count(events: Sequence[Event], kind: Kind) -> int:
    return sum(event.kind == kind for event in events)


def _crossings(point: Point, events: Sequence[Event]) -> Iterator[str]:
    calls, rets = _count(events, Kind.TEECALL), _count(events, Kind.TEERET)
    if (calls, rets) != (1, 1):
        yield f"the event ring has {calls} TEECALLs and {rets} TEERETs of it instead of one each"
    given_back, resumed = (
        _count(events, Kind.TEERET_INTERRUPTED),
        _count(events, Kind.TEERESUME),
    )
    if given_back != resumed:
        yield f"the TSM gave the hart back {given_back} times, and was resumed {resumed} times"
    once = point.arrival != Arrival.TIMER_PENDING
    if once and given_back > 1:
        yield f"one interrupt stopped the call {given_back} times"


def _left_pending(point: Point) -> Iterator[str]:
    """With sstatus.SIE off nothing is taken, and nothing may be lost."""
    if point.taken:
        yield f"an interrupt was taken at {point.taken_pc:#x} though sstatus.SIE was off"
    if point.stimecmp != point.deadline:
        yield f"stimecmp is {point.stimecmp:#x}, the host wrote {point.deadline:#x}"
    if point.deadline <= point.end and not point.sip & _STIP:
        yield "the timer interrupt is lost: its time is over and sip.STIP is clear"
    if point.deadline > point.sip_at and point.sip & _STIP:
        yield "sip.STIP is set before its time"


def _taken(point: Point, events: Sequence[Event]) -> Iterator[str]:
    """The interrupt was taken once, at the right instruction."""
    expected = SOFT if point.arrival == Arrival.IPI else TIMER
    if point.taken != 1:
        lost = "is lost" if not point.taken else f"was taken {point.taken} times"
        yield f"the interrupt {lost}"
        return
    if point.taken_cause != expected:
        yield f"scause of the interrupt is {point.taken_cause:#x}, not {expected:#x}"
    if point.taken_at < pending_at(point):
        yield f"the interrupt was taken {pending_at(point) - point.taken_at} ticks too early"
    if point.arrival == Arrival.IPI and point.sip & _SSIP:
        yield "the IPI is pending once more"
    yield from _taken_where(point, events)


def _taken_where(point: Point, events: Sequence[Event]) -> Iterator[str]:
    offset = point.taken_pc - point.ecall_pc
    first = next((e.time for e in events if e.kind == Kind.TEECALL), 0)
    last = next((e.time for e in events if e.kind == Kind.TEERET), 0)
    if point.taken_at < first:
        right = offset <= 0
    elif _count(events, Kind.TEERET_INTERRUPTED):
        # Between the two the host had its hart, and its pc was at the ECALL again.
        right = offset == 0 and point.taken_at < last
    else:
        inside = max(pending_at(point), point.sent_end) <= last
        right = offset == _ECALL_SIZE if inside else offset >= _ECALL_SIZE
    if not right:
        yield f"the interrupt was taken at the ECALL{offset:+d}"


def _unnoticed(point: Point, events: Sequence[Event]) -> Iterator[str]:
    """A remote fence is M-mode's own service: neither host nor TSM take part."""
    if point.sent_error:
        yield f"the remote fence answered {point.sent_error}"
    if point.fences != 1:
        yield f"M-mode served {point.fences} remote fences on the hart instead of one"
    if point.taken:
        yield f"the remote fence made the host take scause {point.taken_cause:#x}"
    if _count(events, Kind.TEERET_INTERRUPTED):
        yield "the remote fence stopped the call"
    if any(e.error < 0 for e in events if e.kind == Kind.GUEST_EXIT):
        yield "the remote fence ended a run of the TVM"
    if point.operation == Operation.EXIT and _count(events, Kind.GUEST_ENTER) != 2:
        yield f"the TVM was entered {_count(events, Kind.GUEST_ENTER)} times instead of twice"


def _run(point: Point, events: Sequence[Event]) -> Iterator[str]:
    if point.report != point.expected:
        yield (
            f"after {point.runs} runs the TVM's registers and memory sum up to"
            f" {point.report:#x}, not {point.expected:#x}: its progress is not exact"
        )
    if point.stval:
        yield f"stval of the run is {point.stval:#x}"
    leaves = [event for event in events if event.kind == Kind.GUEST_EXIT]
    if not leaves:
        yield "the event ring does not show the TVM's run"
        return
    cause = leaves[-1].error & (2 * INTERRUPT - 1)
    if not point.taken and point.scause != cause:
        yield f"scause of the run is {point.scause:#x}, the TVM was left with {cause:#x}"
    if cause & INTERRUPT and leaves[-1].time < pending_at(point):
        yield "the run ended by an interrupt before one was pending"
    if cause & INTERRUPT and point.taken and point.taken_cause != cause:
        yield f"the run ended with {cause:#x}, the host took {point.taken_cause:#x}"
    spins = point.operation == Operation.SPIN and place_of(point, events) is not Place.BEFORE
    if spins and not cause & INTERRUPT:
        yield f"the spinning TVM was left with {cause:#x} and no interrupt"
    if not cause & INTERRUPT and cause != ECALL_VS:
        yield f"the TVM was left with {cause:#x}"
