# SPDX-License-Identifier: Apache-2.0
"""What the interrupt sweep makes of a point of arrival."""

from __future__ import annotations

import pytest

from harness.abi import Eid, Error
from harness.abi import Event as Kind
from harness.errors import MachineError
from harness.scenarios.runner import CheckFailed
from harness.scenarios.sweep_checks import (
    ECALL_VS,
    FENCES,
    INTERRUPT,
    SOFT,
    TIMER,
    Place,
    place_of,
    problems,
)
from harness.scenarios.sweep_linux import check_ticks, counted, runs_of
from harness.scenarios.sweep_machine import Tally
from harness.scenarios.sweep_memory import Arrival, Operation, Plan, Point
from harness.trace.ring import Event

ECALL = 0x80200100
GUEST = 0x80200000


def event(kind: Kind, time: int, error: int = 0, value: int = 0) -> Event:
    return Event("tsmd", 0, time, time, kind, 1, Eid.COVH, 0, error, value, 0)


def point(operation: Operation, arrival: Arrival, deadline: int, **other: int) -> Point:
    error, value = (Error.NOT_SUPPORTED, 0) if operation is Operation.NULL else (0, 0)
    fields = dict.fromkeys(Point._fields, 0) | {
        "operation": operation,
        "arrival": arrival,
        "deadline": deadline,
        "stimecmp": deadline,
        "start": 90,
        "call": 100,
        "end": 1000,
        "sip_at": 1010,
        "ecall_pc": ECALL,
        "taken": int(arrival in (Arrival.TIMER_TAKEN, Arrival.IPI)),
        "taken_pc": ECALL + 4,
        "taken_at": 1000,
        "taken_cause": SOFT if arrival == Arrival.IPI else TIMER,
        "error": error,
        "value": value,
        "sip": 32 if arrival == Arrival.TIMER_PENDING and deadline <= 1000 else 0,
        "sent": deadline,
        "fences": int(arrival in FENCES),
    }
    return Point(**(fields | other))


NULL = [event(Kind.TEECALL, 200), event(Kind.TEERET, 800)]
RUN = [
    event(Kind.TEECALL, 200),
    event(Kind.GUEST_ENTER, 300, 0, GUEST),
    event(Kind.GUEST_EXIT, 500, TIMER - 2 * INTERRUPT, GUEST + 8),
    event(Kind.TEERET, 800),
]


@pytest.mark.parametrize(
    ("deadline", "place"),
    [
        (95, Place.BEFORE),
        (150, Place.M_IN),
        (250, Place.TSM),
        (900, Place.M_OUT),
        (1001, Place.AFTER),
    ],
)
def test_where_an_interrupt_became_pending(deadline: int, place: Place) -> None:
    assert place_of(point(Operation.NULL, Arrival.TIMER_PENDING, deadline), NULL) is place


def test_the_tvm_had_the_hart_only_if_its_pc_moved() -> None:
    one = point(Operation.SPIN, Arrival.TIMER_PENDING, 400)
    assert place_of(one, RUN) is Place.TVM
    still = [*RUN[:2], event(Kind.GUEST_EXIT, 500, TIMER - 2 * INTERRUPT, GUEST), RUN[3]]
    assert place_of(one, still) is Place.TSM
    ecall = [*RUN[:2], event(Kind.GUEST_EXIT, 500, ECALL_VS, GUEST + 8), RUN[3]]
    assert place_of(one, ecall) is Place.TSM


@pytest.mark.parametrize("arrival", Arrival)
def test_a_right_point_has_no_problems(arrival: Arrival) -> None:
    assert list(problems(point(Operation.NULL, arrival, 500), NULL)) == []


@pytest.mark.parametrize(
    ("arrival", "changes", "says"),
    [
        (Arrival.TIMER_TAKEN, {"taken": 0}, "is lost"),
        (Arrival.TIMER_TAKEN, {"taken": 2}, "taken 2 times"),
        (Arrival.TIMER_TAKEN, {"taken_pc": ECALL}, "at the ECALL"),
        (Arrival.TIMER_TAKEN, {"taken_pc": ECALL + 8}, "ECALL.8"),
        (Arrival.TIMER_TAKEN, {"taken_cause": SOFT}, "scause of the interrupt"),
        (Arrival.TIMER_TAKEN, {"wrong_gprs": 1 << 9}, "x9 is not"),
        (Arrival.TIMER_TAKEN, {"error": 0}, "answered error 0"),
        (Arrival.TIMER_PENDING, {"stimecmp": 7}, "stimecmp is"),
        (Arrival.TIMER_PENDING, {"sip": 0}, "is lost"),
        (Arrival.TIMER_PENDING, {"wrong_csrs": 1}, "sepc is not"),
        (Arrival.TIMER_PENDING, {"taken": 1}, "SIE was off"),
        (Arrival.TIMER_PENDING, {"deadline": 2000, "stimecmp": 2000}, "before its time"),
        (Arrival.IPI, {"sip": 2}, "pending once more"),
        (Arrival.FENCE, {"taken": 1}, "made the host take"),
        (Arrival.FENCE, {"sent_error": -1}, "answered -1"),
        (Arrival.HFENCE_GVMA, {"fences": 0}, "served 0 remote fences"),
        (Arrival.HFENCE_VVMA, {"fences": 2}, "served 2 remote fences"),
        (Arrival.HFENCE_VVMA, {"taken": 1}, "made the host take"),
    ],
)
def test_a_wrong_point_is_told(arrival: Arrival, changes: dict[str, int], says: str) -> None:
    one = point(Operation.NULL, arrival, 500)._replace(**changes)
    found = list(problems(one, NULL))
    assert any(says.replace(".", "+") in text for text in found), found


def test_crossings_that_do_not_match_are_told() -> None:
    given_back = [NULL[0], event(Kind.TEERET_INTERRUPTED, 300), NULL[1]]
    one = point(Operation.NULL, Arrival.FENCE, 500)
    found = list(problems(one, given_back))
    assert any("resumed 0 times" in text for text in found)
    assert any("stopped the call" in text for text in found)
    assert any("0 TEECALLs" in text for text in problems(one, []))


def test_a_guest_that_lost_progress_is_told() -> None:
    one = point(Operation.SPIN, Arrival.TIMER_PENDING, 400, scause=TIMER, report=1, expected=2)
    assert any("progress is not exact" in text for text in problems(one, RUN))
    assert list(problems(one._replace(report=2), RUN)) == []
    assert any("left with" in text for text in problems(one._replace(scause=SOFT), RUN))


def test_a_fence_came_where_the_ipi_did() -> None:
    tally = Tally()
    tally.add(point(Operation.SPIN, Arrival.IPI, 400), RUN)
    tally.add(point(Operation.SPIN, Arrival.FENCE, 400), NULL)
    assert tally.distinct(Place.TVM) == 2
    assert tally.points == 2 and tally.wrong


def test_runs_of_a_tvm_and_what_ended_them() -> None:
    assert runs_of(RUN) == ([200], {5: 1})


def test_the_plan_is_laid_out_as_the_payload_reads_it() -> None:
    words = Plan(1, 2, 3, 4, 5, 6, 7, 8, 9).encoded()
    assert len(words) == 80 and words[8:16] == (1).to_bytes(8, "little")


def test_every_tick_in_time_is_good() -> None:
    check_ticks([100, 39_000, 40_500], ticks=100, seconds=0.4)


@pytest.mark.parametrize(
    ("lengths", "ticks", "says"),
    [
        ([39_000, 41_100], 100, "lasted 4.110 ms"),
        ([39_000], 90, "had 90 ticks in 0.40 s"),
        ([], 100, "did not run"),
    ],
)
def test_a_late_or_lost_tick_is_noticed(lengths: list[int], ticks: int, says: str) -> None:
    with pytest.raises(CheckFailed, match=says):
        check_ticks(lengths, ticks, seconds=0.4)


def _hart_0(ticks: int) -> str:
    return f"""\
           CPU0
 10:      {ticks}  RISC-V INTC   5 Edge      riscv-timer
 12:         97  SiFive PLIC  10 Edge      ttyS0
"""


def test_ticks_are_counted_around_the_time_that_is_measured() -> None:
    uptimes = "12.10 3.00\n", "12.55 3.00\n"
    ticks, seconds = counted(_hart_0(1000) + "".join(uptimes) + _hart_0(1113))
    assert (ticks, round(seconds, 2)) == (113, 0.45)


@pytest.mark.parametrize(
    "output", ["", _hart_0(1) + "1.00 1.00\n", "1.00 1.00\n2.00 1.00\n" + _hart_0(3)]
)
def test_a_count_that_is_not_one(output: str) -> None:
    with pytest.raises(MachineError, match=r"twice|no riscv-timer"):
        counted(output)
