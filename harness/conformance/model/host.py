# SPDX-License-Identifier: Apache-2.0
"""COVH 0 to 8: the TSM, the host's pages and fences, and the life of a TVM (cove.md 2.5, 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import abi
from harness.conformance.calls import PAGE
from harness.conformance.model import host_tvm as of_tvm
from harness.conformance.model.outcome import Expected, Unpredictable, Wrong, success
from harness.conformance.model.pages import PageState

if TYPE_CHECKING:
    from harness.conformance.model.machine import Model

PARAM, ADDRESS = abi.Error.INVALID_PARAM, abi.Error.INVALID_ADDRESS
_INFO_SIZE, _PARAMS_SIZE = 48, 16
_DIRECTORY_PAGES, _DIRECTORY_SIZE = 4, 4 * PAGE
_FREE = PageState.UNASSIGNED
Args = Sequence[int]


def get_tsm_info(model: Model, args: Args, hart: int) -> Expected:
    """COVH 0."""
    wrong = Wrong()
    wrong.if_(args[0] % 4 != 0 or not model.host_memory(args[0], _INFO_SIZE), ADDRESS)
    wrong.if_(args[1] < _INFO_SIZE, PARAM)
    refusal = wrong.expected()
    if refusal is None:
        for address in (args[0], args[0] + _INFO_SIZE - 1):
            model.pages.forget(address & ~(PAGE - 1))
    return refusal or success(_INFO_SIZE)


def _page_range(wrong: Wrong, base: int, count: int) -> range:
    """Check the arguments of convert and reclaim; a range out of bounds is wrong in both."""
    wrong.if_(base % PAGE != 0, ADDRESS)
    wrong.if_(count == 0, PARAM)
    if wrong.if_(count >= 1 << 44 or base + count * PAGE > 1 << 56, PARAM, ADDRESS):
        return range(0)
    first = base & ~(PAGE - 1)
    return range(first, first + count * PAGE, PAGE)


def _within(model: Model, pages: range, allowed: Callable[[int], bool]) -> bool:
    pool = model.machine.pool
    if pages and not (pages[0] in pool and pages[-1] in pool):
        return False
    return all(allowed(page) for page in pages)


def convert_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 1."""
    wrong = Wrong()
    pages = _page_range(wrong, args[0], args[1])

    def allowed(page: int) -> bool:
        known = model.pages
        free = not known.shared[page] and page not in known.pinned
        return free and known.state(page) is PageState.HOST

    # Pages that are not the host's may be an address or a number that is too large.
    also = (PARAM,) if len(pages) > 1 else ()
    wrong.if_(not _within(model, pages, allowed), ADDRESS, *also)
    refusal = wrong.expected()
    if refusal is None and not model.pages.fits(more=pages):
        return Expected(frozenset({abi.Error.OUT_OF_RANGES}))
    if refusal is None:
        model.pages.convert(pages)
    return refusal or success()


def reclaim_pages(model: Model, args: Args, hart: int) -> Expected:
    """COVH 2."""
    wrong = Wrong()
    pages = _page_range(wrong, args[0], args[1])
    states = {_FREE, PageState.HOST} if model.can.reclaim_host else {_FREE}
    also = (PARAM,) if len(pages) > 1 else ()
    inside = _within(model, pages, lambda page: model.pages.state(page) in states)
    wrong.if_(not inside, ADDRESS, *also)
    refusal = wrong.expected()
    if refusal is None and not model.pages.fits(less=pages):
        return Expected(frozenset({abi.Error.OUT_OF_RANGES}))
    if refusal is None:
        model.pages.reclaim(pages)
    return refusal or success()


def global_fence(model: Model, args: Args, hart: int) -> Expected:
    """COVH 3."""
    if model.fence.in_progress:
        return Expected(frozenset({abi.Error.ALREADY_STARTED}))
    model.fence.begin(hart)
    return success(0)


def local_fence(model: Model, args: Args, hart: int) -> Expected:
    """COVH 4."""
    model.fence.local(hart)
    return success(0)


def create_tvm(model: Model, args: Args, hart: int) -> Expected:
    """COVH 5."""
    wrong = Wrong()
    readable = model.host_memory(args[0], _PARAMS_SIZE)
    wrong.if_(args[0] % 8 != 0 or not readable, ADDRESS)
    wrong.if_(args[1] < _PARAMS_SIZE, PARAM)
    if wrong.errors:
        return Expected(frozenset(wrong.errors))
    words = model.pages.words.get(args[0] & ~(PAGE - 1), {})
    directory, state = words.get(args[0]), words.get(args[0] + 8)
    if directory is None or state is None:
        raise Unpredictable("the parameters of create_tvm are not known")
    of_directory = range(directory, directory + _DIRECTORY_PAGES * PAGE, PAGE)
    of_state = range(state, state + model.machine.state_pages * PAGE, PAGE)
    wrong.if_(directory % _DIRECTORY_SIZE != 0, ADDRESS)
    wrong.if_(not model.pages.all_in(of_directory, _FREE), ADDRESS)
    wrong.if_(state % PAGE != 0 or not model.pages.all_in(of_state, _FREE), ADDRESS)
    wrong.if_(bool(set(of_directory) & set(of_state)), ADDRESS)
    taken = [(of_directory, PageState.TABLE), (of_state, PageState.STATE)]
    return wrong.expected() or replace(success(), learn=model.created(taken))


def finalize_tvm(model: Model, args: Args, hart: int) -> Expected:
    """COVH 6."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0], runnable=False)
    identity = args[3]
    bad = identity % 64 != 0 or not model.host_memory(identity, 64)
    wrong.if_(identity != 0 and bad, PARAM, ADDRESS)
    wrong.if_(tvm is not None and 0 not in tvm.vcpus, abi.Error.FAILED)
    refusal = wrong.expected()
    if refusal is None and tvm is not None:
        tvm.runnable = True
        tvm.started = {0}
        tvm.entry = args[1]
    return refusal or success(0)


def destroy_tvm(model: Model, args: Args, hart: int) -> Expected:
    """COVH 8; no vCPU runs while a script goes on."""
    wrong = Wrong()
    tvm = model.tvm(wrong, args[0])
    if tvm is None:
        return Expected(frozenset(wrong.errors))
    for page, owner in list(model.pages.owners.items()):
        if owner == args[0]:
            model.pages.unassign(page)
    for leaf in tvm.gstage.leaves.values():
        if leaf.page not in model.pages.states:
            of_tvm.unshare(model, leaf)
    del model.tvms[args[0]]
    return success(0)


CALLS: dict[str, Callable[[Model, Args, int], Expected]] = {
    "get_tsm_info": get_tsm_info,
    "convert_pages": convert_pages,
    "reclaim_pages": reclaim_pages,
    "global_fence": global_fence,
    "local_fence": local_fence,
    "create_tvm": create_tvm,
    "finalize_tvm": finalize_tvm,
    "destroy_tvm": destroy_tvm,
    **of_tvm.CALLS,
}
