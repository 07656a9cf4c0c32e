# SPDX-License-Identifier: Apache-2.0
"""The host's calls in both states of a TVM: scripts of raw calls with the answers they must get."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import abi
from harness.host.host import Host
from harness.host.results import error_name
from harness.scenarios.containment_hostile import all_calls, allow_hostile_calls, succeed, words
from harness.scenarios.payload import PAGE
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

_BLOCK = 2 << 20
_GPA = 0x80000000
_REGION = 4 * _BLOCK
_TABLES = 4
_OK, _PARAM, _ADDRESS = abi.Error.SUCCESS, abi.Error.INVALID_PARAM, abi.Error.INVALID_ADDRESS
_Script = Sequence[tuple[str, abi.Error]]


@dataclass(frozen=True, slots=True)
class _Ground:
    """A TVM in building and the pages around it.

    `pages` are unassigned pages of the TVM's block, `block` is an unassigned block of 2 MiB,
    `vcpu` pages for a vCPU, `plain` a page of the host's.
    """

    tvm: int
    vcpu: int
    pages: int
    block: int
    plain: int


@contextlib.contextmanager
def _ground(smoke: Smoke) -> Iterator[_Ground]:
    host, memory = smoke.need_host(), smoke.config.memory
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    allow_hostile_calls(host)
    base = (memory.pool_base + memory.pool_size // 2) & ~(_BLOCK - 1)
    plain = memory.pool_base + memory.pool_size - PAGE
    info = _info(host, plain)
    both = 2 * _BLOCK // PAGE
    succeed(host, [words("covh convert_pages", base, both), "covh global_fence"])
    succeed(host, [f"covh local_fence --cpu {cpu}" for cpu in range(smoke.config.machine.harts)])
    state = base + 4 * PAGE
    tables = state + info[0] * PAGE
    vcpu = tables + _TABLES * PAGE
    host.poke(plain, base.to_bytes(8, "little") + state.to_bytes(8, "little"))
    tvm = succeed(host, [words("covh create_tvm", plain, 16)])[0].value
    succeed(
        host,
        [
            words("covh add_tvm_memory_region", tvm, _GPA, _REGION),
            words("covh add_tvm_page_table_pages", tvm, tables, _TABLES),
        ],
    )
    end = [words("covh destroy_tvm", tvm), words("covh reclaim_pages", base, both)]
    try:
        yield _Ground(tvm, vcpu, vcpu + info[1] * PAGE, base + _BLOCK, plain)
    except CheckFailed:
        # What is left behind would fail the checks that follow.
        all_calls(host, end)
        raise
    succeed(host, end)


def _info(host: Host, page: int) -> tuple[int, int]:
    """Return the state pages of a TVM and of a vCPU, which get_tsm_info has at 24 and 40."""
    if not host.call("covh", "get_tsm_info", page, 48).ok:
        raise CheckFailed("get_tsm_info fails")
    data = host.peek(page, 48).data
    return int.from_bytes(data[24:32], "little"), int.from_bytes(data[40:48], "little")


def _play(smoke: Smoke, script: _Script) -> int:
    results = all_calls(smoke.need_host(), [call for call, _ in script])
    for number, (result, (call, wanted)) in enumerate(zip(results, script, strict=True), 1):
        if result.error != wanted:
            raise CheckFailed(
                f"`{call}` answers {error_name(result.error)}, not {wanted.name}",
                "see tsm.log, events.json",
                details=[f"{one} -> {error.name}" for one, error in script[:number][-4:]],
            )
    return len(script)


def building(smoke: Smoke) -> str:
    """Make the host's calls on a TVM that is being built: regions, pages, vCPUs, and too early."""
    with _ground(smoke) as at:
        count = _play(smoke, [*_regions(at), *_measured(at), *_vcpus(at), *_too_early(at)])
    return f"{count} calls answered as they have to be"


def _regions(at: _Ground) -> _Script:
    def add(gpa: int, size: int, tvm: int = at.tvm) -> str:
        return words("covh add_tvm_memory_region", tvm, gpa, size)

    end = _GPA + _REGION
    return [
        (add(_GPA, PAGE), _ADDRESS),
        (add(end - PAGE, PAGE), _ADDRESS),
        (add(_GPA - PAGE, 2 * PAGE), _ADDRESS),
        (add(end - PAGE, 2 * PAGE), _ADDRESS),
        (add(0, 1 << 49), _ADDRESS),
        (add(end, PAGE), _OK),
        (add(_GPA - PAGE, PAGE), _OK),
        (add(end, PAGE), _ADDRESS),
        (add(0x1000, 0), _PARAM),
        (add(0x1000, 2048), _PARAM),
        (add(0x1800, PAGE), _ADDRESS),
        (add(1 << 50, PAGE), _ADDRESS),
        (add((1 << 50) - PAGE, 2 * PAGE), _ADDRESS),
        (add(0x1000, PAGE, at.tvm + (1 << 32)), _PARAM),
    ]


def _measured(at: _Ground) -> _Script:
    def add(page: int, kind: int, count: int, gpa: int) -> str:
        source = at.plain
        return words("covh add_tvm_measured_pages", at.tvm, source, page, kind, count, gpa)

    return [
        (add(at.pages, 0, 1, _GPA + _REGION + 2 * PAGE), _ADDRESS),
        (add(at.pages, 0, 0, _GPA), _PARAM),
        (add(at.pages, 3, 1, _GPA), _PARAM),
        (add(at.pages, 4, 1, _GPA), _PARAM),
        (add(at.pages, 1, 1, _GPA), _ADDRESS),
        (add(at.block, 1, 1, _GPA + PAGE), _ADDRESS),
        (add(at.pages, 0, 1, _GPA), _OK),
        (add(at.pages, 0, 1, _GPA + PAGE), _ADDRESS),
        (add(at.pages + PAGE, 0, 1, _GPA), _ADDRESS),
    ]


def _vcpus(at: _Ground) -> _Script:
    def create(vcpu: int, page: int) -> str:
        return words("covh create_tvm_vcpu", at.tvm, vcpu, page)

    return [
        (create(99, at.vcpu), _PARAM),
        (create(0, at.vcpu + 8), _ADDRESS),
        (create(0, at.plain), _ADDRESS),
        (words("covh finalize_tvm", at.tvm, _GPA, 0, 0), abi.Error.FAILED),
        (create(0, at.vcpu), _OK),
        (create(0, at.pages + 2 * PAGE), _PARAM),
    ]


def _too_early(at: _Ground) -> _Script:
    return [
        (words("covh run_tvm_vcpu", at.tvm, 0), _PARAM),
        (words("covh add_tvm_zero_pages", at.tvm, at.pages + PAGE, 0, 1, _GPA + PAGE), _PARAM),
        (words("covh add_tvm_shared_pages", at.tvm, at.plain, 0, 1, _GPA + PAGE), _PARAM),
        (words("covh tvm_fence", at.tvm), _PARAM),
        *((words(f"covh {name}", at.tvm, _GPA, PAGE), _PARAM) for name in _RANGE_CALLS),
        (words("covh promote_page", at.tvm, _GPA, 1), _PARAM),
        (words("covh demote_page", at.tvm, _GPA, 0), _PARAM),
        (words("covh promote_to_tvm", _GPA, 0, _GPA, 0), abi.Error.NOT_SUPPORTED),
    ]


_RANGE_CALLS = ("tvm_invalidate_pages", "tvm_validate_pages", "tvm_remove_pages")


def _finalize(at: _Ground) -> _Script:
    return [
        (words("covh create_tvm_vcpu", at.tvm, 0, at.vcpu), _OK),
        (words("covh finalize_tvm", at.tvm, _GPA, 0, at.plain + 8), _PARAM),
        (words("covh finalize_tvm", at.tvm, _GPA, 0, 0), _OK),
    ]


def running(smoke: Smoke) -> str:
    """Make the host's calls on a finished TVM: too late, zero pages, fences, ranges."""
    with _ground(smoke) as at:
        count = _play(smoke, [*_finalize(at), *_too_late(at), *_zero(at), *_ranges(at)])
    return f"{count} calls answered as they have to be"


def _too_late(at: _Ground) -> _Script:
    free = at.pages + PAGE
    return [
        (words("covh finalize_tvm", at.tvm, _GPA, 0, 0), _PARAM),
        (words("covh add_tvm_memory_region", at.tvm, 0x1000, PAGE), _PARAM),
        (words("covh add_tvm_measured_pages", at.tvm, at.plain, free, 0, 1, _GPA), _PARAM),
        (words("covh create_tvm_vcpu", at.tvm, 1, free), _PARAM),
        (words("covh run_tvm_vcpu", at.tvm, 1), _PARAM),
        (words("covh run_tvm_vcpu", at.tvm, 99), _PARAM),
    ]


def _zero(at: _Ground) -> _Script:
    def add(page: int, kind: int, count: int, gpa: int, tvm: int = at.tvm) -> str:
        return words("covh add_tvm_zero_pages", tvm, page, kind, count, gpa)

    return [
        (add(at.pages, 0, 2, _GPA), _OK),
        (add(at.pages + 2 * PAGE, 0, 1, _GPA), _ADDRESS),
        (add(at.pages, 0, 1, _GPA + 2 * PAGE), _ADDRESS),
        (add(at.plain, 0, 1, _GPA + 2 * PAGE), _ADDRESS),
        (add(at.pages + 2 * PAGE, 0, 1, _GPA + _REGION), _ADDRESS),
        (add(at.pages + 2 * PAGE, 0, 2, _GPA + _REGION - PAGE), _ADDRESS),
        (add(at.pages + 2 * PAGE, 0, 0, _GPA + 2 * PAGE), _PARAM),
        (add(at.pages + 2 * PAGE, 3, 1, _GPA + 2 * PAGE), _PARAM),
        (add(at.pages + 2 * PAGE, 0, 1, _GPA + 2 * PAGE, at.tvm + 256), _PARAM),
        # No region of this TVM is shared.
        (words("covh add_tvm_shared_pages", at.tvm, at.plain, 0, 1, _GPA + 3 * PAGE), _ADDRESS),
    ]


def _ranges(at: _Ground) -> _Script:
    def call(name: str, gpa: int, size: int) -> str:
        return words(f"covh tvm_{name}_pages", at.tvm, gpa, size)

    two = 2 * PAGE
    wrong: list[tuple[str, abi.Error]] = []
    for name in ("invalidate", "validate", "remove"):
        wrong += [
            (call(name, _GPA, 0), _PARAM),
            (call(name, _GPA, 2048), _PARAM),
            (call(name, _GPA + 2048, PAGE), _ADDRESS),
            (call(name, 1 << 50, PAGE), _ADDRESS),
        ]
    return [
        *wrong,
        (call("validate", _GPA, two), _ADDRESS),
        (call("remove", _GPA, two), _ADDRESS),
        # One page more than there are: nothing of it is done.
        (call("invalidate", _GPA, 3 * PAGE), _ADDRESS),
        (call("invalidate", _GPA, two), _OK),
        (call("invalidate", _GPA, PAGE), _ADDRESS),
        (call("validate", _GPA, two), _OK),
        (call("invalidate", _GPA, two), _OK),
        (words("covh tvm_fence", at.tvm), _OK),
        (words("covh tvm_fence", at.tvm + 256), _PARAM),
        # The TVM has not given it up.
        (call("remove", _GPA, two), _ADDRESS),
        (call("validate", _GPA, two), _OK),
    ]


def sizes(smoke: Smoke) -> str:
    """Give a TVM a page of 2 MiB, split it and make it one again."""
    with _ground(smoke) as at:
        count = _play(smoke, [*_finalize(at), *_split(at), *_join(at)])
    return f"{count} calls answered as they have to be"


def _split(at: _Ground) -> _Script:
    gpa = _GPA + _BLOCK
    invalidate = words("covh tvm_invalidate_pages", at.tvm, gpa, _BLOCK)
    demote = words("covh demote_page", at.tvm, gpa, 0)
    return [
        (words("covh add_tvm_zero_pages", at.tvm, at.block, 1, 1, gpa + PAGE), _ADDRESS),
        (words("covh add_tvm_zero_pages", at.tvm, at.block, 1, 1, gpa), _OK),
        (words("covh add_tvm_zero_pages", at.tvm, at.pages, 0, 1, gpa + PAGE), _ADDRESS),
        # A range that cuts a page in two.
        (words("covh tvm_invalidate_pages", at.tvm, gpa, PAGE), _ADDRESS),
        (demote, _ADDRESS),
        (invalidate, _OK),
        (demote, _ADDRESS),
        (words("covh tvm_fence", at.tvm), _OK),
        (words("covh demote_page", at.tvm, gpa + PAGE, 0), _ADDRESS),
        (words("covh demote_page", at.tvm, gpa, 2), _PARAM),
        (words("covh demote_page", at.tvm, gpa, 1), _ADDRESS),
        (demote, _OK),
        (words("covh tvm_invalidate_pages", at.tvm, gpa + PAGE, PAGE), _OK),
        (words("covh tvm_validate_pages", at.tvm, gpa + PAGE, PAGE), _OK),
    ]


def _join(at: _Ground) -> _Script:
    gpa = _GPA + _BLOCK
    promote = words("covh promote_page", at.tvm, gpa, 1)
    return [
        (promote, _ADDRESS),
        (words("covh tvm_invalidate_pages", at.tvm, gpa, _BLOCK), _OK),
        (promote, _ADDRESS),
        (words("covh tvm_fence", at.tvm), _OK),
        (words("covh promote_page", at.tvm, gpa, 0), _PARAM),
        (words("covh promote_page", at.tvm, gpa, 3), _PARAM),
        (words("covh promote_page", at.tvm, gpa + PAGE, 1), _ADDRESS),
        (promote, _OK),
        (words("covh tvm_invalidate_pages", at.tvm, gpa, PAGE), _ADDRESS),
        (words("covh tvm_invalidate_pages", at.tvm, gpa, _BLOCK), _OK),
    ]
