# SPDX-License-Identifier: Apache-2.0
"""The host's own accesses, and its NACL areas (cove.md 2.9, rdsm-tsm.md 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness import abi
from harness.conformance.calls import MASK, PAGE
from harness.conformance.model.guest import PROGRAM, Nacl
from harness.conformance.model.outcome import Expected, Unpredictable, Wrong, success
from harness.conformance.model.pages import PageState

if TYPE_CHECKING:
    from harness.conformance.model.machine import Model

_A0 = 0x50
_NACL_PAGES = abi.NACL_SHMEM_SIZE // PAGE


def access(model: Model, what: str, args: Sequence[int]) -> Expected:
    """A read or write of the host: a fault exactly where memory is confidential.

    `run` and `stop` are no accesses: between them another hart runs a vCPU. Nor is `raced`, which
    counts the calls so far beside which another hart wrote all the time.
    """
    if what == "raced":
        return success()
    if what in ("run", "stop"):
        model.beside = args[0] if what == "run" else None
        return success(0)
    size = args[1] if what in ("fill", "nonzero") else 8
    if not model.host_memory(args[0], size):
        return Expected(frozenset({abi.Error.INVALID_ADDRESS}))
    actions = {"read": _read, "write": _write, "fill": _fill, "nonzero": _nonzero}
    return actions[what](model, args)


def _read(model: Model, args: Sequence[int]) -> Expected:
    address, page = args[0], args[0] & ~(PAGE - 1)
    for base, area in model.nacl.values():
        if address == base + _A0:
            return success(area.a0)
    words = model.pages.words.get(page, {})
    if address in words:
        return success(words[address])
    first = model.pages.first.get(page) if address == page else None
    return success(model.pages.content.get(page, first))


def _write(model: Model, args: Sequence[int]) -> Expected:
    address, page = args[0], args[0] & ~(PAGE - 1)
    for base, area in model.nacl.values():
        if address == base + _A0:
            area.a0 = args[1]
    whole = model.pages.content.pop(page, None)
    model.pages.programs.pop(page, None)
    if address != page:
        first = model.pages.first.get(page, whole)
        if first is not None:
            model.pages.first[page] = first
    else:
        model.pages.first[page] = args[1]
    model.pages.words.setdefault(page, {})[address] = args[1]
    _know_program(model, page)
    return success()


def _know_program(model: Model, page: int) -> None:
    """A page holds the program once every word of it was written."""
    words = (int.from_bytes(PROGRAM[at : at + 8], "little") for at in range(0, len(PROGRAM), 8))
    written = model.pages.words[page]
    if all(written.get(page + 8 * index) == word for index, word in enumerate(words)):
        model.pages.programs[page] = True


def _fill(model: Model, args: Sequence[int]) -> Expected:
    if args[0] % PAGE or args[1] % PAGE:
        raise Unpredictable("the host fills whole pages")
    pages = range(args[0], args[0] + args[1], PAGE)
    for page in pages:
        model.pages.forget(page)
        model.pages.content[page] = args[2]
    return success()


def _nonzero(model: Model, args: Sequence[int]) -> Expected:
    first = args[0] & ~(PAGE - 1)
    words = [model.pages.content.get(page) for page in range(first, args[0] + args[1], PAGE)]
    if any(word is None for word in words):
        return success()
    if not any(words):
        return success(0)
    if args[0] % PAGE or args[1] % PAGE:
        return success()
    return success(sum(bool(word) for word in words) * PAGE // 8)


def nacl(model: Model, what: str, args: Sequence[int], hart: int) -> Expected:
    """SBI NACL as CoVE needs it: no feature, and one area for each hart."""
    if what == "probe_feature":
        return success(0)
    if what != "set_shmem":
        return Expected(frozenset({abi.Error.NOT_SUPPORTED}))
    low, high, flags = args[:3]
    if low == high == MASK and not flags:
        _unpin(model, hart)
        return success(0)
    wrong = Wrong()
    wrong.if_(flags != 0, abi.Error.INVALID_PARAM)
    wrong.if_(low % PAGE != 0, abi.Error.INVALID_PARAM)
    area = range(low & ~(PAGE - 1), (low & ~(PAGE - 1)) + abi.NACL_SHMEM_SIZE, PAGE)
    refused = high or not all(
        p in model.machine.pool and model.pages.state(p) is PageState.HOST for p in area
    )
    wrong.if_(bool(refused), abi.Error.INVALID_ADDRESS)
    refusal = wrong.expected()
    if refusal is not None:
        return refusal
    _unpin(model, hart)
    model.nacl[hart] = (low, Nacl())
    _pin(model)
    for page in area:
        model.pages.forget(page)
    return success(0)


def _unpin(model: Model, hart: int) -> None:
    model.nacl.pop(hart, None)
    _pin(model)


def _pin(model: Model) -> None:
    model.pages.pinned = {
        base + index * PAGE for base, _ in model.nacl.values() for index in range(_NACL_PAGES)
    }
