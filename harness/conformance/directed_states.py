# SPDX-License-Identifier: Apache-2.0
"""States that the cases by hand begin with, and how a case is said."""

from __future__ import annotations

from collections.abc import Callable

from harness import abi
from harness.conformance.author import Author
from harness.conformance.calls import BLOCK, MASK, PAGE, Argument, Call, Slot
from harness.conformance.model.guest import ENTRY, LENT, OWN

TVM = Slot(0)
NOBODY = 1 << 40

Make = Callable[[Author], None]
Value = Argument | Callable[[Author], int]
MAKERS: list[tuple[str, abi.Error, Make]] = []


def after(before: Make, function: str, error: abi.Error, *args: Value) -> None:
    """Add a case: a state, then one COVH call. An argument may be a function of the author."""

    def make(author: Author) -> None:
        before(author)
        values: list[Argument] = [arg(author) if callable(arg) else arg for arg in args]
        author.covh(function, *values, cpu=0)

    MAKERS.append((function, error, make))


def ready(author: Author) -> None:
    """Pages to take."""
    author.covh("convert_pages", author.ground.blocks[0], 128)
    author.settle()


def building(author: Author) -> None:
    """A TVM that is being built."""
    ready(author)
    author.build(0, 0)


def running(author: Author) -> None:
    """A TVM that is finished."""
    building(author)
    author.covh("finalize_tvm", TVM, ENTRY, 0, 0)


def mapped(author: Author) -> None:
    """It has a page of its own."""
    running(author)
    author.covh("add_tvm_zero_pages", TVM, author.free(0), 0, 1, OWN)


def blocked(author: Author) -> None:
    """That page is invalidated."""
    mapped(author)
    author.covh("tvm_invalidate_pages", TVM, OWN, PAGE)


def block_mapped(author: Author) -> None:
    """It has a block of its own."""
    author.covh("convert_pages", author.ground.blocks[1], 512)
    running(author)
    author.covh("add_tvm_zero_pages", TVM, author.free(0, 512, BLOCK), 1, 1, OWN)


def block_fenced(author: Author) -> None:
    """The block is invalidated and fenced."""
    block_mapped(author)
    author.covh("tvm_invalidate_pages", TVM, OWN, BLOCK)
    author.covh("tvm_fence", TVM)


def answer(author: Author, value: int) -> None:
    """Answer the guest's call."""
    author.emit(Call("host", "write", (author.ground.nacl(0) + 0x50, value)))


def run(author: Author) -> None:
    """Run its vCPU."""
    author.covh("run_tvm_vcpu", TVM, 0, cpu=0)


def sharing(author: Author) -> None:
    """Bring the guest to where it waits for share, with a page in the range."""
    mapped(author)
    author.covh("add_tvm_zero_pages", TVM, author.free(0), 0, 1, LENT)
    for _ in range(3):
        run(author)


def give_up(author: Author) -> None:
    """The page it gives up is invalidated and fenced."""
    sharing(author)
    author.covh("tvm_invalidate_pages", TVM, LENT, PAGE)
    author.covh("tvm_fence", TVM)


def shared(author: Author) -> None:
    """The guest has shared its pages."""
    give_up(author)
    author.covh("tvm_remove_pages", TVM, LENT, PAGE)
    answer(author, 0)
    run(author)


def shared_page(author: Author) -> None:
    """The host has mapped one of them."""
    shared(author)
    author.covh("add_tvm_shared_pages", TVM, author.ground.lent, 0, 1, LENT)


def converting(author: Author) -> None:
    """A page that is not fenced yet."""
    author.covh("convert_pages", block(author), 1)


def fencing(author: Author) -> None:
    """A fence goes on."""
    author.covh("global_fence", cpu=0)


def half_fenced(author: Author) -> None:
    """All harts but one have heard of it."""
    fencing(author)
    for hart in range(author.machine.harts - 1):
        author.covh("local_fence", cpu=hart)


def full(author: Author) -> None:
    """Use all the isolation entries that there are, one page each."""
    for index in range(author.model.can.isolation_entries or 0):
        author.covh("convert_pages", author.ground.single + 2 * index * PAGE, 1)


def full_of_blocks(author: Author) -> None:
    """The entries are used up, one of them by a block."""
    author.covh("convert_pages", block(author), 512)
    for index in range((author.model.can.isolation_entries or 0) - 1):
        author.covh("convert_pages", author.ground.single + 2 * index * PAGE, 1)
    author.settle()


def converting_all(author: Author) -> None:
    """A block that is not fenced yet."""
    author.covh("convert_pages", block(author), 512)


def no_vcpu(author: Author) -> None:
    """A TVM without a vCPU."""
    ready(author)
    author.build(0, 0, vcpu=False)


def destroyed(author: Author) -> None:
    """A TVM that is gone."""
    running(author)
    author.covh("destroy_tvm", TVM)


def no_tables(author: Author) -> None:
    """A TVM with a region and not one page for tables."""
    ready(author)
    author.create(0, block(author), block(author) + 4 * PAGE)
    author.covh("add_tvm_memory_region", TVM, ENTRY, 3 * BLOCK)


def no_tables_left(author: Author) -> None:
    """Finished, and no page for tables."""
    no_tables(author)
    author.covh("create_tvm_vcpu", TVM, 0, author.free(0, author.machine.vcpu_pages))
    author.covh("finalize_tvm", TVM, ENTRY, 0, 0)


def no_nacl(author: Author) -> None:
    """The hart has no NACL area."""
    running(author)
    author.emit(Call("nacl", "set_shmem", (MASK, MASK, 0), cpu=0))


def answered_early(author: Author) -> None:
    """The guest's share is answered though a page is mapped."""
    sharing(author)
    answer(author, 0)


def unfenced(author: Author) -> None:
    """The page it gives up is invalidated only."""
    sharing(author)
    author.covh("tvm_invalidate_pages", TVM, LENT, PAGE)


def fenced(author: Author) -> None:
    """A page of its own is invalidated and fenced."""
    blocked(author)
    author.covh("tvm_fence", TVM)


def demoted_fenced(author: Author) -> None:
    """The 512 pages of a block are invalidated and fenced."""
    block_fenced(author)
    author.covh("demote_page", TVM, OWN, 0)
    author.covh("tvm_invalidate_pages", TVM, OWN, BLOCK)
    author.covh("tvm_fence", TVM)


def block_no_table(author: Author) -> None:
    """A mapped block, and just the tables that it needs."""
    author.covh("convert_pages", author.ground.blocks[1], 512)
    no_tables(author)
    author.covh("add_tvm_page_table_pages", TVM, author.free(0, 2), 2)
    author.covh("create_tvm_vcpu", TVM, 0, author.free(0, author.machine.vcpu_pages))
    author.covh("finalize_tvm", TVM, ENTRY, 0, 0)
    author.covh("add_tvm_zero_pages", TVM, author.free(0, 512, BLOCK), 1, 1, OWN)
    author.covh("tvm_invalidate_pages", TVM, OWN, BLOCK)
    author.covh("tvm_fence", TVM)


def nothing(author: Author) -> None:
    """As each script begins."""
    return


def block(author: Author) -> int:
    """The first block."""
    return author.ground.blocks[0]


def plain(author: Author) -> int:
    """A page of the host's."""
    return author.ground.lent


def free(author: Author) -> int:
    """A page to take."""
    return author.free(0)


def odd(author: Author) -> int:
    """An address in one."""
    return author.free(0) + 8
