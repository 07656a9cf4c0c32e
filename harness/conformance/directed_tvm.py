# SPDX-License-Identifier: Apache-2.0
"""What is done with a TVM: COVH 9 to 19 and the private calls."""

from __future__ import annotations

from harness import abi
from harness.conformance.calls import BLOCK, PAGE
from harness.conformance.directed_states import (
    NOBODY,
    TVM,
    after,
    answered_early,
    block,
    block_fenced,
    block_mapped,
    block_no_table,
    blocked,
    building,
    demoted_fenced,
    fenced,
    free,
    give_up,
    mapped,
    no_nacl,
    no_tables,
    no_tables_left,
    no_vcpu,
    odd,
    plain,
    running,
    shared,
    unfenced,
)
from harness.conformance.model.guest import ENTRY, LENT, OWN

_E = abi.Error


def of_building() -> None:
    end = ENTRY + 3 * BLOCK
    name = "add_tvm_memory_region"
    after(building, name, _E.SUCCESS, TVM, end, PAGE)
    after(building, name, _E.INVALID_PARAM, TVM, end, 0)
    after(building, name, _E.INVALID_PARAM, NOBODY, end, PAGE)
    after(running, name, _E.INVALID_PARAM, TVM, end, PAGE)
    after(building, name, _E.INVALID_ADDRESS, TVM, end - PAGE, PAGE)
    after(building, name, _E.INVALID_ADDRESS, TVM, ENTRY - PAGE, 2 * PAGE)
    after(building, name, _E.INVALID_ADDRESS, TVM, end + 8, PAGE)
    name = "add_tvm_page_table_pages"
    after(running, name, _E.SUCCESS, TVM, free, 1)
    after(building, name, _E.INVALID_PARAM, TVM, free, 0)
    after(building, name, _E.INVALID_PARAM, NOBODY, free, 1)
    after(building, name, _E.INVALID_ADDRESS, TVM, plain, 1)
    after(building, name, _E.INVALID_ADDRESS, TVM, block, 1)
    after(building, name, _E.INVALID_ADDRESS, TVM, odd, 1)
    name = "add_tvm_measured_pages"
    source = plain
    after(building, name, _E.SUCCESS, TVM, source, free, 0, 1, OWN)
    after(building, name, _E.INVALID_PARAM, TVM, source, free, 4, 1, OWN)
    after(building, name, _E.INVALID_PARAM, TVM, source, free, 0, 0, OWN)
    after(building, name, _E.INVALID_PARAM, NOBODY, source, free, 0, 1, OWN)
    after(running, name, _E.INVALID_PARAM, TVM, source, free, 0, 1, OWN)
    after(building, name, _E.INVALID_ADDRESS, TVM, free, free, 0, 1, OWN)
    after(building, name, _E.INVALID_ADDRESS, TVM, source, plain, 0, 1, OWN)
    after(building, name, _E.INVALID_ADDRESS, TVM, source, free, 0, 1, ENTRY)
    after(building, name, _E.INVALID_ADDRESS, TVM, source, free, 0, 1, end)
    after(no_tables, name, _E.OUT_OF_PTPAGES, TVM, source, free, 0, 1, OWN)
    name = "create_tvm_vcpu"
    after(no_vcpu, name, _E.SUCCESS, TVM, 0, lambda a: a.free(0, a.machine.vcpu_pages))
    after(building, name, _E.INVALID_PARAM, TVM, 0, lambda a: a.free(0, a.machine.vcpu_pages))
    after(building, name, _E.INVALID_PARAM, TVM, 99, lambda a: a.free(0, a.machine.vcpu_pages))
    after(running, name, _E.INVALID_PARAM, TVM, 1, lambda a: a.free(0, a.machine.vcpu_pages))
    after(no_vcpu, name, _E.INVALID_ADDRESS, TVM, 0, plain)
    after(no_vcpu, name, _E.INVALID_ADDRESS, TVM, 0, odd)


def of_running() -> None:
    name, end = "add_tvm_zero_pages", ENTRY + 3 * BLOCK
    after(running, name, _E.SUCCESS, TVM, free, 0, 1, OWN)
    after(running, name, _E.INVALID_PARAM, TVM, free, 0, 0, OWN)
    after(running, name, _E.INVALID_PARAM, TVM, free, 4, 1, OWN)
    after(building, name, _E.INVALID_PARAM, TVM, free, 0, 1, OWN)
    after(running, name, _E.INVALID_PARAM, NOBODY, free, 0, 1, OWN)
    after(mapped, name, _E.INVALID_ADDRESS, TVM, free, 0, 1, OWN)
    after(running, name, _E.INVALID_ADDRESS, TVM, plain, 0, 1, OWN)
    after(running, name, _E.INVALID_ADDRESS, TVM, free, 0, 2, end - PAGE)
    after(no_tables_left, name, _E.OUT_OF_PTPAGES, TVM, free, 0, 1, OWN)
    name = "add_tvm_shared_pages"
    after(shared, name, _E.SUCCESS, TVM, plain, 0, 1, LENT)
    after(shared, name, _E.INVALID_PARAM, TVM, plain, 0, 0, LENT)
    after(shared, name, _E.INVALID_PARAM, NOBODY, plain, 0, 1, LENT)
    after(shared, name, _E.INVALID_ADDRESS, TVM, plain, 0, 1, OWN + PAGE)
    after(shared, name, _E.INVALID_ADDRESS, TVM, free, 0, 1, LENT)
    name = "run_tvm_vcpu"
    after(running, name, _E.SUCCESS, TVM, 0)
    after(building, name, _E.INVALID_PARAM, TVM, 0)
    after(running, name, _E.INVALID_PARAM, TVM, 1)
    after(running, name, _E.INVALID_PARAM, NOBODY, 0)
    after(no_nacl, name, _E.NO_SHMEM, TVM, 0)
    after(answered_early, name, _E.INVALID_ADDRESS, TVM, 0)
    after(running, "tvm_fence", _E.SUCCESS, TVM)
    after(building, "tvm_fence", _E.INVALID_PARAM, TVM)
    after(running, "tvm_fence", _E.INVALID_PARAM, NOBODY)


def of_ranges() -> None:
    states = {"invalidate": mapped, "validate": blocked, "remove": give_up}
    for what, before in states.items():
        name = f"tvm_{what}_pages"
        gpa = LENT if what == "remove" else OWN
        after(before, name, _E.SUCCESS, TVM, gpa, PAGE)
        after(before, name, _E.INVALID_PARAM, TVM, gpa, 0)
        after(before, name, _E.INVALID_PARAM, TVM, gpa, 2048)
        after(before, name, _E.INVALID_PARAM, NOBODY, gpa, PAGE)
        after(building, name, _E.INVALID_PARAM, TVM, ENTRY, PAGE)
        after(before, name, _E.INVALID_ADDRESS, TVM, gpa + 8, PAGE)
        after(before, name, _E.INVALID_ADDRESS, TVM, gpa, 3 * PAGE)
        after(before, name, _E.INVALID_ADDRESS, TVM, ENTRY + 3 * BLOCK, PAGE)
    after(blocked, "tvm_invalidate_pages", _E.INVALID_ADDRESS, TVM, OWN, PAGE)
    after(mapped, "tvm_validate_pages", _E.INVALID_ADDRESS, TVM, OWN, PAGE)
    after(unfenced, "tvm_remove_pages", _E.INVALID_ADDRESS, TVM, LENT, PAGE)
    after(fenced, "tvm_remove_pages", _E.INVALID_ADDRESS, TVM, OWN, PAGE)
    for name, kind, before in (
        ("demote_page", 0, block_fenced),
        ("promote_page", 1, demoted_fenced),
    ):
        after(before, name, _E.SUCCESS, TVM, OWN, kind)
        after(before, name, _E.INVALID_PARAM, TVM, OWN, 3)
        after(before, name, _E.INVALID_PARAM, NOBODY, OWN, kind)
        after(building, name, _E.INVALID_PARAM, TVM, OWN, kind)
        after(before, name, _E.INVALID_ADDRESS, TVM, OWN + PAGE, kind)
        after(block_mapped, name, _E.INVALID_ADDRESS, TVM, OWN, kind)
    after(block_no_table, "demote_page", _E.OUT_OF_PTPAGES, TVM, OWN, 0)


ALL = (of_building, of_running, of_ranges)
