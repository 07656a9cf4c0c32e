# SPDX-License-Identifier: Apache-2.0
"""Cases by hand: each function with each error that the tables give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness import abi
from harness.conformance.author import Author
from harness.conformance.calls import BLOCK, MASK, PAGE, Argument, Call, Slot
from harness.conformance.capability import Capabilities
from harness.conformance.model.guest import ENTRY, LENT, OWN
from harness.conformance.model.machine import Machine, Model

_E = abi.Error
_T = Slot(0)
_NOBODY = 1 << 40


@dataclass(frozen=True, slots=True)
class Case:
    """A script in which `function` answers `error` at call `index`, and gives everything back."""

    function: str
    error: abi.Error
    calls: tuple[Call, ...]
    index: int

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.function} answers {self.error.name}"

    def missed(self, machine: Machine, can: Capabilities) -> str:
        """Return what the model says instead of the error; empty when it says so."""
        model = Model(machine, can)
        for index, call in enumerate(self.calls[: self.index + 1]):
            expected = model.predict(call)
            if index == self.index and expected.errors != {self.error}:
                return ", ".join(sorted(error.name for error in expected.errors))
            ok = expected.errors == {_E.SUCCESS}
            value = expected.value or 0
            if ok and call.function == "create_tvm" and expected.learn is not None:
                value = 1 + max(model.tvms, default=0)
                expected.learn(value)
            model.save(call, 0 if ok else -1, value)
        return ""


Make = Callable[[Author], None]
_MAKERS: list[tuple[str, abi.Error, Make]] = []


def _ready(author: Author) -> None:
    author.covh("convert_pages", author.ground.blocks[0], 128)
    author.settle()


def _building(author: Author) -> None:
    _ready(author)
    author.build(0, 0)


def _running(author: Author) -> None:
    _building(author)
    author.covh("finalize_tvm", _T, ENTRY, 0, 0)


def _mapped(author: Author) -> None:
    _running(author)
    author.covh("add_tvm_zero_pages", _T, author.free(0), 0, 1, OWN)


def _blocked(author: Author) -> None:
    _mapped(author)
    author.covh("tvm_invalidate_pages", _T, OWN, PAGE)


def _block_mapped(author: Author) -> None:
    author.covh("convert_pages", author.ground.blocks[1], 512)
    _running(author)
    author.covh("add_tvm_zero_pages", _T, author.free(0, 512, BLOCK), 1, 1, OWN)


def _block_fenced(author: Author) -> None:
    _block_mapped(author)
    author.covh("tvm_invalidate_pages", _T, OWN, BLOCK)
    author.covh("tvm_fence", _T)


def _answer(author: Author, value: int) -> None:
    author.emit(Call("host", "write", (author.ground.nacl(0) + 0x50, value)))


def _run(author: Author) -> None:
    author.covh("run_tvm_vcpu", _T, 0, cpu=0)


def _sharing(author: Author) -> None:
    """Bring the guest to where it waits for share, with a page in the range."""
    _mapped(author)
    author.covh("add_tvm_zero_pages", _T, author.free(0), 0, 1, LENT)
    for _ in range(3):
        _run(author)


def _give_up(author: Author) -> None:
    _sharing(author)
    author.covh("tvm_invalidate_pages", _T, LENT, PAGE)
    author.covh("tvm_fence", _T)


def _shared(author: Author) -> None:
    _give_up(author)
    author.covh("tvm_remove_pages", _T, LENT, PAGE)
    _answer(author, 0)
    _run(author)


Value = Argument | Callable[[Author], int]


def _after(before: Make, function: str, error: abi.Error, *args: Value) -> None:
    """Add a case: a state, then one call. An argument may be a function of the author."""

    def make(author: Author) -> None:
        before(author)
        values: list[Argument] = [arg(author) if callable(arg) else arg for arg in args]
        author.covh(function, *values, cpu=0)

    _MAKERS.append((function, error, make))


def _nothing(author: Author) -> None:
    return


def _block(author: Author) -> int:
    return author.ground.blocks[0]


def _plain(author: Author) -> int:
    return author.ground.lent


def _free(author: Author) -> int:
    return author.free(0)


def _odd(author: Author) -> int:
    return author.free(0) + 8


def _of_host_pages() -> None:
    _after(_nothing, "get_tsm_info", _E.SUCCESS, _plain, 48)
    _after(_nothing, "get_tsm_info", _E.INVALID_PARAM, _plain, 47)
    _after(_ready, "get_tsm_info", _E.INVALID_ADDRESS, _block, 48)
    _after(_nothing, "convert_pages", _E.SUCCESS, _block, 512)
    _after(_nothing, "convert_pages", _E.INVALID_PARAM, _block, 0)
    _after(_ready, "convert_pages", _E.INVALID_ADDRESS, _block, 1)
    _after(_nothing, "convert_pages", _E.INVALID_ADDRESS, lambda a: a.ground.nacl(0), 1)
    _after(_shared_page, "convert_pages", _E.INVALID_ADDRESS, _plain, 1)
    _after(_ready, "reclaim_pages", _E.SUCCESS, _block, 128)
    _after(_ready, "reclaim_pages", _E.INVALID_PARAM, _block, 0)
    _after(_nothing, "reclaim_pages", _E.INVALID_ADDRESS, lambda a: _block(a) + 8, 1)
    _after(_converting, "reclaim_pages", _E.INVALID_ADDRESS, _block, 1)
    _after(_building, "reclaim_pages", _E.INVALID_ADDRESS, _block, 1)
    _after(_nothing, "global_fence", _E.SUCCESS)
    _after(_fencing, "global_fence", _E.ALREADY_STARTED)
    _after(_half_fenced, "global_fence", _E.ALREADY_STARTED)
    _after(_nothing, "local_fence", _E.SUCCESS)


def _shared_page(author: Author) -> None:
    _shared(author)
    author.covh("add_tvm_shared_pages", _T, author.ground.lent, 0, 1, LENT)


def _converting(author: Author) -> None:
    author.covh("convert_pages", _block(author), 1)


def _fencing(author: Author) -> None:
    author.covh("global_fence", cpu=0)


def _half_fenced(author: Author) -> None:
    _fencing(author)
    for hart in range(author.machine.harts - 1):
        author.covh("local_fence", cpu=hart)


def _full(author: Author) -> None:
    """Use all the isolation entries that there are, one page each."""
    for index in range(author.model.can.isolation_entries or 0):
        author.covh("convert_pages", author.ground.single + 2 * index * PAGE, 1)


def _capacity() -> None:
    _after(_full, "convert_pages", _E.OUT_OF_RANGES, _block, 1)
    _after(_full_of_blocks, "reclaim_pages", _E.OUT_OF_RANGES, lambda a: _block(a) + PAGE, 1)


def _full_of_blocks(author: Author) -> None:
    author.covh("convert_pages", _block(author), 512)
    for index in range((author.model.can.isolation_entries or 0) - 1):
        author.covh("convert_pages", author.ground.single + 2 * index * PAGE, 1)
    author.settle()


def _of_life() -> None:
    def create(error: abi.Error, before: Make, directory: int, state: int, size: int = 16) -> None:
        """Directory and state as bytes from the start of the blocks; negative: a host page."""

        def make(author: Author) -> None:
            before(author)
            for at, offset in enumerate((directory, state)):
                value = _plain(author) if offset < 0 else _block(author) + offset
                author.emit(Call("host", "write", (author.ground.params + 8 * at, value)))
            author.covh("create_tvm", author.ground.params, size, save=0)

        _MAKERS.append(("create_tvm", error, make))

    create(_E.SUCCESS, _ready, 0, 4 * PAGE)
    create(_E.INVALID_PARAM, _ready, 0, 4 * PAGE, 15)
    create(_E.INVALID_ADDRESS, _ready, PAGE, 8 * PAGE)
    create(_E.INVALID_ADDRESS, _ready, 0, 3 * PAGE)
    create(_E.INVALID_ADDRESS, _ready, 0, -1)
    create(_E.INVALID_ADDRESS, _ready, -1, 0)
    create(_E.INVALID_ADDRESS, _converting_all, 0, 4 * PAGE)
    _after(_building, "finalize_tvm", _E.SUCCESS, _T, ENTRY, 0, 0)
    _after(_running, "finalize_tvm", _E.INVALID_PARAM, _T, ENTRY, 0, 0)
    _after(_building, "finalize_tvm", _E.INVALID_PARAM, _NOBODY, ENTRY, 0, 0)
    _after(_no_vcpu, "finalize_tvm", _E.FAILED, _T, ENTRY, 0, 0)
    _after(_running, "destroy_tvm", _E.SUCCESS, _T)
    _after(_running, "destroy_tvm", _E.INVALID_PARAM, _NOBODY)
    _after(_destroyed, "destroy_tvm", _E.INVALID_PARAM, _T)
    _after(_nothing, "promote_to_tvm", _E.NOT_SUPPORTED, ENTRY, 0, ENTRY, 0)


def _converting_all(author: Author) -> None:
    author.covh("convert_pages", _block(author), 512)


def _no_vcpu(author: Author) -> None:
    _ready(author)
    author.build(0, 0, vcpu=False)


def _destroyed(author: Author) -> None:
    _running(author)
    author.covh("destroy_tvm", _T)


def _of_building() -> None:
    end = ENTRY + 3 * BLOCK
    name = "add_tvm_memory_region"
    _after(_building, name, _E.SUCCESS, _T, end, PAGE)
    _after(_building, name, _E.INVALID_PARAM, _T, end, 0)
    _after(_building, name, _E.INVALID_PARAM, _NOBODY, end, PAGE)
    _after(_running, name, _E.INVALID_PARAM, _T, end, PAGE)
    _after(_building, name, _E.INVALID_ADDRESS, _T, end - PAGE, PAGE)
    _after(_building, name, _E.INVALID_ADDRESS, _T, ENTRY - PAGE, 2 * PAGE)
    _after(_building, name, _E.INVALID_ADDRESS, _T, end + 8, PAGE)
    name = "add_tvm_page_table_pages"
    _after(_running, name, _E.SUCCESS, _T, _free, 1)
    _after(_building, name, _E.INVALID_PARAM, _T, _free, 0)
    _after(_building, name, _E.INVALID_PARAM, _NOBODY, _free, 1)
    _after(_building, name, _E.INVALID_ADDRESS, _T, _plain, 1)
    _after(_building, name, _E.INVALID_ADDRESS, _T, _block, 1)
    _after(_building, name, _E.INVALID_ADDRESS, _T, _odd, 1)
    name = "add_tvm_measured_pages"
    source = _plain
    _after(_building, name, _E.SUCCESS, _T, source, _free, 0, 1, OWN)
    _after(_building, name, _E.INVALID_PARAM, _T, source, _free, 4, 1, OWN)
    _after(_building, name, _E.INVALID_PARAM, _T, source, _free, 0, 0, OWN)
    _after(_building, name, _E.INVALID_PARAM, _NOBODY, source, _free, 0, 1, OWN)
    _after(_running, name, _E.INVALID_PARAM, _T, source, _free, 0, 1, OWN)
    _after(_building, name, _E.INVALID_ADDRESS, _T, _free, _free, 0, 1, OWN)
    _after(_building, name, _E.INVALID_ADDRESS, _T, source, _plain, 0, 1, OWN)
    _after(_building, name, _E.INVALID_ADDRESS, _T, source, _free, 0, 1, ENTRY)
    _after(_building, name, _E.INVALID_ADDRESS, _T, source, _free, 0, 1, end)
    _after(_no_tables, name, _E.OUT_OF_PTPAGES, _T, source, _free, 0, 1, OWN)
    name = "create_tvm_vcpu"
    _after(_no_vcpu, name, _E.SUCCESS, _T, 0, lambda a: a.free(0, a.machine.vcpu_pages))
    _after(_building, name, _E.INVALID_PARAM, _T, 0, lambda a: a.free(0, a.machine.vcpu_pages))
    _after(_building, name, _E.INVALID_PARAM, _T, 99, lambda a: a.free(0, a.machine.vcpu_pages))
    _after(_running, name, _E.INVALID_PARAM, _T, 1, lambda a: a.free(0, a.machine.vcpu_pages))
    _after(_no_vcpu, name, _E.INVALID_ADDRESS, _T, 0, _plain)
    _after(_no_vcpu, name, _E.INVALID_ADDRESS, _T, 0, _odd)


def _no_tables(author: Author) -> None:
    """A TVM with a region and not one page for tables."""
    _ready(author)
    author.create(0, _block(author), _block(author) + 4 * PAGE)
    author.covh("add_tvm_memory_region", _T, ENTRY, 3 * BLOCK)


def _no_tables_left(author: Author) -> None:
    _no_tables(author)
    author.covh("create_tvm_vcpu", _T, 0, author.free(0, author.machine.vcpu_pages))
    author.covh("finalize_tvm", _T, ENTRY, 0, 0)


def _of_running() -> None:
    name, end = "add_tvm_zero_pages", ENTRY + 3 * BLOCK
    _after(_running, name, _E.SUCCESS, _T, _free, 0, 1, OWN)
    _after(_running, name, _E.INVALID_PARAM, _T, _free, 0, 0, OWN)
    _after(_running, name, _E.INVALID_PARAM, _T, _free, 4, 1, OWN)
    _after(_building, name, _E.INVALID_PARAM, _T, _free, 0, 1, OWN)
    _after(_running, name, _E.INVALID_PARAM, _NOBODY, _free, 0, 1, OWN)
    _after(_mapped, name, _E.INVALID_ADDRESS, _T, _free, 0, 1, OWN)
    _after(_running, name, _E.INVALID_ADDRESS, _T, _plain, 0, 1, OWN)
    _after(_running, name, _E.INVALID_ADDRESS, _T, _free, 0, 2, end - PAGE)
    _after(_no_tables_left, name, _E.OUT_OF_PTPAGES, _T, _free, 0, 1, OWN)
    name = "add_tvm_shared_pages"
    _after(_shared, name, _E.SUCCESS, _T, _plain, 0, 1, LENT)
    _after(_shared, name, _E.INVALID_PARAM, _T, _plain, 0, 0, LENT)
    _after(_shared, name, _E.INVALID_PARAM, _NOBODY, _plain, 0, 1, LENT)
    _after(_shared, name, _E.INVALID_ADDRESS, _T, _plain, 0, 1, OWN + PAGE)
    _after(_shared, name, _E.INVALID_ADDRESS, _T, _free, 0, 1, LENT)
    name = "run_tvm_vcpu"
    _after(_running, name, _E.SUCCESS, _T, 0)
    _after(_building, name, _E.INVALID_PARAM, _T, 0)
    _after(_running, name, _E.INVALID_PARAM, _T, 1)
    _after(_running, name, _E.INVALID_PARAM, _NOBODY, 0)
    _after(_no_nacl, name, _E.NO_SHMEM, _T, 0)
    _after(_answered_early, name, _E.INVALID_ADDRESS, _T, 0)
    _after(_running, "tvm_fence", _E.SUCCESS, _T)
    _after(_building, "tvm_fence", _E.INVALID_PARAM, _T)
    _after(_running, "tvm_fence", _E.INVALID_PARAM, _NOBODY)


def _no_nacl(author: Author) -> None:
    _running(author)
    author.emit(Call("nacl", "set_shmem", (MASK, MASK, 0), cpu=0))


def _answered_early(author: Author) -> None:
    _sharing(author)
    _answer(author, 0)


def _of_ranges() -> None:
    states = {"invalidate": _mapped, "validate": _blocked, "remove": _give_up}
    for what, before in states.items():
        name = f"tvm_{what}_pages"
        gpa = LENT if what == "remove" else OWN
        _after(before, name, _E.SUCCESS, _T, gpa, PAGE)
        _after(before, name, _E.INVALID_PARAM, _T, gpa, 0)
        _after(before, name, _E.INVALID_PARAM, _T, gpa, 2048)
        _after(before, name, _E.INVALID_PARAM, _NOBODY, gpa, PAGE)
        _after(_building, name, _E.INVALID_PARAM, _T, ENTRY, PAGE)
        _after(before, name, _E.INVALID_ADDRESS, _T, gpa + 8, PAGE)
        _after(before, name, _E.INVALID_ADDRESS, _T, gpa, 3 * PAGE)
        _after(before, name, _E.INVALID_ADDRESS, _T, ENTRY + 3 * BLOCK, PAGE)
    _after(_blocked, "tvm_invalidate_pages", _E.INVALID_ADDRESS, _T, OWN, PAGE)
    _after(_mapped, "tvm_validate_pages", _E.INVALID_ADDRESS, _T, OWN, PAGE)
    _after(_unfenced, "tvm_remove_pages", _E.INVALID_ADDRESS, _T, LENT, PAGE)
    _after(_fenced, "tvm_remove_pages", _E.INVALID_ADDRESS, _T, OWN, PAGE)
    for name, kind, before in (
        ("demote_page", 0, _block_fenced),
        ("promote_page", 1, _demoted_fenced),
    ):
        _after(before, name, _E.SUCCESS, _T, OWN, kind)
        _after(before, name, _E.INVALID_PARAM, _T, OWN, 3)
        _after(before, name, _E.INVALID_PARAM, _NOBODY, OWN, kind)
        _after(_building, name, _E.INVALID_PARAM, _T, OWN, kind)
        _after(before, name, _E.INVALID_ADDRESS, _T, OWN + PAGE, kind)
        _after(_block_mapped, name, _E.INVALID_ADDRESS, _T, OWN, kind)
    _after(_block_no_table, "demote_page", _E.OUT_OF_PTPAGES, _T, OWN, 0)


def _unfenced(author: Author) -> None:
    _sharing(author)
    author.covh("tvm_invalidate_pages", _T, LENT, PAGE)


def _fenced(author: Author) -> None:
    _blocked(author)
    author.covh("tvm_fence", _T)


def _demoted_fenced(author: Author) -> None:
    _block_fenced(author)
    author.covh("demote_page", _T, OWN, 0)
    author.covh("tvm_invalidate_pages", _T, OWN, BLOCK)
    author.covh("tvm_fence", _T)


def _block_no_table(author: Author) -> None:
    """A mapped block, and just the tables that it needs."""
    author.covh("convert_pages", author.ground.blocks[1], 512)
    _no_tables(author)
    author.covh("add_tvm_page_table_pages", _T, author.free(0, 2), 2)
    author.covh("create_tvm_vcpu", _T, 0, author.free(0, author.machine.vcpu_pages))
    author.covh("finalize_tvm", _T, ENTRY, 0, 0)
    author.covh("add_tvm_zero_pages", _T, author.free(0, 512, BLOCK), 1, 1, OWN)
    author.covh("tvm_invalidate_pages", _T, OWN, BLOCK)
    author.covh("tvm_fence", _T)


def cases(machine: Machine, can: Capabilities) -> list[Case]:
    """Return the cases for a TSM of these capabilities."""
    if not _MAKERS:
        for add in (_of_host_pages, _of_life, _of_building, _of_running, _of_ranges, _capacity):
            add()
    found = []
    for function, error, make in _MAKERS:
        if error is _E.OUT_OF_RANGES and can.isolation_entries is None:
            continue
        if error is not _E.NOT_SUPPORTED and function in can.unsupported:
            continue
        author = Author(machine, can)
        make(author)
        index = len(author.calls) - 1
        found.append(Case(function, error, tuple(author.finish()), index))
    return found
