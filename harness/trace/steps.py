# SPDX-License-Identifier: Apache-2.0
"""The six steps of a confidential guest's run, proved from the switch trace.

    1  the host calls COVH: ECALL from HS-mode into M-mode
    2  TEECALL: M-mode switches to the TSM domain
    3  the TSM enters the TVM
    4  the TVM leaves into the TSM: COVG or another SBI call
    5  TEERET: the TSM calls M-mode to go back
    6  M-mode returns to the host with a0 and a1

M-mode's TEECALL event is written on behalf of the ECALL that brought the hart there and has the
host's pc, so it proves 1 and 2; its TEERET event is written when the TSM's ECALL has arrived and
the host is restored, so it proves 5 and 6. QEMU's interrupt log shows the three ECALLs of 1, 4
and 5 on its own account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.abi import Covh, Eid
from harness.abi import Event as Kind
from harness.trace.interrupts import CAUSE_ECALL_HS, CAUSE_ECALL_VS, Trap
from harness.trace.ring import Event

_LAST_OF_A_CALL = (Kind.TEERET, Kind.TEERET_INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Steps:
    """What the trace proves.

    `missing` says which step is not there (empty: all six are); `evidence` has one line for each
    step that is. `host_pc` and `guest_pc` are where the host's and the guest's ECALL were.
    """

    evidence: tuple[str, ...]
    missing: str = ""
    hart: int = -1
    host_pc: int = 0
    guest_pc: int = 0

    @property
    def proved(self) -> bool:
        """True when all six steps are there, in order, on one hart."""
        return not self.missing


def six_steps(events: Sequence[Event]) -> Steps:
    """Find a `run_tvm_vcpu` call that shows all six steps in order on one hart.

    Args:
        events: merged events of all harts, each hart's in order.

    Returns:
        The first call that has them all; else the one that comes furthest.
    """
    best = Steps((), "1/2: no TEECALL of run_tvm_vcpu in the trace")
    for call in _runs(events):
        steps = _steps_of(call)
        if steps.proved:
            return steps
        if len(steps.evidence) >= len(best.evidence):
            best = steps
    return best


def _runs(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Yield the events of each run_tvm_vcpu call: from its TEECALL to the hart's next one."""
    for hart in sorted({event.hart for event in events}):
        call: list[Event] = []
        for event in (event for event in events if event.hart == hart):
            if event.kind in (Kind.TEECALL, Kind.TEERESUME):
                if call:
                    yield call
                is_run = event.is_call(Eid.COVH, Covh.RUN_TVM_VCPU)
                call = [event] if is_run else []
            elif call:
                call.append(event)
                if event.kind in _LAST_OF_A_CALL:
                    yield call
                    call = []
        if call:
            yield call


def _steps_of(call: Sequence[Event]) -> Steps:
    start = call[0]
    evidence = [
        f"1 host ECALL run_tvm_vcpu, hart {start.hart}, pc {start.aux:#x}",
        f"2 TEECALL to SDID {start.sdid}, instret {start.instret}",
    ]
    enter = _first(call, 1, Kind.GUEST_ENTER)
    if enter is None:
        return Steps(tuple(evidence), f"3: TSM did not enter the TVM ({_names(call)})")
    evidence.append(f"3 TSM entered the TVM at {call[enter].value:#x}")
    leave = _last_exit(call, enter + 1)
    if leave is None:
        return Steps(tuple(evidence), f"4: the TVM did not leave into the TSM ({_names(call)})")
    exit_event = call[leave]
    if exit_event.error != CAUSE_ECALL_VS:
        return Steps(
            tuple(evidence), f"4: the TVM made no call, it left with scause {exit_event.error:#x}"
        )
    evidence.append(
        f"4 TVM ECALL eid {exit_event.eid:#x} fid {exit_event.fid:#x} at {exit_event.value:#x}"
    )
    end = _first(call, leave + 1, Kind.TEERET)
    if end is None or not call[end].is_call(Eid.COVH, Covh.RUN_TVM_VCPU):
        return Steps(tuple(evidence), f"5/6: no TEERET to the host ({_names(call)})")
    evidence.append(f"5 TEERET by the TSM, instret {call[end].instret}")
    evidence.append(f"6 host resumed with error {call[end].error}, value {call[end].value:#x}")
    return Steps(tuple(evidence), "", hart=start.hart, host_pc=start.aux, guest_pc=exit_event.value)


def _first(call: Sequence[Event], start: int, kind: Kind) -> int | None:
    return next((at for at in range(start, len(call)) if call[at].kind == kind), None)


def _last_exit(call: Sequence[Event], start: int) -> int | None:
    """Return the last exit of the TVM: the one that the TEERET behind it belongs to."""
    exits = (at for at in range(start, len(call)) if call[at].kind == Kind.GUEST_EXIT)
    return max(exits, default=None)


def _names(call: Sequence[Event]) -> str:
    return " ".join(event.name for event in call)


def in_interrupt_log(steps: Steps, traps: Sequence[Trap], tsm: range) -> str:
    """Check the proved steps against QEMU's log of traps.

    Args:
        steps: a result with all six steps.
        traps: QEMU's log.
        tsm: addresses of the TSM.

    Returns:
        An empty string if the log has, one behind the other on that hart, the ECALL of the host,
        the ECALL of the guest and the ECALL of the TSM; else what it lacks.
    """
    # Interrupts may come between the steps; the order of the ECALLs is what counts.
    calls = [
        trap
        for trap in traps
        if trap.hart == steps.hart and (trap.is_ecall(CAUSE_ECALL_HS) or _from_guest(trap))
    ]
    at = 0
    for at, trap in enumerate(calls):
        if trap.cause == CAUSE_ECALL_HS and trap.pc == steps.host_pc:
            behind = calls[at + 1 :]
            if _guest_then_tsm(behind, steps.guest_pc, tsm):
                return ""
    if not any(trap.pc == steps.host_pc for trap in calls):
        return f"1: no ECALL from HS-mode at the host's pc {steps.host_pc:#x} on hart {steps.hart}"
    if not any(_from_guest(trap) and trap.pc == steps.guest_pc for trap in calls):
        return (
            f"4: no ECALL from VS-mode at the guest's pc {steps.guest_pc:#x} on hart {steps.hart}"
        )
    return f"5: no ECALL of the TSM follows the guest's on hart {steps.hart}"


def _from_guest(trap: Trap) -> bool:
    return trap.is_ecall(CAUSE_ECALL_VS)


def _guest_then_tsm(calls: Sequence[Trap], guest_pc: int, tsm: range) -> bool:
    """Tell whether guest calls, the last at `guest_pc`, and then a call of the TSM follow."""
    last = None
    for trap in calls:
        if _from_guest(trap):
            last = trap
        else:
            return last is not None and last.pc == guest_pc and trap.pc in tsm
    return False
