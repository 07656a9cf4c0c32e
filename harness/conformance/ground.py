# SPDX-License-Identifier: Apache-2.0
"""Where a script plays: addresses of the pool, and what stands in them before its first call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.conformance.calls import BLOCK, MASK, PAGE, Call, Slot
from harness.conformance.model.guest import PROGRAM
from harness.conformance.model.machine import Machine, Model

_NACL_STEP = 4 * PAGE
_LOOKS = 16
_FULL = 0x0101010101010101


@dataclass(frozen=True, slots=True)
class Ground:
    """Addresses: `blocks` are to be converted, everything else stays the host's as a rule.

    `params` is for create_tvm, `program` has the guest's, `full` has no byte that is 0, `lent` are
    pages to share.
    """

    machine: Machine

    @property
    def blocks(self) -> tuple[int, ...]:
        """Three blocks of 2 MiB in one piece."""
        pool = self.machine.pool
        middle = ((pool[0] + pool[-1]) // 2) & ~(BLOCK - 1)
        return (middle, middle + BLOCK, middle + 2 * BLOCK)

    @property
    def _plain(self) -> int:
        pool = self.machine.pool
        return (pool[-1] & ~(BLOCK - 1)) - BLOCK

    def nacl(self, hart: int) -> int:
        """The NACL area of a hart."""
        return self._plain + hart * _NACL_STEP

    @property
    def params(self) -> int:
        """Parameters of create_tvm."""
        return self._plain + 64 * PAGE

    @property
    def program(self) -> int:
        """The guest's program."""
        return self._plain + 65 * PAGE

    @property
    def full(self) -> int:
        """A page without a zero."""
        return self._plain + 66 * PAGE

    @property
    def lent(self) -> int:
        """Eight pages to share."""
        return self._plain + 72 * PAGE

    @property
    def single(self) -> int:
        """Pages to convert one at a time; every other one is left."""
        return self._plain + 96 * PAGE

    @property
    def whole(self) -> tuple[int, int]:
        """All blocks, as a page and a number of pages."""
        return (self.blocks[0], 3 * BLOCK // PAGE)

    def parts(self) -> Iterator[tuple[int, int]]:
        """All that a script may have converted in the blocks, in large parts first.

        A page in the middle of a range may cost more isolation entries than there are, so what
        can be given back whole is, and pages are taken from the end.
        """
        yield self.whole
        yield from ((block, 512) for block in self.blocks)
        yield from ((page, 1) for page in reversed(range(self.blocks[0], self._end, PAGE)))

    @property
    def _end(self) -> int:
        return self.blocks[-1] + BLOCK

    def others(self) -> Iterator[tuple[int, int]]:
        """What it may have converted elsewhere."""
        single = range(self._plain, self._plain + BLOCK // 2, PAGE)
        yield from ((page, 1) for page in reversed(single))

    def prologue(self) -> Iterator[Call]:
        """What each script begins with."""
        for hart in range(self.machine.harts):
            yield Call("nacl", "set_shmem", (self.nacl(hart), 0, 0), cpu=hart)
        for page in (self.params, self.program, self.full):
            yield Call("host", "fill", (page, PAGE, _FULL if page == self.full else 0))
        yield Call("host", "fill", (self.lent, 8 * PAGE, 0))
        for at in range(0, len(PROGRAM), 8):
            word = int.from_bytes(PROGRAM[at : at + 8], "little")
            yield Call("host", "write", (self.program + at, word))

    def epilogue(self, model: Model) -> Iterator[Call]:
        """Give everything back, and look whether it is empty; the model says what there is.

        The ids of TVMs are named by their slots: those that live are among them.
        """
        harts = range(self.machine.harts)
        for slot, number in sorted(model.slots.items()):
            if number in model.tvms and number != MASK:
                yield Call("covh", "destroy_tvm", (Slot(slot),))
        for _ in range(2):
            yield from (Call("covh", "local_fence", cpu=hart) for hart in harts)
            yield Call("covh", "global_fence")
        yield from (Call("covh", "local_fence", cpu=hart) for hart in harts)
        used = {*model.pages.inside, *model.pages.programs, *model.pages.owners}
        for start, count in _ranges(list(model.pages.states)):
            yield Call("covh", "reclaim_pages", (start, count))
            pages = range(start, start + count * PAGE, PAGE)
            # Those in which something may have been, and no more: to read all takes long.
            for page in [page for page in pages if page in used][:_LOOKS]:
                yield Call("host", "nonzero", (page, PAGE))


def _ranges(pages: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for page in sorted(pages):
        if found and found[-1][0] + found[-1][1] * PAGE == page:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((page, 1))
    return found
