# SPDX-License-Identifier: Apache-2.0
"""COVH 9 to 15: what a TVM is made of, and running it (cove.md 2.5, 3.4, rules.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness import abi
from harness.conformance.calls import PAGE
from harness.conformance.model import host_ranges
from harness.conformance.model.gstage import SIZES, Kind, Leaf
from harness.conformance.model.guest import ENTRY, Guest
from harness.conformance.model.outcome import Expected, Unpredictable, Wrong, success
from harness.conformance.model.pages import PageState
from harness.conformance.model.tvm import Tvm

if TYPE_CHECKING:
    from harness.conformance.model.machine import Model

PARAM, ADDRESS = abi.Error.INVALID_PARAM, abi.Error.INVALID_ADDRESS
_FREE = PageState.UNASSIGNED
_CONFIDENTIAL, _SHARED = frozenset({Kind.CONFIDENTIAL}), frozenset({Kind.SHARED})
Args = Sequence[int]


def unshare(model: Model, leaf: Leaf) -> None:
    """A TVM lets go of host pages."""
    for page in range(leaf.page, leaf.page + leaf.size, PAGE):
        model.pages.shared[page] -= 1


def add_tvm_memory_region(model: Model, args: Args, hart: int) -> Expected:
    """COVH 9."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=False)
    gpa, length = args[1], args[2]
    wrong.if_(gpa % PAGE != 0 or gpa + length > 1 << model.can.gpa_bits, ADDRESS)
    wrong.if_(length == 0 or length % PAGE != 0, PARAM)
    wrong.if_(length > 1 << model.can.gpa_bits, PARAM)
    wrong.if_(tvm is not None and tvm.gstage.overlaps(gpa, gpa + length), ADDRESS)
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        tvm.gstage.regions.append((gpa, gpa + length, Kind.CONFIDENTIAL))
    return refusal or success(0)


def _free_pages(model: Model, wrong: Wrong, base: int, count: int, size: int = PAGE) -> range:
    wrong.if_(count == 0, PARAM)
    if wrong.if_(count >= 1 << 32, PARAM, ADDRESS):
        return range(0)
    pages = range(base, base + count * size, PAGE)
    wrong.if_(base % size != 0 or not model.pages.all_in(pages, _FREE), ADDRESS)
    return pages


def add_tvm_page_table_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 10."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0])
    pages = _free_pages(model, wrong, args[1], args[2])
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        model.pages.assign(pages, PageState.TABLE, args[0])
        tvm.gstage.free_tables += args[2]
    return refusal or success(0)


def _size(model: Model, wrong: Wrong, kind: int) -> int:
    if wrong.if_(kind not in model.can.page_types or kind >= len(SIZES), PARAM):
        return PAGE
    return SIZES[kind]


def _place(
    wrong: Wrong,
    tvm: Tvm | None,
    where: tuple[int, int, int],
    kinds: frozenset[Kind],
    bits: int,
) -> set[tuple[int, int]]:
    """Check where pages are to go (address, number, size); return the tables that are missing."""
    gpa, count, size = where
    beyond = gpa + min(count, 1 << 32) * size > 1 << bits
    if wrong.if_(gpa % size != 0 or beyond, ADDRESS) or tvm is None or not 0 < count < 1 << 32:
        return set()
    gstage, end = tvm.gstage, gpa + count * size
    if wrong.if_(not gstage.inside(gpa, end, kinds), ADDRESS):
        return set()
    if wrong.if_(not gstage.empty(gpa, end) or gstage.has_table(gpa, size, end), ADDRESS):
        return set()
    missing = gstage.missing_tables(gpa, end, size)
    wrong.if_(len(missing) > gstage.free_tables, abi.Error.OUT_OF_PTPAGES)
    return missing


def _map(tvm: Tvm, base: int, gpa: int, count: int, size: int, kind: Kind) -> None:
    for index in range(count):
        tvm.gstage.leaves[gpa + index * size] = Leaf(base + index * size, size, kind)


def add_tvm_measured_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 11."""
    wrong = Wrong()
    number, source, base, kind, count, gpa = args
    tvm = model.tvm(wrong, number, runnable=False)
    size = _size(model, wrong, kind)
    pages = _free_pages(model, wrong, base, count, size)
    wrong.if_(source % PAGE != 0 or not _host_pages(model, source, count, size), ADDRESS)
    missing = _place(wrong, tvm, (gpa, count, size), _CONFIDENTIAL, model.can.gpa_bits)
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        tvm.gstage.take_tables(missing)
        model.pages.assign(pages, PageState.DATA, number)
        for index, page in enumerate(pages):
            _copy(model, source + index * PAGE, page)
        _map(tvm, base, gpa, count, size, Kind.CONFIDENTIAL)
    return refusal or success(count)


def _host_pages(model: Model, base: int, count: int, size: int) -> bool:
    return not 0 < count < 1 << 32 or model.host_memory(base, count * size)


def _copy(model: Model, source: int, page: int) -> None:
    known = model.pages
    known.forget(page)
    if source in known.content:
        known.inside[page] = known.content[source]
    if source in known.programs:
        known.programs[page] = True


def add_tvm_zero_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 12."""
    wrong = Wrong()
    number, base, kind, count, gpa = args[:5]
    tvm = model.tvm(wrong, number, runnable=True)
    size = _size(model, wrong, kind)
    pages = _free_pages(model, wrong, base, count, size)
    missing = _place(wrong, tvm, (gpa, count, size), _CONFIDENTIAL, model.can.gpa_bits)
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        tvm.gstage.take_tables(missing)
        model.pages.assign(pages, PageState.DATA, number)
        for page in pages:
            model.pages.forget(page)
            model.pages.inside[page] = 0
        _map(tvm, base, gpa, count, size, Kind.CONFIDENTIAL)
    return refusal or success(count)


def add_tvm_shared_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 13."""
    wrong = Wrong()
    number, base, kind, count, gpa = args[:5]
    tvm = model.tvm(wrong, number, runnable=True)
    size = _size(model, wrong, kind)
    wrong.if_(count == 0, PARAM)
    wrong.if_(count >= 1 << 32, PARAM, ADDRESS)
    wrong.if_(base % size != 0 or not _host_pages(model, base, count, size), ADDRESS)
    missing = _place(wrong, tvm, (gpa, count, size), _SHARED, model.can.gpa_bits)
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        tvm.gstage.take_tables(missing)
        model.pages.shared.update(range(base, base + count * size, PAGE))
        _map(tvm, base, gpa, count, size, Kind.SHARED)
    return refusal or success(count)


def create_tvm_vcpu(model: Model, args: Args, hart: int) -> Expected:
    """COVH 14."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=False)
    wrong.if_(args[1] >= model.machine.max_vcpus, PARAM)
    wrong.if_(tvm is not None and args[1] in tvm.vcpus, PARAM)
    pages = _free_pages(model, wrong, args[2], model.machine.vcpu_pages)
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        model.pages.assign(pages, PageState.VCPU, args[0])
        tvm.vcpus[args[1]] = Guest(tvm.gstage, model.pages)
    return refusal or success(0)


def run_tvm_vcpu(model: Model, args: Args, hart: int) -> Expected:
    """COVH 15."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=True)
    vcpu = tvm.vcpus.get(args[1]) if tvm is not None else None
    startable = tvm is not None and args[1] in tvm.started
    wrong.if_(vcpu is None or vcpu.dead or not startable, PARAM)
    wrong.if_(hart not in model.nacl, abi.Error.NO_SHMEM)
    if wrong.errors or vcpu is None or tvm is None:
        return Expected(frozenset(wrong.errors))
    if tvm.entry != ENTRY:
        raise Unpredictable("the TVM does not begin with the guest of the suite")
    return vcpu.run(model.nacl[hart][1])


CALLS: dict[str, Callable[[Model, Args, int], Expected]] = {
    "add_tvm_memory_region": add_tvm_memory_region,
    "add_tvm_page_table_pages": add_tvm_page_table_pages,
    "add_tvm_measured_pages": add_tvm_measured_pages,
    "add_tvm_zero_pages": add_tvm_zero_pages,
    "add_tvm_shared_pages": add_tvm_shared_pages,
    "create_tvm_vcpu": create_tvm_vcpu,
    "run_tvm_vcpu": run_tvm_vcpu,
    **host_ranges.CALLS,
}
