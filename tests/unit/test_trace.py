# SPDX-License-Identifier: Apache-2.0
"""Event rings, the six steps, QEMU's interrupt log, the TSM's log and counts."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from harness import abi
from harness.abi import Covh, Eid
from harness.abi import Event as Kind
from harness.trace.interrupts import Trap, parse_interrupts
from harness.trace.ring import EVENT, HEADER, Event, decode_ring, merge
from harness.trace.steps import in_interrupt_log, six_steps
from harness.trace.tsm import TsmStats, decode_log, decode_stats

LOGS = Path(__file__).parent / "logs"
HOST_PC = 0xFFFFFFFF00373990
GUEST_PC = 0x8020025E
TSM = range(0x8F000000, 0x90000000)
RUN_FID = 1 << abi.A6_SDID_SHIFT | Covh.RUN_TVM_VCPU
CAPACITY = 8


def event(kind: Kind, instret: int, **fields: int) -> Event:
    writer = "tsm" if kind >= Kind.GUEST_ENTER else "tsmd"
    plain = Event(writer, 0, instret, instret, kind, 1, 0, 0, 0, 0, 0)
    return replace(plain, **fields)  # type: ignore[arg-type]


def a_run() -> list[Event]:
    """The events of one run_tvm_vcpu call that ends with a call of the guest."""
    call = {"eid": Eid.COVH, "fid": RUN_FID}
    return [
        event(Kind.TEECALL, 10, aux=HOST_PC, **call),
        event(Kind.GUEST_ENTER, 20, value=0x80200000),
        event(Kind.GUEST_EXIT, 30, error=10, value=GUEST_PC, eid=Eid.LEGACY_PUTCHAR),
        event(Kind.TEERET, 40, **call),
    ]


def ring_bytes(events: list[Event], capacity: int = CAPACITY) -> bytes:
    """What the firmware has in memory after it wrote `events` to a ring."""
    slots = [bytes(EVENT.size)] * capacity
    for number, one in enumerate(events):
        slots[number % capacity] = EVENT.pack(
            one.time, one.instret, one.kind, one.sdid, one.hart,
            one.eid, one.fid, one.error, one.value, one.aux,
        )  # fmt: skip
    header = HEADER.pack(abi.RING_MAGIC, abi.ABI_VERSION, capacity, len(events))
    return header + b"".join(slots)


def test_layout_is_that_of_the_header() -> None:
    assert (EVENT.size, HEADER.size) == (64, 64)


def test_ring_gives_back_what_was_written() -> None:
    ring = decode_ring(ring_bytes(a_run()), "tsmd")
    assert [one.kind for one in ring.events] == [one.kind for one in a_run()]
    assert ring.events[0].aux == HOST_PC
    assert ring.lost == 0


@pytest.mark.parametrize("count", [CAPACITY, CAPACITY + 1, 3 * CAPACITY + 5])
def test_wrapped_ring_keeps_the_newest_in_order(count: int) -> None:
    written = [event(Kind.ASSIGN, number) for number in range(count)]
    ring = decode_ring(ring_bytes(written), "tsmd")
    assert [one.instret for one in ring.events] == list(range(count - CAPACITY, count))
    assert ring.lost == count - CAPACITY


def test_negative_errors_stay_negative() -> None:
    ring = decode_ring(ring_bytes([event(Kind.TEERET, 1, error=-5)]), "tsmd")
    assert ring.events[0].error == -5


def test_unused_ring_is_empty() -> None:
    assert decode_ring(bytes(HEADER.size + 64), "tsm").events == ()


@pytest.mark.parametrize(
    "header",
    [
        HEADER.pack(0xBAD, abi.ABI_VERSION, CAPACITY, 1),
        HEADER.pack(abi.RING_MAGIC, abi.ABI_VERSION + 1, CAPACITY, 1),
        HEADER.pack(abi.RING_MAGIC, abi.ABI_VERSION, 1 << 20, 1),
        HEADER.pack(abi.RING_MAGIC, abi.ABI_VERSION, 0, 1),
    ],
)
def test_damaged_ring_is_refused(header: bytes) -> None:
    with pytest.raises(ValueError, match="event ring of tsm"):
        decode_ring(header + bytes(64 * CAPACITY), "tsm")


def test_merge_orders_a_hart_by_instret_across_writers() -> None:
    run = a_run()
    other = [replace(one, hart=1) for one in run]
    firmware = [one for one in run if one.writer == "tsmd"]
    tsm = [one for one in run if one.writer == "tsm"]
    assert merge(other, tsm, firmware) == run + other


def test_six_steps_are_proved() -> None:
    steps = six_steps(a_run())
    assert steps.proved
    assert [line[0] for line in steps.evidence] == list("123456")
    assert (steps.hart, steps.host_pc, steps.guest_pc) == (0, HOST_PC, GUEST_PC)


@pytest.mark.parametrize(
    ("lost", "missing"),
    [(Kind.TEECALL, "1/2"), (Kind.GUEST_ENTER, "3"), (Kind.GUEST_EXIT, "4"), (Kind.TEERET, "5/6")],
)
def test_each_missing_step_is_named(lost: Kind, missing: str) -> None:
    steps = six_steps([one for one in a_run() if one.kind != lost])
    assert not steps.proved
    assert steps.missing.startswith(missing)


def test_exit_by_interrupt_is_no_call_of_the_guest() -> None:
    run = a_run()
    run[2] = replace(run[2], error=-(1 << 63) + 5)
    assert six_steps(run).missing.startswith("4")


def test_steps_on_different_harts_prove_nothing() -> None:
    run = [replace(one, hart=one.writer == "tsm") for one in a_run()]
    assert not six_steps(run).proved


def test_exit_before_entry_proves_nothing() -> None:
    run = a_run()
    assert six_steps([run[0], run[2], run[1], run[3]]).missing.startswith("4")


def test_one_complete_call_is_enough() -> None:
    broken = [one for one in a_run() if one.kind != Kind.GUEST_EXIT]
    assert six_steps(broken + a_run()).proved


def test_calls_answered_inside_the_tsm_are_passed_over() -> None:
    """A COVG call re-enters the guest; the exit that ends the TEECALL counts."""
    run = a_run()
    inner = [
        event(Kind.GUEST_EXIT, 22, error=10, value=0x80200100, eid=Eid.COVG),
        event(Kind.GUEST_ENTER, 24, value=0x80200104),
    ]
    assert six_steps(run[:2] + inner + run[2:]).guest_pc == GUEST_PC


def test_no_events_name_the_first_step() -> None:
    assert six_steps([]).missing.startswith("1/2")


def traps(*pcs: tuple[int, int]) -> list[Trap]:
    return [Trap(0, False, cause, pc, 0, "", 1) for cause, pc in pcs]


FULL_LOG = ((9, HOST_PC), (10, 0x80200100), (10, GUEST_PC), (9, 0x8F000100))


def test_log_with_the_three_ecalls_agrees() -> None:
    assert in_interrupt_log(six_steps(a_run()), traps(*FULL_LOG), TSM) == ""


def test_interrupts_between_the_ecalls_do_not_matter() -> None:
    log = traps(*FULL_LOG)
    log.insert(2, Trap(0, True, 7, GUEST_PC, 0, "m_timer", 1))
    log.insert(2, Trap(1, False, 9, 0xFFFFFFFF80007492, 0, "", 1))
    assert in_interrupt_log(six_steps(a_run()), log, TSM) == ""


@pytest.mark.parametrize(
    ("lost", "says"), [(0, "1: no ECALL from HS"), (2, "4: no ECALL from VS"), (3, "5: no ECALL")]
)
def test_log_that_lacks_an_ecall_disagrees(lost: int, says: str) -> None:
    log = traps(*(one for at, one in enumerate(FULL_LOG) if at != lost))
    assert in_interrupt_log(six_steps(a_run()), log, TSM).startswith(says)


def test_ecall_of_the_host_in_between_disagrees() -> None:
    log = traps(*FULL_LOG[:3], (9, 0xFFFFFFFF80007492), FULL_LOG[3])
    assert in_interrupt_log(six_steps(a_run()), log, TSM).startswith("5")


def test_recorded_log_is_parsed() -> None:
    lines = (LOGS / "launch.interrupts.log").read_text().splitlines()
    found = parse_interrupts(["QEMU says something else", *lines])
    assert len(found) == len(lines)
    guest = [trap for trap in found if trap.is_ecall(10)]
    assert guest[0].pc == 0x8020027A
    assert guest[0].line == 1 + 1 + next(
        at for at, line in enumerate(lines) if "cause:000000000000000a" in line
    )
    assert any(trap.is_ecall(9) and trap.pc in TSM for trap in found)


def test_interrupt_with_the_number_of_an_ecall_is_none() -> None:
    line = (
        "riscv_cpu_do_interrupt: hart:0, async:1, cause:0000000000000009, "
        "epc:0xffffffff801918b6, tval:0x0000000000000000, desc=s_external"
    )
    (trap,) = parse_interrupts([line])
    assert trap.interrupt
    assert not trap.is_ecall(9)


def log_bytes(text: bytes, size: int) -> bytes:
    ring = bytearray(size)
    for at, byte in enumerate(text):
        ring[at % size] = byte
    return struct.pack("<QQQ", abi.LOG_MAGIC, size, len(text)) + bytes(ring)


def test_log_is_read() -> None:
    assert decode_log(log_bytes(b"one\ntwo\n", 64)) == "one\ntwo\n"


def test_wrapped_log_begins_with_a_whole_line() -> None:
    text = b"".join(b"line %03d\n" % number for number in range(20))
    assert decode_log(log_bytes(text, 32)) == "line 017\nline 018\nline 019\n"


def test_log_that_was_never_used_is_empty() -> None:
    assert decode_log(bytes(64)) == ""


def stats_bytes(*pages: int, tvms: int = 0, vcpus: int = 0) -> bytes:
    return struct.pack("<10Q", abi.STATS_MAGIC, *pages, tvms, vcpus)


def test_stats_are_named() -> None:
    stats = decode_stats(stats_bytes(1, 2, 3, 4, 5, 6, 7, tvms=8, vcpus=9))
    assert stats == TsmStats(
        {state.name: state.value + 1 for state in abi.PageState}, tvms=8, vcpus=9
    )


def test_stats_without_magic_are_refused() -> None:
    with pytest.raises(ValueError, match="tsm_stats"):
        decode_stats(bytes(80))


def test_difference_names_what_was_left_behind() -> None:
    before = decode_stats(stats_bytes(100, 0, 0, 0, 0, 0, 0))
    after = decode_stats(stats_bytes(90, 0, 7, 0, 0, 0, 3))
    assert before.difference(before) == ""
    assert before.difference(after) == "HOST 100 -> 90, UNASSIGNED 0 -> 7, TVM_DATA 0 -> 3"
    assert before.left_behind(after) == "3 TVM_DATA"
