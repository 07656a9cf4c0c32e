# SPDX-License-Identifier: Apache-2.0
"""The table of functions, errors and cases, for people: docs/reference/conformance.md."""

from __future__ import annotations

import json

import msgspec

from harness import abi
from harness.conformance.calls import PAGE
from harness.conformance.capability import load
from harness.conformance.directed import cases
from harness.conformance.elsewhere import ELSEWHERE
from harness.conformance.model.machine import Machine
from harness.conformance.together import meetings

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
_OK, _PARAM, _ADDRESS, _NOT = _E.SUCCESS, _E.INVALID_PARAM, _E.INVALID_ADDRESS, _E.NOT_SUPPORTED
# cove.md 2.7 to 2.9; NOT_SUPPORTED: COVI without AIA, NACL beyond what CoVE needs.
REQUIRED |= {
    "covi init_tvm_aia": (_OK, _PARAM, _ADDRESS),
    "covi set_tvm_aia_cpu_imsic_addr": (_OK, _PARAM, _ADDRESS),
    "covi convert_aia_imsic": (_OK, _ADDRESS, _E.OUT_OF_RANGES),
    "covi reclaim_tvm_aia_imsic": (_OK, _PARAM, _ADDRESS),
    "covi bind_aia_imsic": (_OK, _PARAM),
    "covi unbind_aia_imsic_begin": (_OK, _PARAM),
    "covi unbind_aia_imsic_end": (_OK, _PARAM),
    "covi inject_tvm_cpu": (_OK, _PARAM),
    "covi rebind_aia_imsic_begin": (_OK, _PARAM),
    "covi rebind_aia_imsic_clone": (_OK, _PARAM),
    "covi rebind_aia_imsic_end": (_OK, _PARAM),
    **{f"covi {number}": (_NOT,) for number in range(12)},
    "covg add_mmio_region": (_OK, _ADDRESS),
    "covg remove_mmio_region": (_OK, _ADDRESS),
    "covg share_memory_region": (_OK, _PARAM, _ADDRESS),
    "covg unshare_memory_region": (_OK, _PARAM, _ADDRESS),
    "covg allow_external_interrupt": (_OK, _PARAM),
    "covg deny_external_interrupt": (_OK, _PARAM),
    "covg get_attcaps": (_OK, _PARAM, _ADDRESS),
    "covg extend_measurement": (_OK, _PARAM, _ADDRESS),
    "covg get_evidence": (_OK, _PARAM, _ADDRESS, _E.BUSY, _E.FAILED),
    "covg retrieve_secret": (_NOT,),
    "covg read_measurement": (_OK, _PARAM, _ADDRESS),
    "nacl probe_feature": (_OK,),
    "nacl set_shmem": (_OK, _PARAM, _ADDRESS),
    **{f"nacl {number}": (_NOT,) for number in range(2, 5)},
}
_PROMOTE = "only of a TSM that builds a TVM in one step"
# Why no case leads to an error.
REASONS: dict[tuple[str, abi.Error], str] = {
    ("promote_to_tvm", _E.INVALID_ADDRESS): _PROMOTE,
    ("promote_to_tvm", _E.AUTH): _PROMOTE,
    ("promote_to_tvm", _E.OUT_OF_MEMORY): _PROMOTE,
    ("add_tvm_page_table_pages", _E.OUT_OF_PTPAGES): "a call that gives such pages needs none",
    ("add_tvm_shared_pages", _E.OUT_OF_PTPAGES): (
        "the suite's guest shares pages whose table its own pages need already"
    ),
}


def covered() -> dict[tuple[str, abi.Error], int]:
    """Return how many cases there are of each function and error."""
    machine = Machine(range(0x90000000, 0xA0000000, PAGE), 2, 1, 1, 16)
    found: dict[tuple[str, abi.Error], int] = {}
    can = load()
    cells = [(case.function, case.error) for case in cases(machine, can)]
    cells += [(case.function, case.error) for case in meetings(machine, can)]
    for cell in cells:
        found[cell] = found.get(cell, 0) + 1
    return found


def empty_cells() -> list[str]:
    """Return the cells that have no case here, none elsewhere and no reason."""
    known = {*covered(), *ELSEWHERE, *REASONS}
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
        "conformance`; do not edit. Functions without an extension are those of COVH. Where a",
        "script of calls cannot lead to an error, the last column says what does: the scenario or",
        "the firmware's own test, and the words to look for there; or why there is none.",
        "",
        "| function | error | cases | elsewhere, or why there is none |",
        "|---|---|---|---|",
    ]
    for function, errors in REQUIRED.items():
        for error in errors:
            count = found.get((function, error), 0)
            where = "" if count else ELSEWHERE.get((function, error), "")
            reason = where or ("" if count else REASONS.get((function, error), ""))
            lines.append(f"| {function} | {error.name} | {count or ''} | {reason} |")
    return "\n".join([*lines, *_of_capabilities(), ""])


def _of_capabilities() -> list[str]:
    """Return the part about the file that says what to expect."""
    meanings = {
        "name": "what the TSM is called",
        "unsupported": "COVH functions that answer NOT_SUPPORTED",
        "page_types": "types of page that it takes: 0 is 4 KiB, 1 is 2 MiB, 2 is 1 GiB",
        "gpa_bits": "size of the guest's physical address space",
        "aia": "it has COVI",
        "isolation_entries": (
            "entries for confidential ranges: one for a range that is a power of two and aligned "
            "to its size, two for any other; null: no limit"
        ),
        "fence_counts_caller": "global_fence is the caller's own local_fence too",
        "reclaim_host": "pages that are the host's can be reclaimed, without effect",
    }
    own = load()
    lines = [
        "",
        "## Another TSM",
        "",
        "`--set conformance.capabilities=FILE` names a YAML file that says what to expect of it,",
        "`--set tsm.elf=FILE` or `tsm.source` says where it is. What it does not support is not",
        "asked of it. An example:",
        "[my-tsm-conformance.yaml](../../configs/examples/my-tsm-conformance.yaml).",
        "",
        "| key | meaning | teecall's TSM | left out |",
        "|---|---|---|---|",
    ]
    for field in msgspec.structs.fields(own):
        left = "" if field.required else f"`{_yaml(field.default)}`"
        mine = _yaml(getattr(own, field.name))
        lines.append(f"| {field.name} | {meanings[field.name]} | `{mine}` | {left} |")
    return lines


def _yaml(value: object) -> str:
    return json.dumps(value)
