# SPDX-License-Identifier: Apache-2.0
"""COVH 16 to 19 and the private promote_page and demote_page (cove.md 3.2 and 3.3, rules.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness import abi
from harness.conformance.calls import PAGE
from harness.conformance.model.gstage import SIZES, Kind, Leaf
from harness.conformance.model.outcome import Expected, Wrong, success
from harness.conformance.model.tvm import Tvm

if TYPE_CHECKING:
    from harness.conformance.model.machine import Model

PARAM, ADDRESS = abi.Error.INVALID_PARAM, abi.Error.INVALID_ADDRESS
Args = Sequence[int]
_GIVEN_UP = {Kind.CONFIDENTIAL: Kind.TO_SHARED, Kind.SHARED: Kind.TO_CONFIDENTIAL}


def tvm_fence(model: Model, args: Args, hart: int) -> Expected:
    """COVH 16; no vCPU runs while a script goes on, so a fence ends as it begins."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=True)
    if tvm is not None and not wrong.errors:
        tvm.version += 1
    return wrong.expected() or success(0)


def _leaves(
    model: Model, wrong: Wrong, args: Args, good: Callable[[Tvm, int, Leaf], bool]
) -> list[tuple[int, Leaf]]:
    """Return the leaves of a range, each of them in the state that is wanted."""
    tvm = model.tvm(wrong, args[0], runnable=True)
    gpa, length = args[1], args[2]
    wrong.if_(length == 0 or length % PAGE != 0, PARAM)
    wrong.if_(length > 1 << model.can.gpa_bits, PARAM)
    beyond = gpa + length > 1 << model.can.gpa_bits
    if wrong.if_(gpa % PAGE != 0 or beyond, ADDRESS) or tvm is None or wrong.errors:
        return []
    found = tvm.gstage.whole_leaves(gpa, gpa + length)
    if found is None or not all(good(tvm, at, leaf) for at, leaf in found):
        wrong.if_(True, ADDRESS)
        return []
    return found


def tvm_invalidate_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 17."""
    wrong = Wrong()
    leaves = _leaves(model, wrong, args, lambda tvm, at, leaf: leaf.blocked is None)
    refusal = wrong.expected()
    if refusal is None:
        for _, leaf in leaves:
            leaf.blocked = model.tvms[args[0]].version
    return refusal or success(0)


def tvm_validate_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 18."""
    wrong = Wrong()
    leaves = _leaves(model, wrong, args, lambda tvm, at, leaf: leaf.blocked is not None)
    refusal = wrong.expected()
    if refusal is None:
        for _, leaf in leaves:
            leaf.blocked = None
    return refusal or success(0)


def _fenced(tvm: Tvm, leaf: Leaf) -> bool:
    return leaf.blocked is not None and leaf.blocked < tvm.version


def tvm_remove_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 19."""
    wrong = Wrong()

    def removable(tvm: Tvm, at: int, leaf: Leaf) -> bool:
        given_up = frozenset({_GIVEN_UP[leaf.kind]})
        return _fenced(tvm, leaf) and tvm.gstage.inside(at, at + leaf.size, given_up)

    leaves = _leaves(model, wrong, args, removable)
    refusal = wrong.expected()
    if refusal is None:
        for gpa, leaf in leaves:
            _drop(model, leaf)
            del model.tvms[args[0]].gstage.leaves[gpa]
    return refusal or success(0)


def _drop(model: Model, leaf: Leaf) -> None:
    for page in range(leaf.page, leaf.page + leaf.size, PAGE):
        if leaf.kind is Kind.SHARED:
            model.pages.shared[page] -= 1
        else:
            model.pages.unassign(page)


def _no_page(model: Model, gpa: int, kind: int) -> bool:
    """True when no page of the type can be at the address."""
    return gpa % SIZES[kind] != 0 or gpa + SIZES[kind] > 1 << model.can.gpa_bits


def promote_page(model: Model, args: Args, hart: int) -> Expected:
    """The 512 leaves of a block become one."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=True)
    gpa, kind = args[1], args[2]
    if wrong.if_(kind not in (1, 2), PARAM) or tvm is None or wrong.errors:
        wrong.if_(kind in (1, 2) and _no_page(model, gpa, kind), ADDRESS)
        return Expected(frozenset(wrong.errors))
    size = SIZES[kind]
    leaves = tvm.gstage.whole_leaves(gpa, gpa + size) if gpa % size == 0 else None
    fit = leaves is not None and _one_piece(tvm, leaves, SIZES[kind - 1], size)
    wrong.if_(not fit, ADDRESS)
    refusal = wrong.expected()
    if refusal is None and leaves is not None:
        first = leaves[0][1]
        for at, _ in leaves:
            del tvm.gstage.leaves[at]
        tvm.gstage.leaves[gpa] = Leaf(first.page, size, first.kind)
        tvm.gstage.tables.remove((kind, gpa))
        tvm.gstage.free_tables += 1
    return refusal or success(0)


def _one_piece(tvm: Tvm, leaves: list[tuple[int, Leaf]], part: int, size: int) -> bool:
    first = leaves[0][1]
    return first.page % size == 0 and all(
        leaf.size == part
        and leaf.kind is first.kind
        and leaf.page == first.page + index * part
        and _fenced(tvm, leaf)
        for index, (_, leaf) in enumerate(leaves)
    )


def demote_page(model: Model, args: Args, hart: int) -> Expected:
    """One leaf becomes 512."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=True)
    gpa, kind = args[1], args[2]
    if wrong.if_(kind not in (0, 1), PARAM) or tvm is None or wrong.errors:
        wrong.if_(kind in (0, 1) and _no_page(model, gpa, kind + 1), ADDRESS)
        return Expected(frozenset(wrong.errors))
    leaf = tvm.gstage.leaves.get(gpa)
    if leaf is None or leaf.size != SIZES[kind + 1] or not _fenced(tvm, leaf):
        wrong.if_(True, ADDRESS)
    else:
        wrong.if_(tvm.gstage.free_tables == 0, abi.Error.OUT_OF_PTPAGES)
    refusal = wrong.expected()
    if refusal is None and leaf is not None:
        part = SIZES[kind]
        for offset in range(0, leaf.size, part):
            tvm.gstage.leaves[gpa + offset] = Leaf(leaf.page + offset, part, leaf.kind)
        tvm.gstage.take_tables({(kind + 1, gpa)})
    return refusal or success(0)


CALLS: dict[str, Callable[[Model, Args, int], Expected]] = {
    "tvm_fence": tvm_fence,
    "tvm_invalidate_pages": tvm_invalidate_pages,
    "tvm_validate_pages": tvm_validate_pages,
    "tvm_remove_pages": tvm_remove_pages,
    "promote_page": promote_page,
    "demote_page": demote_page,
}
