# SPDX-License-Identifier: Apache-2.0
"""The table of functions, errors and cases, for people: docs/reference/conformance.md."""

from __future__ import annotations

from harness import abi
from harness.conformance.calls import PAGE
from harness.conformance.capability import load
from harness.conformance.directed import cases
from harness.conformance.model.machine import Machine

_E = abi.Error
# cove.md 2.5 and the rules of firmware/abi: what each function can answer.
REQUIRED: dict[str, tuple[abi.Error, ...]] = {
    "get_tsm_info": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "convert_pages": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_RANGES),
    "reclaim_pages": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_RANGES),
    "global_fence": (_E.SUCCESS, _E.ALREADY_STARTED),
    "local_fence": (_E.SUCCESS,),
    "create_tvm": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "finalize_tvm": (_E.SUCCESS, _E.INVALID_PARAM, _E.FAILED),
    "promote_to_tvm": (_E.NOT_SUPPORTED, _E.INVALID_ADDRESS, _E.AUTH, _E.OUT_OF_MEMORY),
    "destroy_tvm": (_E.SUCCESS, _E.INVALID_PARAM, _E.FAILED),
    "add_tvm_memory_region": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "add_tvm_page_table_pages": (
        *(_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_PTPAGES),
    ),
    "add_tvm_measured_pages": (
        *(_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_PTPAGES),
    ),
    "add_tvm_zero_pages": (*(_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_PTPAGES),),
    "add_tvm_shared_pages": (
        *(_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_PTPAGES),
    ),
    "create_tvm_vcpu": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "run_tvm_vcpu": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.NO_SHMEM),
    "tvm_fence": (_E.SUCCESS, _E.INVALID_PARAM, _E.ALREADY_STARTED),
    "tvm_invalidate_pages": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "tvm_validate_pages": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "tvm_remove_pages": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS),
    "promote_page": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.BUSY),
    "demote_page": (_E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.OUT_OF_PTPAGES),
}
_PROMOTE = "only of a TSM that builds a TVM in one step"
_RUNNING = "needs a vCPU that runs meanwhile, and a script is made one call after the other"
# Why no case leads to an error.
REASONS: dict[tuple[str, abi.Error], str] = {
    ("promote_to_tvm", _E.INVALID_ADDRESS): _PROMOTE,
    ("promote_to_tvm", _E.AUTH): _PROMOTE,
    ("promote_to_tvm", _E.OUT_OF_MEMORY): _PROMOTE,
    ("destroy_tvm", _E.FAILED): f"{_RUNNING}; `smp` does",
    ("tvm_fence", _E.ALREADY_STARTED): f"{_RUNNING}; firmware/tsm/tests/test_fence.c does",
    ("promote_page", _E.BUSY): _RUNNING,
    ("add_tvm_page_table_pages", _E.OUT_OF_PTPAGES): "a call that gives such pages needs none",
    ("add_tvm_shared_pages", _E.OUT_OF_PTPAGES): (
        "the suite's guest shares pages whose table its own pages need already"
    ),
}


def covered() -> dict[tuple[str, abi.Error], int]:
    """Return how many cases there are of each function and error."""
    machine = Machine(range(0x90000000, 0xA0000000, PAGE), 2, 1, 1, 16)
    found: dict[tuple[str, abi.Error], int] = {}
    for case in cases(machine, load()):
        found[case.function, case.error] = found.get((case.function, case.error), 0) + 1
    return found


def empty_cells() -> list[str]:
    """Return the cells that have neither a case nor a reason."""
    known = {*covered(), *REASONS}
    return [
        f"{function} {error.name}"
        for function, errors in REQUIRED.items()
        for error in errors
        if (function, error) not in known
    ]


def page() -> str:
    """Return the page in Markdown."""
    found = covered()
    lines = [
        "# Conformance: what is asked of a TSM",
        "",
        "Made by `python -m harness.reference docs/reference` from the cases of `teecall run",
        "conformance`; do not edit.",
        "",
        "| function | error | cases | why there is none |",
        "|---|---|---|---|",
    ]
    for function, errors in REQUIRED.items():
        for error in errors:
            count = found.get((function, error), 0)
            reason = "" if count else REASONS.get((function, error), "")
            lines.append(f"| {function} | {error.name} | {count or ''} | {reason} |")
    return "\n".join([*lines, ""])
