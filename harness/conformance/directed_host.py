# SPDX-License-Identifier: Apache-2.0
"""The host's pages, capacity, and the life of a TVM: COVH 0 to 8, and NACL."""

from __future__ import annotations

from harness import abi
from harness.conformance.author import Author
from harness.conformance.calls import MASK, PAGE, Call
from harness.conformance.directed_states import (
    MAKERS,
    NOBODY,
    TVM,
    Make,
    Value,
    after,
    block,
    building,
    converting,
    converting_all,
    destroyed,
    fencing,
    full,
    full_of_blocks,
    half_fenced,
    no_vcpu,
    nothing,
    plain,
    ready,
    running,
    shared_page,
)
from harness.conformance.model.guest import ENTRY

_E = abi.Error


def of_host_pages() -> None:
    after(nothing, "get_tsm_info", _E.SUCCESS, plain, 48)
    after(nothing, "get_tsm_info", _E.INVALID_PARAM, plain, 47)
    after(nothing, "get_tsm_info", _E.SUCCESS, lambda a: plain(a) + 4, 48)
    after(nothing, "get_tsm_info", _E.INVALID_ADDRESS, lambda a: plain(a) + 2, 48)
    after(ready, "get_tsm_info", _E.INVALID_ADDRESS, block, 48)
    after(nothing, "convert_pages", _E.SUCCESS, block, 512)
    after(nothing, "convert_pages", _E.INVALID_PARAM, block, 0)
    after(ready, "convert_pages", _E.INVALID_ADDRESS, block, 1)
    after(nothing, "convert_pages", _E.INVALID_ADDRESS, lambda a: a.ground.nacl(0), 1)
    after(shared_page, "convert_pages", _E.INVALID_ADDRESS, plain, 1)
    after(ready, "reclaim_pages", _E.SUCCESS, block, 128)
    after(ready, "reclaim_pages", _E.INVALID_PARAM, block, 0)
    after(nothing, "reclaim_pages", _E.INVALID_ADDRESS, lambda a: block(a) + 8, 1)
    after(converting, "reclaim_pages", _E.INVALID_ADDRESS, block, 1)
    after(building, "reclaim_pages", _E.INVALID_ADDRESS, block, 1)
    after(nothing, "global_fence", _E.SUCCESS)
    after(fencing, "global_fence", _E.ALREADY_STARTED)
    after(half_fenced, "global_fence", _E.ALREADY_STARTED)
    after(nothing, "local_fence", _E.SUCCESS)


def capacity() -> None:
    after(full, "convert_pages", _E.OUT_OF_RANGES, block, 1)
    after(full_of_blocks, "reclaim_pages", _E.OUT_OF_RANGES, lambda a: block(a) + PAGE, 1)


def of_life() -> None:
    def create(error: abi.Error, before: Make, directory: int, state: int, size: int = 16) -> None:
        """Directory and state as bytes from the start of the blocks; negative: a host page."""

        def make(author: Author) -> None:
            before(author)
            for at, offset in enumerate((directory, state)):
                value = plain(author) if offset < 0 else block(author) + offset
                author.emit(Call("host", "write", (author.ground.params + 8 * at, value)))
            author.covh("create_tvm", author.ground.params, size, save=0)

        MAKERS.append(("create_tvm", error, make))

    def create_from_odd_parameters(author: Author) -> None:
        """What is there would be right; the address of it is not."""
        ready(author)
        directory, state = block(author), block(author) + 4 * PAGE
        low = (1 << 32) - 1
        words = ((directory & low) << 32, directory >> 32 | (state & low) << 32, state >> 32)
        for at, value in enumerate(words):
            author.emit(Call("host", "write", (author.ground.params + 8 * at, value)))
        author.covh("create_tvm", author.ground.params + 4, 16, save=0)

    MAKERS.append(("create_tvm", _E.INVALID_ADDRESS, create_from_odd_parameters))
    create(_E.SUCCESS, ready, 0, 4 * PAGE)
    create(_E.INVALID_PARAM, ready, 0, 4 * PAGE, 15)
    create(_E.INVALID_ADDRESS, ready, PAGE, 8 * PAGE)
    create(_E.INVALID_ADDRESS, ready, 0, 3 * PAGE)
    create(_E.INVALID_ADDRESS, ready, 0, -1)
    create(_E.INVALID_ADDRESS, ready, -1, 0)
    create(_E.INVALID_ADDRESS, converting_all, 0, 4 * PAGE)
    after(building, "finalize_tvm", _E.SUCCESS, TVM, ENTRY, 0, 0)
    after(running, "finalize_tvm", _E.INVALID_PARAM, TVM, ENTRY, 0, 0)
    after(building, "finalize_tvm", _E.INVALID_PARAM, NOBODY, ENTRY, 0, 0)
    after(no_vcpu, "finalize_tvm", _E.FAILED, TVM, ENTRY, 0, 0)
    after(running, "destroy_tvm", _E.SUCCESS, TVM)
    after(running, "destroy_tvm", _E.INVALID_PARAM, NOBODY)
    after(destroyed, "destroy_tvm", _E.INVALID_PARAM, TVM)
    after(nothing, "promote_to_tvm", _E.NOT_SUPPORTED, ENTRY, 0, ENTRY, 0)


def of_nacl() -> None:
    """The calls of NACL, and COVI where there is no AIA."""

    def call(error: abi.Error, extension: str, function: str, *args: Value) -> None:
        def make(author: Author) -> None:
            ready(author)
            values = tuple(arg(author) if callable(arg) else arg for arg in args)
            author.emit(Call(extension, function, values, cpu=0))

        MAKERS.append((f"{extension} {function}", error, make))

    def area(author: Author) -> int:
        return author.ground.nacl(0)

    call(_E.SUCCESS, "nacl", "probe_feature", 0)
    call(_E.SUCCESS, "nacl", "set_shmem", area, 0, 0)
    call(_E.SUCCESS, "nacl", "set_shmem", MASK, MASK, 0)
    call(_E.INVALID_PARAM, "nacl", "set_shmem", area, 0, 1)
    call(_E.INVALID_PARAM, "nacl", "set_shmem", lambda author: area(author) + 8, 0, 0)
    call(_E.INVALID_ADDRESS, "nacl", "set_shmem", block, 0, 0)
    call(_E.INVALID_ADDRESS, "nacl", "set_shmem", area, 1, 0)
    for number in range(2, 5):
        call(_E.NOT_SUPPORTED, "nacl", str(number), 0)
    for number in range(12):
        call(_E.NOT_SUPPORTED, "covi", str(number), 0)


ALL = (of_host_pages, capacity, of_life, of_nacl)
