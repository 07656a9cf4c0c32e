# SPDX-License-Identifier: Apache-2.0
"""Cases in which two harts meet: parameters that change during a call, calls beside a running vCPU.

Which of the two is first is chance, so each is made several times. Once at least it has to be the
order that leads to the error: else nothing was proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness import abi
from harness.conformance.author import Author
from harness.conformance.calls import BLOCK, PAGE, Call, Slot
from harness.conformance.capability import Capabilities
from harness.conformance.model.guest import ENTRY, OWN
from harness.conformance.model.machine import Machine

# RV64I: jal x0, 0
_SPIN = 0x0000006F
_TVM = Slot(0)
# Times that parameters change: two reads of one call must fall on two sides of a change.
_FLIPS = 300
# Of these, those that must really have been written beside: on a crowded workstation the hart that
# writes may have no core while the other one calls, and then nothing can change.
_RACED = 50


@dataclass(frozen=True, slots=True)
class Meeting:
    """Scripts in which `function` is to answer `error` now and then, for what another hart does.

    `times` is how often they are made at most until it has, and until in `raced` calls the other
    hart really wrote all the time.
    """

    function: str
    error: abi.Error
    calls: tuple[Call, ...]
    times: int = 8
    raced: int = 0

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.function} answers {self.error.name} for what another hart does"


def _changing(author: Author) -> None:
    """The directory of a TVM is right, or a page of the host's, from one moment to the next.

    A TSM that reads it a second time takes the host's page, or leaves the right one claimed: the
    host cannot convert the one, or reclaim the other.
    """
    block, plain = author.ground.blocks[0], author.ground.single
    author.covh("convert_pages", block, 16)
    author.settle()
    author.emit(Call("host", "write", (author.ground.params, block)))
    author.emit(Call("host", "write", (author.ground.params + 8, block + 4 * PAGE)))
    for _ in range(_FLIPS):
        flip = (author.ground.params, plain & ~(4 * PAGE - 1))
        args = (author.ground.params, 16)
        author.emit(Call("covh", "create_tvm", args, 0, 0, flip=flip))
        author.covh("destroy_tvm", _TVM, cpu=0)
    author.covh("convert_pages", plain & ~(4 * PAGE - 1), 4, cpu=0)
    author.emit(Call("host", "raced"))


def _spinning(author: Author, pages: int) -> None:
    """A TVM that never leaves its hart by itself, with pages of its own."""
    ground = author.ground
    author.covh("convert_pages", ground.blocks[0], 1024)
    author.settle()
    author.emit(Call("host", "fill", (ground.lent, PAGE, 0)))
    author.emit(Call("host", "write", (ground.lent, _SPIN)))
    author.create(0, ground.blocks[0], ground.blocks[0] + 4 * PAGE, cpu=0)
    author.covh("add_tvm_memory_region", _TVM, ENTRY, 3 * BLOCK)
    author.covh("add_tvm_page_table_pages", _TVM, author.free(0, 6), 6)
    author.covh("add_tvm_measured_pages", _TVM, ground.lent, author.free(0), 0, 1, ENTRY)
    vcpu = author.free(0, author.machine.vcpu_pages)
    author.covh("create_tvm_vcpu", _TVM, 0, vcpu)
    author.covh("finalize_tvm", _TVM, ENTRY, 0, 0, cpu=0)
    if pages:
        author.covh("add_tvm_zero_pages", _TVM, author.free(512, 512, BLOCK), 1, 1, OWN)
        author.covh("tvm_invalidate_pages", _TVM, OWN, BLOCK)
        author.covh("tvm_fence", _TVM)
        author.covh("demote_page", _TVM, OWN, 0)
        author.covh("tvm_invalidate_pages", _TVM, OWN, BLOCK)
        author.covh("tvm_fence", _TVM)


def _beside(author: Author, function: str, *args: int) -> None:
    _spinning(author, pages=function == "promote_page")
    author.emit(Call("host", "run", (_TVM, 0)))
    # The second fence finds the first one: the vCPU has not left its hart since.
    for _ in range(2 if function == "tvm_fence" else 1):
        author.covh(function, _TVM, *args, cpu=0)
    author.emit(Call("host", "stop"))


def _destroy(author: Author) -> None:
    _beside(author, "destroy_tvm")


def _fence(author: Author) -> None:
    _beside(author, "tvm_fence")


def _promote(author: Author) -> None:
    _beside(author, "promote_page", OWN, 1)


_MAKERS: tuple[tuple[str, abi.Error, Callable[[Author], None]], ...] = (
    ("create_tvm", abi.Error.INVALID_ADDRESS, _changing),
    ("create_tvm", abi.Error.SUCCESS, _changing),
    ("destroy_tvm", abi.Error.FAILED, _destroy),
    ("tvm_fence", abi.Error.ALREADY_STARTED, _fence),
    ("promote_page", abi.Error.BUSY, _promote),
)


def meetings(machine: Machine, can: Capabilities) -> list[Meeting]:
    """Return the cases; there are none on one hart."""
    found = []
    for function, error, make in _MAKERS if machine.harts > 1 else ():
        # A table that promote_page can do without comes from demote_page.
        needs = {function, *(["demote_page"] if function == "promote_page" else [])}
        if needs & set(can.unsupported) or ("demote_page" in needs and 1 not in can.page_types):
            continue
        author = Author(machine, can)
        make(author)
        calls = tuple(author.finish())
        # Of the same calls once is enough.
        if error is abi.Error.INVALID_ADDRESS:
            found.append(Meeting(function, error, calls, times=100, raced=_RACED))
        else:
            found.append(Meeting(function, error, calls))
    return found
