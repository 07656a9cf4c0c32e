# SPDX-License-Identifier: Apache-2.0
"""Names for the numbers in events."""

from __future__ import annotations

from harness import abi

_INTERRUPT = 1 << 63
_INTERRUPTS = {1: "software", 2: "VS software", 5: "timer", 6: "VS timer", 9: "external"}
_EXCEPTIONS = {
    0: "misaligned fetch",
    1: "fetch fault",
    2: "illegal instruction",
    3: "breakpoint",
    4: "misaligned load",
    5: "load fault",
    6: "misaligned store",
    7: "store fault",
    8: "ecall from VU",
    9: "ecall from HS",
    10: "ecall from VS",
    12: "fetch page fault",
    13: "load page fault",
    15: "store page fault",
    20: "guest fetch page fault",
    21: "guest load page fault",
    22: "virtual instruction",
    23: "guest store page fault",
}


def call_name(eid: int, fid: int) -> str:
    """Return the name of an SBI call, as in `covh.run_tvm_vcpu`; numbers where it has none."""
    try:
        extension = abi.Eid(eid)
    except ValueError:
        return f"{eid:#x}.{fid:#x}"
    functions = abi.FUNCTIONS.get(extension)
    if functions is None:
        return extension.name.lower()
    number = fid & abi.A6_FID_MASK
    try:
        return f"{extension.name}.{functions(number).name}".lower()
    except ValueError:
        return f"{extension.name.lower()}.{number:#x}"


def cause_name(scause: int) -> str:
    """Return what an scause value means, as in `timer interrupt` or `ecall from VS`."""
    number = scause & (_INTERRUPT - 1)
    if scause & _INTERRUPT:
        return f"{_INTERRUPTS.get(number, number)} interrupt"
    return _EXCEPTIONS.get(number, f"cause {number:#x}")
