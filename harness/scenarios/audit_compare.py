# SPDX-License-Identifier: Apache-2.0
"""The audit's judgement of a crossing, as pure functions of what both sides wrote down."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.scenarios.audit_memory import CALLS, Crossing, HartRecord, Snapshot
from harness.scenarios.audit_table import Csr, Kind, Table

_ABI = "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11"
GPR_NAMES = (*_ABI.split(), "t3", "t4", "t5", "t6")
_TP, _T0, _A0, _A1 = 4, 5, 10, 11
_ARGUMENTS = range(10, 18)
_SCAUSE, _STVAL = 0x142, 0x143
_SIE, _LCOFI, _VLENB = 0x104, 1 << 13, 0xC22
_ECALL_VS = 10
_CTR = 0x14E
_FAILED = (1 << 64) - 1
_VECTOR_NAMES = ("vstart", "vl", "vtype", "vcsr")
# As in firmware/audit/audit.h.
ANSWER_A0, ANSWER_A1 = 0x54534D2D61300000, 0x54534D2D61310000
ANSWER_SURVIVED = 0x54534D2D73757276
ANSWER_SCAUSE, ANSWER_STVAL = 0x54534D2D73636175, 0x54534D2D73747661


Words = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A register that has not the value it must have.

    `register` is its name, `text` the sentence about it, both values in it.
    """

    register: str
    text: str

    def __str__(self) -> str:
        return self.text


def unclassified(hart: HartRecord, table: Table) -> list[Finding]:
    """Return the CSRs that answer to S-mode and are not in the table."""
    return [
        Finding(
            f"{number:#x}",
            f"CSR {number:#x} answers on hart {hart.hart} and is not classified"
            f" in {table.path.name}: is it switched, shared, cleared or read-only?",
        )
        for number in sorted(hart.answers - table.by_number.keys())
    ]


def host_to_tsm(crossing: Crossing, table: Table, entry: int) -> list[Finding]:
    """Return what the TSM found of the host's, or did not find as it must.

    Args:
        crossing: the call.
        table: the classification.
        entry: address of the TSM's call entry.
    """
    found = [*_gprs_in(crossing), *_records(crossing, "TSM", crossing.seen)]
    # The TSM's mideleg is that of the boot, so there LCOFI is as it was before the host gave it
    # to M-mode: enabled, by SSE.
    lcofi = {_SIE: _LCOFI} if crossing.lcofi_taken else {}
    for csr, seen in _compared(crossing.seen, table):
        before = _value(crossing.before, csr)
        if csr.kind in (Kind.SWITCHED, Kind.CLEARED):
            wanted = entry if csr.finds is None else csr.finds
        else:
            wanted = before | lcofi.get(csr.number, 0)
        if seen != wanted and csr.number in lcofi:
            text = f"finds sie = {seen:#x} instead of {wanted:#x}: mideleg is the host's"
            text = f"{crossing.where}: the TSM {text} [tsmd_csrs.h mideleg]"
            found.append(Finding("mideleg", text))
        elif seen != wanted:
            whose = ", the host's value" if seen == before else f" (the host had {before:#x})"
            found.append(
                Finding(
                    csr.name,
                    f"{crossing.where}: the TSM finds {csr.name} = {seen:#x}{whose},"
                    f" instead of {wanted:#x} [{table.place(csr)}]",
                )
            )
    return found


def _gprs_in(crossing: Crossing) -> Iterator[Finding]:
    seen, before = crossing.seen.gpr, crossing.before.gpr
    for index in range(1, 32):
        wanted = before[index] if index in _ARGUMENTS else 0
        if index == _TP:
            wanted = crossing.hart
        if seen[index] != wanted:
            whose = ", the host's value" if seen[index] == before[index] else ""
            yield Finding(
                GPR_NAMES[index],
                f"{crossing.where}: the TSM finds {GPR_NAMES[index]} = {seen[index]:#x}{whose},"
                f" instead of {wanted:#x} [tsmd_vector.S, set_tsm_frame]",
            )


def tsm_to_host(crossing: Crossing, table: Table) -> list[Finding]:
    """Return what the host lost or found of the TSM's or the guest's after the return."""
    found = [*_gprs_out(crossing), *_records(crossing, "host", crossing.after)]
    flagged = {_SCAUSE: ANSWER_SCAUSE, _STVAL: ANSWER_STVAL} if crossing.call == "guest" else {}
    for csr, after in _compared(crossing.after, table):
        before = _value(crossing.before, csr)
        wanted = 0 if csr.kind is Kind.CLEARED else flagged.get(csr.number, before)
        if after != wanted:
            left = _value(crossing.filled, csr)
            whose = ", the TSM's value" if after == left else f" (the TSM left {left:#x})"
            found.append(
                Finding(
                    csr.name,
                    f"{crossing.where}: the host finds {csr.name} = {after:#x}{whose},"
                    f" instead of its {wanted:#x} [{table.place(csr)}]",
                )
            )
    return found


def _gprs_out(crossing: Crossing) -> Iterator[Finding]:
    after, before = crossing.after.gpr, crossing.before.gpr
    number = 1 + CALLS.index(crossing.call)
    answers = {_A0: ANSWER_A0 + number, _A1: ANSWER_A1 + number}
    if crossing.call == "fault":
        answers = {_A0: _FAILED, _A1: 0}
    for index in range(1, 32):
        wanted = answers.get(index, before[index])
        if after[index] != wanted:
            yield Finding(
                GPR_NAMES[index],
                f"{crossing.where}: the host finds {GPR_NAMES[index]} = {after[index]:#x},"
                f" instead of {wanted:#x} [the host's frame in tsmd_leave]",
            )


def _records(crossing: Crossing, who: str, snapshot: Snapshot) -> Iterator[Finding]:
    if snapshot.records:
        text = f"the {who} finds {snapshot.records} control transfer records of the other side"
        yield Finding("ctr", f"{crossing.where}: {text} [TSMD_SCTRCLR in tsmd_switch.h]")


def _value(snapshot: Snapshot, csr: Csr) -> int:
    return snapshot.csrs[csr.number] & csr.mask


def _compared(snapshot: Snapshot, table: Table) -> Iterator[tuple[Csr, int]]:
    for csr in table.csrs:
        if csr.compared and csr.number in snapshot.csrs:
            yield csr, _value(snapshot, csr)


def unproved(crossing: Crossing, table: Table, entry: int) -> list[str]:
    """Return the switched CSRs that could leak unnoticed: no pattern stays in them here.

    That is so where the hart has them hardwired. Nobody can remove their row and be caught.
    """
    names = []
    for csr, before in _compared(crossing.before, table):
        finds = entry if csr.finds is None else csr.finds
        switched = csr.kind is Kind.SWITCHED and not csr.view
        if switched and before == finds and _value(crossing.filled, csr) in (before, finds):
            names.append(csr.name)
    if _CTR in crossing.before.csrs and not (crossing.before.records and crossing.filled.records):
        names.append("control transfer records")
    return names


def fp_findings(crossing: Crossing) -> list[Finding]:
    """Return FP registers that are not the host's, at the TSM's entry or after the return."""
    before, after = crossing.before.fp, crossing.after.fp
    names = [*(f"f{index}" for index in range(32)), "fcsr"]
    found = [*_state(crossing, "TSM", names, before, crossing.seen.fp)]
    if crossing.call == "fault":
        return [*found, *_left_over(crossing, names, crossing.filled.fp, after)]
    return [*found, *_state(crossing, "host", names, before, after)]


def vector_findings(crossing: Crossing) -> list[Finding]:
    """Return vector state that is not the host's, at the TSM's entry or after the return."""
    part = crossing.before.csrs.get(_VLENB, 16) // 8
    words = [f"v{index // part}[{index % part}]" for index in range(32 * part)]
    names = [*_VECTOR_NAMES, *words]
    before, seen, filled, after = (
        (*one.vector, *_words(one.vregs))
        for one in (crossing.before, crossing.seen, crossing.filled, crossing.after)
    )
    found = [*_state(crossing, "TSM", names, before, seen)]
    if crossing.call == "fault":
        # vl, vtype and the like are too small to tell whose they are.
        kept = len(_VECTOR_NAMES)
        return [*found, *_left_over(crossing, words, filled[kept:], after[kept:])]
    return [*found, *_state(crossing, "host", names, before, after)]


def _words(registers: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(registers) // 8}Q", registers)


def _state(
    crossing: Crossing, who: str, names: Sequence[str], before: Words, other: Words
) -> Iterator[Finding]:
    if len(before) != len(other):
        yield Finding(names[0], f"{crossing.where}: the {who} has not the registers of the host")
        return
    for index, (mine, theirs) in enumerate(zip(before, other, strict=True)):
        if mine != theirs:
            name = names[index] if index < len(names) else f"word {index}"
            yield Finding(
                name,
                f"{crossing.where}: the {who} finds {name} = {theirs:#x} instead of the host's"
                f" {mine:#x}",
            )


def _left_over(
    crossing: Crossing, names: Sequence[str], filled: Words, after: Words
) -> Iterator[Finding]:
    """A TSM that died restores nothing: the host's values may be gone, the TSM's must be."""
    for name, left, found in zip(names, filled, after, strict=False):
        if found and found == left:
            yield Finding(
                name,
                f"{crossing.where}: the host finds {name} = {found:#x}, the value of the dead TSM",
            )


def settings_findings(crossing: Crossing, boot_henvcfg: int) -> list[Finding]:
    """Return M-mode's settings that the host changed for the TSM, and a guest that did not run.

    Args:
        crossing: the call.
        boot_henvcfg: what henvcfg could hold before the host ran. It holds what menvcfg allows.
    """
    found = []
    mask, cause = crossing.seen.henvcfg_mask, crossing.filled.guest_cause
    if mask != boot_henvcfg:
        text = (
            f"henvcfg can hold {mask:#x}, at the TSM's boot it could hold {boot_henvcfg:#x}:"
            " menvcfg is the host's [tsmd_csrs.h menvcfg]"
        )
        found.append(Finding("menvcfg", f"{crossing.where}: {text}"))
    if runs(crossing.before.counter) and runs(crossing.seen.counter):
        first, second = crossing.seen.counter
        text = f"the host's counter runs in the TSM, from {first:#x} to {second:#x}"
        found.append(
            Finding("mcountinhibit", f"{crossing.where}: {text} [tsmd_csrs.h mcountinhibit]")
        )
    if crossing.call == "guest" and cause != _ECALL_VS:
        text = f"the guest ended by cause {cause:#x}, not by its ECALL"
        found.append(Finding("guest", f"{crossing.where}: {text}"))
    return found


def fault_findings(crossing: Crossing) -> list[Finding]:
    """Return the delegation that the host changed for the TSM: its own fault came to itself."""
    if crossing.after.gpr[_A1] != ANSWER_SURVIVED:
        return []
    text = "a misaligned access of the TSM, which the host had delegated, went to the TSM"
    return [Finding("medeleg", f"{crossing.where}: {text} [tsmd_csrs.h medeleg]")]


def runs(samples: tuple[int, int]) -> bool:
    """Tell whether a counter moved between two samples."""
    return samples[0] != samples[1]


def unproved_settings(hart: HartRecord) -> list[str]:
    """Return M-mode's registers that the host could not change on this hart."""
    missing = {
        "menvcfg": hart.settings.adue != 0,
        "medeleg": hart.settings.misaligned != 0,
        "mideleg": not any(crossing.lcofi_taken for crossing in hart.crossings),
        "mcountinhibit": not runs(hart.crossings[0].before.counter),
    }
    return [name for name, lacks in missing.items() if lacks]
