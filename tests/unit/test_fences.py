# SPDX-License-Identifier: Apache-2.0
"""Fences around TVM runs in the event rings, and the worlds in QEMU's log of traps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.abi import Covh, Eid
from harness.abi import Event as Kind
from harness.host.results import GuestRun
from harness.scenarios.beside_guests import argument, check_health, vmid_of
from harness.scenarios.runner import CheckFailed
from harness.trace.fences import ENTER, LEAVE, check_fences, since, without_gaps
from harness.trace.interrupts import Trap
from harness.trace.ring import Event, Ring
from harness.trace.worlds import KVM, TVM, overlaps, stays, switches
from tests.unit.test_trace import RUN_FID, TSM, event

CALL = {"eid": Eid.COVH, "fid": RUN_FID}
GUEST = range(0x80200000, 0x80400000)
GUEST_PC = 0x80200100
HOST_PC = 0xFFFFFFFF80001000
M_PC = 0x80000400


def fenced_run(start: int, vmid: int = 1, tvm: int = 7) -> list[Event]:
    """A run_tvm_vcpu call with two entries, as the TSM makes it."""
    return [
        event(Kind.TEECALL, start, **CALL),
        event(Kind.GUEST_FENCE, start + 1, value=vmid, aux=ENTER),
        event(Kind.GUEST_ENTER, start + 2, aux=tvm << 32),
        event(Kind.GUEST_EXIT, start + 3, aux=tvm << 32),
        event(Kind.GUEST_ENTER, start + 4, aux=tvm << 32),
        event(Kind.GUEST_EXIT, start + 5, aux=tvm << 32),
        event(Kind.GUEST_FENCE, start + 6, value=vmid, aux=LEAVE),
        event(Kind.TEERET, start + 7, **CALL),
    ]


def test_every_run_is_fenced() -> None:
    found = check_fences([*fenced_run(10), *fenced_run(30, tvm=8), *fenced_run(50, vmid=2)])
    assert not found.missing
    assert (found.entries, found.calls) == (6, 3)
    assert found.vmids == {1: {7, 8}, 2: {7}}


def test_no_fence_before_the_entry() -> None:
    run = fenced_run(10)
    del run[1]
    assert "hart 0 entered TVM 7 at instret 12 without a fence" in check_fences(run).missing[0]


def test_the_fence_of_an_earlier_call_does_not_count() -> None:
    second = fenced_run(30)
    del second[1]
    found = check_fences([*fenced_run(10), *second])
    assert len(found.missing) == 2
    assert "entered TVM 7 at instret 32" in found.missing[0]


def test_the_fence_of_another_hart_does_not_count() -> None:
    run = fenced_run(10)
    run[1] = replace(run[1], hart=1)
    assert check_fences(run).missing


def test_no_fence_behind_the_last_exit() -> None:
    run = fenced_run(10)
    del run[6]
    (line,) = check_fences(run).missing
    assert line == (
        "hart 0 went back to the host at instret 17 without a fence of VMID 1, which a TVM had used"
    )


def test_fence_of_another_vmid_behind_the_last_exit() -> None:
    run = fenced_run(10)
    run[6] = replace(run[6], value=2)
    assert "VMID 1" in check_fences(run).missing[0]


def test_an_interrupted_call_that_comes_back_is_fenced_anew() -> None:
    run = [replace(one, kind=Kind.TEERESUME) if one.kind == Kind.TEECALL else one
           for one in fenced_run(10)]  # fmt: skip
    assert not check_fences(run).missing
    del run[1]
    assert check_fences(run).missing


def test_calls_that_enter_no_tvm_need_no_fence() -> None:
    convert = {"eid": Eid.COVH, "fid": Covh.CONVERT_PAGES}
    found = check_fences([event(Kind.TEECALL, 1, **convert), event(Kind.TEERET, 2, **convert)])
    assert (found.calls, found.missing) == (0, [])


def test_what_the_ring_has_lost_is_no_missing_fence() -> None:
    first, second = fenced_run(10), fenced_run(30)
    firmware = [one for one in (*first, *second) if one.writer == "tsmd"]
    # The TSM's ring has overwritten the first run up to its first entry.
    kept = [one for one in (*first[2:], *second) if one.writer == "tsm"]
    rings = [
        Ring(tuple(firmware), "tsmd", 0, 16, len(firmware)),
        Ring(tuple(kept), "tsm", 0, len(kept), len(kept) + 1),
    ]
    found = check_fences(without_gaps(rings))
    assert (found.calls, found.missing) == (1, [])
    # Without a loss the same events are a missing fence.
    whole = [replace(ring, head=len(ring.events), capacity=16) for ring in rings]
    assert check_fences(without_gaps(whole)).missing


def trap(pc: int, hart: int = 0) -> Trap:
    return Trap(hart, False, 10, pc, 0, "x", 1)


def machine_interrupt(pc: int) -> Trap:
    return Trap(0, True, 3, pc, 0, "m_software", 1)


def test_worlds_are_told_apart_by_what_follows() -> None:
    traps = [
        trap(GUEST_PC), trap(GUEST_PC), trap(HOST_PC),  # a KVM guest, two traps
        trap(GUEST_PC), trap(M_PC), trap(TSM.start + 8),  # a TVM, with M-mode in between
        trap(HOST_PC), trap(TSM.start + 8),  # a call that enters no TVM
        trap(GUEST_PC), trap(HOST_PC),
    ]  # fmt: skip
    found = stays(traps, GUEST, TSM)
    assert [stay.world for stay in found] == [KVM, TVM, KVM]
    assert switches(found, 0) == 2
    assert switches(found, 1) == 0


def test_a_call_of_another_hart_ends_no_stay() -> None:
    served = [trap(GUEST_PC), machine_interrupt(TSM.start + 4), trap(GUEST_PC), trap(TSM.start + 8)]
    assert [stay.world for stay in stays(served, GUEST, TSM)] == [TVM]
    kernel = [trap(GUEST_PC), machine_interrupt(HOST_PC), trap(HOST_PC)]
    assert [stay.world for stay in stays(kernel, GUEST, TSM)] == [KVM]


def test_worlds_of_two_harts() -> None:
    one = [trap(GUEST_PC, 1), trap(HOST_PC, 1)]
    other = [trap(GUEST_PC, 0), trap(TSM.start, 0)]
    found = stays([*one, *other, *one, *other], GUEST, TSM)
    assert overlaps(found, kvm_hart=1, tvm_hart=0) == 3
    assert overlaps(found, kvm_hart=0, tvm_hart=1) == 0
    assert switches(found, 0) == switches(found, 1) == 0


def guest_run(*lines: str, reason: str = "shutdown", status: int = 0) -> GuestRun:
    console = [{"event": "console", "text": line} for line in lines]
    return GuestRun((*console, {"event": "exit", "reason": reason}), (), status)


def test_health_of_a_guest() -> None:
    run = guest_run(
        "beside: start world=1", "...", "beside: world=1 rounds=3 timers=3 spurious=0 vlen=128 ok"
    )
    health = check_health("it", run)
    assert (health.rounds, health.vlen) == (3, 128)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (guest_run("..", reason="limit", status=1), "no result: it ended by limit"),
        (
            guest_run("beside: world=1 rounds=3 timers=3 spurious=0 vlen=0 bad satp got=0 want=8"),
            "lost its state in round 3: bad satp",
        ),
        (
            guest_run("beside: world=1 rounds=3 timers=2 spurious=0 vlen=0 ok"),
            "2 timer interrupts in 3",
        ),
        (
            guest_run("beside: world=1 rounds=3 timers=3 spurious=0 vlen=0 ok", status=1),
            "ended with 1",
        ),
    ],
)
def test_what_a_damaged_guest_says(run: GuestRun, says: str) -> None:
    with pytest.raises(CheckFailed, match=says):
        check_health("it", run)


def test_fields() -> None:
    assert argument(0x1_2345_6789, 2, 30) == 0x2345_6789_0000_1E02
    assert vmid_of(0xA000_1000_0008_7654) == 1
    assert vmid_of(10 << 60 | 0x3FFF << 44) == 0x3FFF


def test_only_what_is_new_in_a_ring() -> None:
    events = tuple(fenced_run(10))
    ring = Ring(events, "tsm", 0, 8, 20)
    assert since(ring, 17).events == events[-3:]
    assert (since(ring, 17).lost, since(ring, 20).events) == (0, ())
    assert (since(ring, 5).events, since(ring, 5).lost) == (events, 7)
