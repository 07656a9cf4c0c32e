# SPDX-License-Identifier: Apache-2.0
"""Writes scripts: turns numbers, by chance or of Hypothesis, into calls that get somewhere.

Each step is four numbers: what is done, and three choices. What they mean depends on the state that
the model is in, so most calls are near to being right; one in eight has an argument that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from harness import abi
from harness.conformance.calls import BLOCK, MASK, PAGE, Argument, Call, Slot
from harness.conformance.capability import Capabilities
from harness.conformance.ground import Ground
from harness.conformance.model.guest import ENTRY, LENT, OWN, Phase
from harness.conformance.model.machine import Machine, Model
from harness.conformance.model.outcome import Unpredictable
from harness.conformance.model.pages import PageState
from harness.conformance.model.tvm import Tvm

Step = tuple[int, int, int, int]
LIMIT = 1 << 16
_SLOTS = 6
_TABLES = 6
_STRANGE = (
    *(0, 1, PAGE, 8, PAGE + 8, 1 << 40, (1 << 56) - PAGE, MASK, MASK - PAGE + 1),
    *(1 << 63, 3, 4),
)
# Ids of TVMs that no TSM gives; a small number may be one that it does give, who knows when.
_NOBODIES = (0, 1 << 40, MASK, (1 << 63) + PAGE)
# Pages to begin with: a whole block takes as long as twenty other calls.
_PAGES = 96
# Steps on a hart, on average.
_STAYS = 4
_GPAS = (ENTRY, OWN, LENT, OWN + PAGE, LENT + PAGE, ENTRY + PAGE, ENTRY + 2 * BLOCK, OWN + BLOCK)
_REGIONS = (
    *((ENTRY, 3 * BLOCK), (ENTRY, 16 * PAGE), (OWN, BLOCK), (LENT, PAGE), (LENT, 2 * PAGE)),
    *((ENTRY + 3 * BLOCK, PAGE), (ENTRY - PAGE, PAGE), (ENTRY - PAGE, 2 * PAGE)),
    *(((1 << 50) - PAGE, PAGE), ((1 << 50) - PAGE, 2 * PAGE)),
)
_LENGTHS = (PAGE, 2 * PAGE, BLOCK, 512 * BLOCK)


class Author:
    """Collects the calls of one script, and knows what the model says of each."""

    def __init__(self, machine: Machine, can: Capabilities) -> None:
        self.ground = Ground(machine)
        self.machine = machine
        self.model = Model(machine, can)
        self.calls: list[Call] = []
        # No id that a call names as a number: those of the TSM are not known yet.
        self.next_id = 1 << 32
        self.hart = 0
        for call in self.ground.prologue():
            self.emit(call)

    def emit(self, call: Call) -> bool:
        """Add a call, unless nobody knows what it does; return whether it succeeds."""
        try:
            expected = self.model.predict(call)
        except Unpredictable:
            return False
        self.calls.append(call)
        works = expected.errors == {abi.Error.SUCCESS}
        value = expected.value or 0
        if works and call.function == "create_tvm" and expected.learn is not None:
            value, self.next_id = self.next_id, self.next_id + 1
            expected.learn(value)
        self.model.save(call, 0 if works else -1, value)
        return works

    def covh(
        self, function: str, *args: Argument, cpu: int | None = None, save: int | None = None
    ) -> bool:
        """Add a COVH call."""
        return self.emit(Call("covh", function, args, cpu, save, function == "run_tvm_vcpu"))

    def settle(self) -> None:
        """Bring what was converted so far to its end, from hart to hart and back."""
        harts = [(self.hart + index) % self.machine.harts for index in range(self.machine.harts)]
        for hart in harts:
            self.covh("local_fence", cpu=hart)
        self.covh("global_fence", cpu=harts[-1])
        for hart in reversed(harts):
            self.covh("local_fence", cpu=hart)

    def free(self, start: int, count: int = 1, align: int = PAGE) -> int:
        """Return unassigned pages in one piece, looked for from `start`; else just an address."""
        first, size = self.ground.blocks[0], 3 * BLOCK
        at = first + start * PAGE % size & ~(align - 1)
        for _ in range(3 * BLOCK // align):
            pages = range(at, at + count * PAGE, PAGE)
            if self.model.pages.all_in(pages, PageState.UNASSIGNED):
                return at
            at = first + (at - first + align) % size
        return at

    def build(self, slot: int, seed: int, *, vcpu: bool = True) -> None:
        """Make a TVM with a region and its tables."""
        directory = self.free(seed, 4, 4 * PAGE)
        self.create(slot, directory, self.after(directory + 4 * PAGE))
        tvm = Slot(slot)
        self.covh("add_tvm_memory_region", tvm, ENTRY, 3 * BLOCK)
        self.covh("add_tvm_page_table_pages", tvm, self.free(seed, _TABLES), _TABLES)
        page = self.free(seed)
        self.covh("add_tvm_measured_pages", tvm, self.ground.program, page, 0, 1, ENTRY)
        if vcpu:
            pages = self.machine.vcpu_pages
            self.covh("create_tvm_vcpu", tvm, 0, self.free(seed, pages))

    def after(self, address: int) -> int:
        """Return free pages for the state of a TVM, from an address of the blocks on."""
        return self.free((address - self.ground.blocks[0]) // PAGE, self.machine.state_pages)

    def create(self, slot: int, directory: int, state: int, cpu: int | None = None) -> None:
        """Write the parameters and create a TVM."""
        self.emit(Call("host", "write", (self.ground.params, directory)))
        self.emit(Call("host", "write", (self.ground.params + 8, state)))
        self.covh("create_tvm", self.ground.params, 16, save=slot, cpu=cpu)

    def tvm(self, slot: int) -> Tvm | None:
        """Return the TVM whose id a slot has."""
        return self.model.tvms.get(self.model.slots.get(slot, MASK))

    def finish(self) -> list[Call]:
        """Give everything back; return the script."""
        for call in list(self.ground.epilogue(self.model)):
            self.emit(call)
        return self.calls


class Steps:
    """What the numbers of a step mean."""

    def __init__(self, author: Author) -> None:
        self.author = author
        self.harts = author.machine.harts

    def take(self, step: Step) -> None:
        """Do one step."""
        what, a, b, c = step
        # To another hart now and then: going there takes longer than most calls.
        if c // 256 % _STAYS == 0:
            self.author.hart = a % self.harts
        kinds = _KINDS
        kinds[what % len(kinds)](self, a, b, c)

    def _call(self, function: str, *args: Argument, c: int, save: int | None = None) -> bool:
        """Make a call on the hart, with a wrong argument one time in eight."""
        found = list(args)
        if found and c % 8 == 7:
            index = c // 8 % len(found)
            strange = _NOBODIES if isinstance(found[index], Slot) else _STRANGE
            found[index] = strange[c // 64 % len(strange)]
        return self.author.covh(function, *found, cpu=self.author.hart, save=save)

    def _slot(self, a: int) -> Slot:
        live = [slot for slot in range(_SLOTS) if self.author.tvm(slot) is not None]
        return Slot(live[a % len(live)] if live and a % 16 else a % _SLOTS)

    def convert(self, a: int, b: int, c: int) -> None:
        ground = self.author.ground
        choices = [(block, 512) for block in ground.blocks if a % 4 == 0]
        choices += [(ground.blocks[0] + a % 1536 * PAGE, b % 8 + 1)]
        choices += [(ground.single + a % 16 * 2 * PAGE, 1), (ground.lent + a % 8 * PAGE, 1)]
        choices += [(ground.nacl(a % self.harts), 1)]
        choices += [(ground.blocks[0], 65 if a % 8 else 1536)]
        base, count = choices[b % len(choices)]
        self._call("convert_pages", base, count, c=c)

    def reclaim(self, a: int, b: int, c: int) -> None:
        ground = self.author.ground
        page = self.author.free(a)
        choices = [(ground.blocks[a % 3], 512), (page, 1), (page, b % 8 + 1)]
        choices += [(ground.single + a % 16 * 2 * PAGE, 1)]
        base, count = choices[b % len(choices)]
        if self._call("reclaim_pages", base, count, c=c):
            self.author.emit(Call("host", "nonzero", (base, count * PAGE)))

    def global_fence(self, a: int, b: int, c: int) -> None:
        self._call("global_fence", c=c)

    def local_fence(self, a: int, b: int, c: int) -> None:
        self._call("local_fence", c=c)

    def settle(self, a: int, b: int, c: int) -> None:
        self.author.settle()

    def ready(self, a: int, b: int, c: int) -> None:
        """Have pages to take, now and then a whole block."""
        blocks = self.author.ground.blocks
        self.author.covh("convert_pages", blocks[a % 3], _PAGES if b % 4 else 512)
        self.author.settle()

    def build(self, a: int, b: int, c: int) -> None:
        if self._room(a):
            self.author.build(a % _SLOTS, b)
            if c % 4:
                self.author.covh("finalize_tvm", Slot(a % _SLOTS), ENTRY, 0, 0)

    def _room(self, a: int) -> bool:
        """A slot whose TVM lives keeps its id: else nobody could destroy it."""
        return len(self.author.model.tvms) < 4 and self.author.tvm(a % _SLOTS) is None

    def create(self, a: int, b: int, c: int) -> None:
        if not self._room(a):
            return
        directory = self.author.free(b, 4, 4 * PAGE)
        state = self.author.after(directory + 4 * PAGE)
        if c % 8 == 1:
            directory = directory + _STRANGE[a % len(_STRANGE)] & MASK
        elif c % 8 == 2:
            state = (directory, state + 8, self.author.ground.lent, MASK)[a % 4]
        self.author.create(a % _SLOTS, directory, state, self.author.hart)

    def region(self, a: int, b: int, c: int) -> None:
        tvm = self.author.tvm(self._slot(a).number)
        if tvm is None or len(tvm.gstage.regions) < 12:
            self._call("add_tvm_memory_region", self._slot(a), *_REGIONS[b % len(_REGIONS)], c=c)

    def tables(self, a: int, b: int, c: int) -> None:
        count = b % 3 + 1
        self._call(
            "add_tvm_page_table_pages", self._slot(a), self.author.free(b, count), count, c=c
        )

    def _where(self, b: int) -> tuple[int, int, int, int]:
        """Return pages to add: address, type, number, and where they go."""
        kind = 1 if b % 4 == 0 else 0
        size, count = (BLOCK, 1) if kind else (PAGE, b // 4 % 3 + 1)
        base = self.author.free(b, count * size // PAGE, size)
        return base, kind, count, _GPAS[b // 16 % len(_GPAS)]

    def measured(self, a: int, b: int, c: int) -> None:
        ground = self.author.ground
        base, kind, count, gpa = self._where(b)
        source = ground.program if count == 1 and not kind else ground.lent
        if kind:
            source = ground.blocks[a % 3]
        self._call("add_tvm_measured_pages", self._slot(a), source, base, kind, count, gpa, c=c)

    def zero(self, a: int, b: int, c: int) -> None:
        self._call("add_tvm_zero_pages", self._slot(a), *self._where(b), c=c)

    def shared(self, a: int, b: int, c: int) -> None:
        _, _, count, gpa = self._where(b)
        base = self.author.ground.lent + a % 6 * PAGE
        gpa = gpa if c % 16 == 0 else LENT + b % 2 * PAGE
        self._call("add_tvm_shared_pages", self._slot(a), base, 0, count, gpa, c=c)

    def vcpu(self, a: int, b: int, c: int) -> None:
        page = self.author.free(b, self.author.machine.vcpu_pages)
        self._call("create_tvm_vcpu", self._slot(a), b % 3, page, c=c)

    def finalize(self, a: int, b: int, c: int) -> None:
        self._call("finalize_tvm", self._slot(a), ENTRY, b, 0, c=c)

    def run(self, a: int, b: int, c: int) -> None:
        """Let a guest go on for some exits, with what it waits for when it does wait."""
        slot = self._slot(a)
        tvm = self.author.tvm(slot.number)
        guest = tvm.vcpus.get(0) if tvm is not None else None
        for _ in range(b % 6 + 1):
            hart = self.author.hart
            if guest is not None and guest.phase in (Phase.SHARING, Phase.UNSHARING):
                if c // 8 % 4:
                    self._take_away(slot)
                self._answer(hart, 0 if c // 32 % 4 else MASK - 4)
            elif guest is not None and guest.phase is Phase.READ and c // 4 % 4:
                self.author.covh("add_tvm_zero_pages", slot, self.author.free(b), 0, 1, OWN)
            elif guest is not None and guest.phase is Phase.TOUCH and c // 4 % 4:
                page = self.author.ground.lent + b % 8 * PAGE
                self.author.covh("add_tvm_shared_pages", slot, page, 0, 1, LENT)
            self.author.covh("run_tvm_vcpu", slot, 0, cpu=hart)
            self.author.emit(Call("host", "read", (self.author.ground.nacl(hart) + 0x50,)))

    def _answer(self, hart: int, value: int) -> None:
        self.author.emit(Call("host", "write", (self.author.ground.nacl(hart) + 0x50, value)))

    def _take_away(self, slot: Slot) -> None:
        for gpa in (LENT, LENT + PAGE):
            tvm = self.author.tvm(slot.number)
            leaf = tvm.gstage.leaf_at(gpa) if tvm is not None else None
            if leaf is not None:
                if leaf.blocked is None:
                    self.author.covh("tvm_invalidate_pages", slot, gpa, leaf.size)
                self.author.covh("tvm_fence", slot)
                self.author.covh("tvm_remove_pages", slot, gpa, leaf.size)

    def run_wrong(self, a: int, b: int, c: int) -> None:
        vcpu = b % 3
        if vcpu:
            self._call("run_tvm_vcpu", self._slot(a), vcpu, c=c)

    def fence(self, a: int, b: int, c: int) -> None:
        self._call("tvm_fence", self._slot(a), c=c)

    def _range(self, name: str, a: int, b: int, c: int) -> None:
        gpa, length = _GPAS[b % len(_GPAS)], _LENGTHS[b // 8 % len(_LENGTHS)]
        self._call(name, self._slot(a), gpa, length, c=c)

    def invalidate(self, a: int, b: int, c: int) -> None:
        self._range("tvm_invalidate_pages", a, b, c)

    def validate(self, a: int, b: int, c: int) -> None:
        self._range("tvm_validate_pages", a, b, c)

    def remove(self, a: int, b: int, c: int) -> None:
        self._range("tvm_remove_pages", a, b, c)

    def _resize(self, name: str, kind: int, a: int, b: int, c: int) -> None:
        slot, gpa = self._slot(a), (OWN, OWN + BLOCK, ENTRY, OWN + PAGE)[b % 4]
        if b // 4 % 4:
            self.author.covh("tvm_invalidate_pages", slot, gpa, BLOCK)
            self.author.covh("tvm_fence", slot)
        self._call(name, slot, gpa, kind if b // 16 % 8 else b // 128 % 5, c=c)

    def promote(self, a: int, b: int, c: int) -> None:
        self._resize("promote_page", 1, a, b, c)

    def demote(self, a: int, b: int, c: int) -> None:
        self._resize("demote_page", 0, a, b, c)

    def destroy(self, a: int, b: int, c: int) -> None:
        self._call("destroy_tvm", self._slot(a), c=c)

    def look(self, a: int, b: int, c: int) -> None:
        """Read, or fill, memory that may be the host's or not."""
        ground = self.author.ground
        page = (ground.blocks[0] + a % 1536 * PAGE, ground.lent + a % 8 * PAGE, ground.full)[b % 3]
        if c % 4 == 0 and page != ground.full:
            self.author.emit(Call("host", "fill", (page, PAGE, 0x0101010101010101 * (c % 250))))
        elif c % 4 == 1:
            self.author.emit(Call("host", "nonzero", (page, PAGE)))
        else:
            self.author.emit(Call("host", "read", (page,)))

    def info(self, a: int, b: int, c: int) -> None:
        ground = self.author.ground
        self._call("get_tsm_info", (ground.lent, ground.blocks[0])[a % 2], 48, c=c)

    def unknown(self, a: int, b: int, c: int) -> None:
        slot = self._slot(a)
        calls = (
            Call("covh", "promote_to_tvm", (ENTRY, 0, ENTRY, 0)),
            Call("covh", f"{20 + b % 200}", (slot, ENTRY)),
            Call("covi", f"{b % 12}", (slot, ENTRY)),
        )
        self.author.emit(calls[c % 3])

    def nacl(self, a: int, b: int, c: int) -> None:
        hart, ground = a % self.harts, self.author.ground
        wrong = ((ground.blocks[0] + b % 1536 * PAGE, 0, 0), (ground.nacl(hart) + 8, 0, 0))
        choices = (*wrong, (ground.nacl(hart), 0, 1), (ground.nacl(hart), 0, 0))
        args = choices[c % 4]
        if self.author.model.pages.state(args[0] & ~(PAGE - 1)) is not PageState.HOST or c % 4:
            self.author.emit(Call("nacl", "set_shmem", args, cpu=hart))


_KINDS: tuple[Callable[[Steps, int, int, int], None], ...] = (
    *(Steps.ready, Steps.build, Steps.build, Steps.run, Steps.run, Steps.run, Steps.zero),
    *(Steps.convert, Steps.reclaim, Steps.global_fence, Steps.local_fence, Steps.settle),
    *(Steps.create, Steps.region, Steps.tables, Steps.measured, Steps.zero, Steps.shared),
    *(Steps.vcpu, Steps.finalize, Steps.run_wrong, Steps.fence, Steps.invalidate),
    *(Steps.validate, Steps.remove, Steps.promote, Steps.demote, Steps.destroy, Steps.look),
    *(Steps.info, Steps.unknown, Steps.nacl),
)
KINDS = len(_KINDS)
KIND_NAMES = tuple(kind.__name__ for kind in _KINDS)


def write(machine: Machine, can: Capabilities, steps: Iterable[Step]) -> list[Call]:
    """Return the script of some steps; it leaves the machine as it was.

    Args:
        machine: what it is to run on.
        can: what the TSM is expected to support.
        steps: each four numbers from 0 to LIMIT.
    """
    author = Author(machine, can)
    taker = Steps(author)
    for step in steps:
        taker.take(step)
    return author.finish()


def by_chance(random: Random, count: int) -> list[Step]:
    """Return steps by chance, the first of which gives the others pages to work with."""
    numbers = [[random.randrange(LIMIT) for _ in range(4)] for _ in range(count)]
    return [(0, 0, 0, 0), *((a, b, c, d) for a, b, c, d in numbers)]
