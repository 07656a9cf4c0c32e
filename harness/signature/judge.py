# SPDX-License-Identifier: Apache-2.0
"""What a log says: the verdict, the signature, and the lines that show it.

The run and `teecall parse` call the same functions on the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.machine.deaths import Death, block_of, clean, unexpected_death
from harness.machine.rules import WARNING
from harness.signature.frames import function_of, is_idle, meaningful, patience
from harness.signature.signature import Signature, first_bad, of_check
from harness.signature.text import normalised
from harness.verdict import Check, Verdict

Describe = Callable[[int], str | None]
"""Returns `image: function+offset (file:line)` of an address, None where there is no code."""

_BLIND: Describe = lambda address: None  # noqa: E731
# Addresses of code in what firmware and TSM print, innermost first.
_PC = re.compile(r"\b(?:mepc|sepc)=0x([0-9a-f]+)")
_RA = re.compile(r"\bra=0x([0-9a-f]+)")
_CAUSE = re.compile(r"\b[ms]cause=0x([0-9a-f]+)")
# What the kernel prints of itself: `epc : function+0x10/0x40`, `[<ffff>] function+0x10/0x40`.
_EPC = re.compile(r"\bepc : (?:\[<[0-9a-f]+>\] )?([\w.]+)\+0x")
_CALL = re.compile(r"\[<([0-9a-f]+)>\] (([\w.]+)\+0x\S+(?: \[\w+\])?)")
_SHOWN_CALLS = 4
# Exception codes: RISC-V privileged specification, table of mcause values after reset.
_CAUSES = {
    0: "instruction address misaligned",
    1: "instruction access fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "load address misaligned",
    5: "load access fault",
    6: "store address misaligned",
    7: "store access fault",
    8: "ecall from U-mode",
    9: "ecall from S-mode",
    10: "ecall from VS-mode",
    11: "ecall from M-mode",
    12: "instruction page fault",
    13: "load page fault",
    15: "store page fault",
    16: "double trap",
    18: "software check",
    19: "hardware error",
    20: "instruction guest-page fault",
    21: "load guest-page fault",
    22: "virtual instruction",
    23: "store guest-page fault",
}
# Their message is for people who know it, the place says what it is.
_BY_PLACE = frozenset({"trap", "fault", "oops", "hang"})
# How far a machine came that ends without a word.
_STAGES = (
    (re.compile(rb"teecall: host ready|^[^\n]{0,40}[#$] ", re.MULTILINE), "linux", "shell"),
    (re.compile(rb"Run /\S+ as init process"), "linux", "user space"),
    (re.compile(rb"Linux version \d"), "linux", "kernel"),
    (re.compile(rb"tsmd: TSM domain ready"), "opensbi", "hand-over to the kernel"),
    (re.compile(rb"tsmd: TSM domain:"), "tsm", "start of the TSM"),
    (re.compile(rb"^OpenSBI v\d", re.MULTILINE), "opensbi", "firmware"),
)
_ENDED = re.compile(rb"reboot: (?:Power down|Restarting system|System halted|Power off not avail)")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a log, or a run, comes to.

    Args:
        signature: None when it passed.
        block: the lines that show it.
        first_line: number of the first of them in the log, from 1; 0 when there are none.
        where: what the addresses in them are.
        warnings: of the kernel, which are no deaths.
    """

    verdict: Verdict
    signature: Signature | None = None
    block: tuple[str, ...] = ()
    first_line: int = 0
    where: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def last_line(self) -> int:
        """Number of the block's last line in the log, from 1; 0 when there is no block."""
        return self.first_line + len(self.block) - 1 if self.block else 0


def judge_death(data: bytes, describe: Describe = _BLIND) -> Judgement | None:
    """Return what the first unexpected death in a log is, None when there is none.

    Args:
        data: a serial log as it was recorded, with all its noise.
        describe: names addresses in the images that ran.
    """
    text = clean(data)
    death = unexpected_death(text)
    if death is None:
        return None
    block = block_of(text, death)
    signature, where = _sign(death, block, describe)
    first = text.count(b"\n", 0, death.start) + 1
    return Judgement(signature.verdict, signature, tuple(block), first, where, _warnings(text))


def judge_log(data: bytes, describe: Describe = _BLIND) -> Judgement:
    """Return what a log says of which nothing else is known.

    Without a death it passed when the machine was switched off in order; a log that just ends is
    that of a machine that hung.
    """
    found = judge_death(data, describe)
    if found is not None:
        return found
    text = clean(data)
    if _ENDED.search(text):
        return Judgement(Verdict.PASS, warnings=_warnings(text))
    lines = text.rstrip().split(b"\n")
    last = lines[-1].decode(errors="replace").strip()
    component, stage = _stage(text)
    signature = Signature(Verdict.HANG, component, "hang", "", f"the log ends in: {stage}")
    block = (last,) if last else ()
    return Judgement(Verdict.HANG, signature, block, len(lines) if last else 0, (), _warnings(text))


def judge_run(
    checks: Sequence[Check], data: bytes, counters: Sequence[tuple[bool, int]], describe: Describe
) -> Judgement:
    """Return what a run that has ended comes to.

    Args:
        checks: of the run.
        data: the log of its UART.
        counters: for each hart whether it was in a guest and its pc, when it hung; else nothing.
        describe: names addresses in the images that ran.
    """
    bad = first_bad(checks)
    if bad is None:
        judged = [check.verdict for check in checks]
        return Judgement(max(judged, key=lambda v: v.severity, default=Verdict.PASS))
    # A death explains a check that fails, hangs or is late after it; not what never ran.
    died = None if bad.verdict is Verdict.INFRA else judge_death(data, describe)
    function, component = "", ""
    if bad.verdict is Verdict.HANG:
        component, function = _busy(counters, describe)
    # The kernel tells that it stalls; a hart that spins in the firmware is why.
    if died is not None and died.verdict is bad.verdict:
        if not function or died.signature is None or died.signature.component != "linux":
            return died
        return replace(died, signature=of_check(bad.verdict, bad.name, "", function, component))
    if bad.verdict is Verdict.CRASH and bad.detail.startswith("QEMU crashed"):
        kind = bad.detail.rpartition(" ")[2]
        return Judgement(bad.verdict, Signature(bad.verdict, "qemu", kind))
    signature = of_check(bad.verdict, bad.name, bad.detail, function, component)
    return Judgement(bad.verdict, signature)


def _sign(
    death: Death, block: Sequence[str], describe: Describe
) -> tuple[Signature, tuple[str, ...]]:
    rule = death.rule
    places = [(address, describe(address)) for address in _addresses(block)]
    where = tuple(f"{address:#x}  {found}" for address, found in places if found)
    where += tuple(_calls(block, describe))
    function = ""
    what = normalised(death.what)
    cause = next((_CAUSES.get(int(m[1], 16)) for m in _found(_CAUSE, block)), None)
    # A panic in the TSM's trap vector is a trap: its message has nothing but numbers.
    is_trap = cause is not None and (rule.kind != "panic" or "cause=" in death.line)
    if rule.kind in _BY_PLACE or is_trap:
        named = [match[1] for match in _found(_EPC, block)] or [
            match[3] for match in _found(_CALL, block)
        ]
        function = meaningful([*(function_of(found) for _, found in places), *named])
    if is_trap and cause is not None:
        handler = f" ({what.removesuffix(' handler failed')})" if rule.kind == "trap" else ""
        what = cause + (handler if what and handler.strip(" ()") != cause else "")
    verdict = Verdict.HANG if death.is_hang else Verdict.CRASH
    return Signature(verdict, rule.component, rule.kind, function, what), where


def _calls(block: Sequence[str], describe: Describe) -> Iterator[str]:
    """Give the innermost calls of a kernel's trace, without those that only report it."""
    calls = [match for match in _found(_CALL, block) if meaningful([match[3]])]
    for match in calls[:_SHOWN_CALLS]:
        # The address of a module's function means nothing in the kernel's image.
        found = describe(int(match[1], 16) - 1)
        yield f"0x{match[1]}  {found or f'Linux: {match[2]}'}"


def _addresses(block: Sequence[str]) -> list[int]:
    """Return pc and return address in a block, the pc first; a call ends before its return."""
    counters = [int(match[1], 16) for match in _found(_PC, block)]
    returns = [int(match[1], 16) - 1 for match in _found(_RA, block)]
    return [address for address in (*counters[:1], *returns[:1]) if address > 0]


def _found(pattern: re.Pattern[str], block: Sequence[str]) -> Iterator[re.Match[str]]:
    for line in block:
        yield from pattern.finditer(line)


def _busy(counters: Sequence[tuple[bool, int]], describe: Describe) -> tuple[str, str]:
    """Return component and function of the hart that keeps the machine from going on.

    Only firmware and TSM count: they run with the host's interrupts closed, so that a hart seen
    in them is seen there each time. Where the kernel waits differs from run to run. Which hart
    boots differs too, so that one that may wait for it is named only if there is no other.
    """
    found_in: list[tuple[str, str]] = []
    for virtual, pc in counters:
        found = None if virtual else describe(pc)
        function = function_of(found)
        image = (found or "").partition(":")[0]
        if image in ("OpenSBI", "TSM") and not is_idle(function):
            found_in.append((image.lower(), function))
    return min(found_in, key=lambda place: patience(place[1]), default=("", ""))


def _stage(text: bytes) -> tuple[str, str]:
    for pattern, component, stage in _STAGES:
        if pattern.search(text):
            return component, stage
    return "qemu", "nothing at all" if not text.strip() else "an unknown program"


def _warnings(text: bytes) -> tuple[str, ...]:
    return tuple(match[1].decode(errors="replace").strip() for match in WARNING.finditer(text))
