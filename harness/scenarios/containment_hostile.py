# SPDX-License-Identifier: Apache-2.0
"""What a hostile host and a hostile guest ask for, and what they must get: an error, no effect."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness import abi
from harness.errors import MachineError
from harness.host.host import Host
from harness.host.results import CallResult, parse_answer
from harness.machine.ram import RAM_BASE
from harness.scenarios.payload import PAGE
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

_BLOCK = 2 << 20
_LONGEST_COMMAND = 3500
_UART, _PLIC, _TEST = 0x10000000, 0x0C000000, 0x00100000
_FDT_MAGIC = bytes.fromhex("d00dfeed")
_TOP = (1 << 64) - PAGE
_REFUSED = frozenset({abi.Error.INVALID_ADDRESS, abi.Error.INVALID_PARAM})
UNKNOWN = frozenset({abi.Error.NOT_SUPPORTED})
_GPA = 0x80000000
# Directory, state page, tables: how much of the converted block the TVM of this scenario has.
_DIRECTORY_PAGES = 4
_TABLES = 4


@dataclass(frozen=True, slots=True)
class Ground:
    """The memory that the attacks of one machine are about.

    `block` is a confidential block of 2 MiB, `tvm` a TVM that is being built from its first
    pages, `unassigned` a page of the block that nobody has, `plain` a page that is the host's.
    """

    block: int
    tvm: int
    unassigned: int
    plain: int


def allow_hostile_calls(host: Host) -> None:
    """Let the driver pass on calls that it otherwise keeps from user space."""
    shell(host, "echo Y >/sys/module/covh/parameters/hostile")


def shell(host: Host, command: str) -> str:
    """Run a command that has to work on every host, and return its output."""
    result = host.shell.run(command)
    if not result.ok:
        raise MachineError(
            f"`{command}` fails on the host (status {result.status})",
            "the scenario needs covh.ko of this teecall: host.files, host.initrd",
            details=result.output.splitlines()[-3:],
        )
    return result.output


def all_calls(host: Host, calls: Sequence[str]) -> list[CallResult]:
    """Make raw calls, many of them by one process of the host.

    Args:
        calls: extension, function and arguments as the tool takes them.
    """
    found: list[CallResult] = []
    for part in _parts(calls):
        result = host.shell.run(f"printf '%s\\n' {shlex.join(part)} | tvm batch")
        answers = parse_answer(result.output, result.status)
        if len(answers.objects) != len(part):
            raise MachineError(
                f"{len(answers.objects)} of {len(part)} raw calls were answered",
                details=answers.messages[-5:],
            )
        found += [
            CallResult.from_json(call, value)
            for call, value in zip(part, answers.objects, strict=True)
        ]
    return found


def _parts(calls: Sequence[str]) -> Iterable[list[str]]:
    part: list[str] = []
    for call in calls:
        if part and sum(len(one) + 3 for one in [*part, call]) > _LONGEST_COMMAND:
            yield part
            part = []
        part.append(call)
    if part:
        yield part


def words(*values: object) -> str:
    """Return a call as the tool takes it; numbers in hexadecimal."""
    return " ".join(f"{v & (1 << 64) - 1:#x}" if isinstance(v, int) else str(v) for v in values)


def expect_refused(results: Iterable[CallResult], allowed: frozenset[abi.Error]) -> int:
    """Check that every call was refused with one of the errors; return how many there were."""
    count = 0
    for result in results:
        if result.error not in allowed:
            names = " or ".join(sorted(error.name for error in allowed))
            raise CheckFailed(
                f"`{result.function}` answers {result.error_name} instead of {names}",
                "see tsm.log, events.json",
            )
        count += 1
    return count


def succeed(host: Host, calls: Sequence[str]) -> list[CallResult]:
    """Make raw calls that have to succeed."""
    results = all_calls(host, calls)
    for result in results:
        if not result.ok:
            raise CheckFailed(f"`{result.function}` answers {result.error_name}", "see tsm.log")
    return results


def set_up_ground(smoke: Smoke) -> Ground:
    """Convert a block and begin a TVM in it."""
    host, memory = smoke.need_host(), smoke.config.memory
    block = (memory.pool_base + memory.pool_size // 2) & ~(_BLOCK - 1)
    plain = memory.pool_base + memory.pool_size - PAGE
    succeed(host, [words("covh convert_pages", block, _BLOCK // PAGE), "covh global_fence"])
    succeed(host, [f"covh local_fence --cpu {cpu}" for cpu in range(smoke.config.machine.harts)])
    state = block + _DIRECTORY_PAGES * PAGE
    tables = state + PAGE
    _poke(host, plain, block, state)
    tvm = succeed(host, [words("covh create_tvm", plain, 16)])[0].value
    succeed(
        host,
        [
            words("covh add_tvm_memory_region", tvm, _GPA, _BLOCK),
            words("covh add_tvm_page_table_pages", tvm, tables, _TABLES),
        ],
    )
    return Ground(block, tvm, tables + _TABLES * PAGE, plain)


def _poke(host: Host, address: int, *values: int) -> None:
    data = b"".join((value & (1 << 64) - 1).to_bytes(8, "little") for value in values)
    if host.poke(address, data).fault:
        raise CheckFailed(f"the host cannot write its own page at {address:#x}")


def clear_ground(smoke: Smoke, ground: Ground) -> None:
    """Give everything back, and check that the TSM counts as before."""
    host = smoke.need_host()
    succeed(
        host,
        [
            words("covh destroy_tvm", ground.tvm),
            words("covh reclaim_pages", ground.block, _BLOCK // PAGE),
        ],
    )
    difference = _counts(smoke)
    if difference:
        raise CheckFailed(f"the TSM does not count as before the attacks: {difference}")


def _counts(smoke: Smoke) -> str:
    assert smoke.before is not None
    now = smoke.need_recorder().stats(smoke.need_host().machine.ram)
    return smoke.before.difference(now)


def never_the_hosts(smoke: Smoke) -> dict[str, int]:
    """Return addresses that are not the host's memory, whatever it has converted."""
    memory = smoke.config.memory
    return {
        "the TSM": memory.tsm_base,
        "the end of the TSM": memory.tsm_base + memory.tsm_size - PAGE,
        "the firmware": RAM_BASE,
        "the UART": _UART,
        "the interrupt controller": _PLIC,
        "the power switch": _TEST,
        "the end of RAM": RAM_BASE + (smoke.config.machine.memory_mib << 20),
        "the end of the address space": _TOP,
    }


def _device_tree(host: Host) -> int:
    """Return where QEMU has put the device tree; it is memory that Linux reads at its start."""
    ram = host.machine.ram
    for address in range(RAM_BASE + ram.size - _BLOCK, RAM_BASE, -_BLOCK):
        if ram.read(address, 4) == _FDT_MAGIC:
            return address
    raise CheckFailed("there is no device tree in memory")


def arguments(smoke: Smoke) -> str:
    """Make every COVH call with every wrong pointer: each is refused, nothing has changed."""
    host = smoke.need_host()
    ground = set_up_ground(smoke)
    recorder = smoke.need_recorder()
    before = recorder.stats(host.machine.ram)
    count = expect_refused(all_calls(host, _wrong_pointers(smoke, ground)), _REFUSED)
    count += _wrong_parameters(smoke, ground)
    count += expect_refused(all_calls(host, _unknown_functions(ground)), UNKNOWN)
    changed = before.difference(recorder.stats(host.machine.ram))
    if changed:
        raise CheckFailed(f"calls that were refused have changed what the TSM counts: {changed}")
    clear_ground(smoke, ground)
    return (
        f"{count} calls refused, what the TSM counts is unchanged, the TVM between them ends well"
    )


def _wrong_pointers(smoke: Smoke, ground: Ground) -> list[str]:
    never = list(never_the_hosts(smoke).values())
    tree = _device_tree(smoke.need_host())
    in_use = ground.block
    # Of data the TSM wants host memory, of pages confidential ones that nobody has.
    data = [*never, in_use, ground.unassigned]
    pages = [*never, in_use, ground.plain, tree, ground.unassigned + 8]
    tvm = ground.tvm
    return [
        *(words("covh get_tsm_info", at, 48) for at in data),
        *(words("covh create_tvm", at, 16) for at in data),
        *(words("covh finalize_tvm", tvm, _GPA, 0, at) for at in data),
        *(_measured(ground, at, ground.unassigned) for at in [*data, ground.plain + 8]),
        *(_measured(ground, ground.plain, at) for at in pages),
        *(words("covh add_tvm_page_table_pages", tvm, at, 1) for at in pages),
        *(words("covh create_tvm_vcpu", tvm, 0, at) for at in pages),
        *(words("covh convert_pages", at, 1) for at in [*never, tree, in_use, ground.plain + 8]),
        *(words("covh reclaim_pages", at, 1) for at in pages),
        # A count that wraps around, and one that runs out of the pool.
        *(
            words(f"covh {name}", ground.plain, count)
            for name in ("convert_pages", "reclaim_pages")
            for count in (2, 1 << 52, (1 << 64) - 1, 0)
        ),
        # Addresses where the id of a TVM is wanted.
        *(
            words(f"covh {name}", at, 0, ground.plain)
            for name in ("destroy_tvm", "run_tvm_vcpu", "create_tvm_vcpu", "finalize_tvm")
            for at in never
        ),
    ]


def _measured(ground: Ground, source: int, page: int) -> str:
    return words("covh add_tvm_measured_pages", ground.tvm, source, page, 0, 1, _GPA)


def _wrong_parameters(smoke: Smoke, ground: Ground) -> int:
    """Wrong pointers inside the structure of create_tvm."""
    host = smoke.need_host()
    good = ground.unassigned & ~(_DIRECTORY_PAGES * PAGE - 1)
    good += _DIRECTORY_PAGES * PAGE
    count = 0
    for wrong in (*never_the_hosts(smoke).values(), ground.block, ground.plain):
        for directory, state in ((wrong, ground.unassigned), (good, wrong), (good, good)):
            _poke(host, ground.plain, directory, state)
            calls = [words("covh create_tvm", ground.plain, 16)]
            count += expect_refused(all_calls(host, calls), _REFUSED)
    return count


def _unknown_functions(ground: Ground) -> list[str]:
    implemented = set(range(20)) - {7}
    wrong = [ground.tvm, *[ground.block] * 5]
    return [
        *(words("covh", fid, *wrong) for fid in range(64) if fid not in implemented),
        *(words("covi", fid, *wrong) for fid in range(16)),
        # Another domain, and bits of a6 that are reserved.
        words("covh", 0, ground.plain, 48, "--sdid", 2),
        words("covh", 1 << 16, ground.plain, 48),
        words("covh", 1 << 40, ground.plain, 48),
    ]


def private_eid(smoke: Smoke) -> str:
    """Make every call of the TSM's own interface to M-mode as the host."""
    host, memory = smoke.need_host(), smoke.config.memory
    calls = [
        words("tsmd", fid, *args, "--cpu", cpu)
        for cpu in range(smoke.config.machine.harts)
        for fid in range(8)
        for args in ((memory.pool_base, 1), (memory.tsm_base, abi.ABI_VERSION))
    ]
    count = expect_refused(all_calls(host, calls), UNKNOWN)
    if not host.call("covh", "get_tsm_info", memory.pool_base, 48).ok:
        raise CheckFailed("the TSM does not answer after the host asked for its interface")
    if host.peek(memory.pool_base).fault:
        raise CheckFailed("the host's call made its own memory confidential")
    return f"{count} calls of EID {abi.Eid.TSMD:#x} from every hart do not exist for the host"


# Extensions in which OpenSBI touches memory at an address of the caller's, with the arguments of
# each function; A is the address, split into A and 0 where SBI takes two words.
_ADDRESSES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("DBCN write", "0x4442434e 0", ("16", "A", "0")),
    ("DBCN read", "0x4442434e 1", ("16", "A", "0")),
    ("DBCN write up to the top", "0x4442434e 0", ("TOP", "A", "0")),
    ("SSE read attributes", "0x535345 0", ("0xffff0000", "0", "1", "A", "0")),
    ("SSE write attributes", "0x535345 1", ("0xffff0000", "1", "1", "A", "0")),
    ("PMU snapshot", "0x504d55 7", ("A", "0", "0")),
    ("PMU event information", "0x504d55 8", ("A", "0", "1", "0")),
    ("STA shared memory", "0x535441 0", ("A", "0", "0")),
    ("MPXY shared memory", "0x4d505859 0", ("4096", "A", "0", "0")),
    ("MPXY shared memory", "0x4d505859 0", ("A", "0", "0")),
    ("MPXY shared memory", "0x4d505859 1", ("A", "0", "0")),
    ("DBTR shared memory", "0x44425452 1", ("A", "0", "0")),
    ("NACL shared memory", "nacl set_shmem", ("A", "0", "0")),
)


def deputy(smoke: Smoke) -> str:
    """Ask OpenSBI to read or write memory of TSM and TVM for the host, in every known way."""
    host, memory = smoke.need_host(), smoke.config.memory
    ground = set_up_ground(smoke)
    targets = (memory.tsm_base + PAGE, ground.block, ground.unassigned)
    ram = host.machine.ram
    # The TSM's statistics are not in its text, and nobody changes any of this meanwhile.
    before = {at: ram.read(at, PAGE) for at in targets}
    said = len(host.machine.uart.all() or b"")
    requests = [
        (what, target, f"{call} {_filled(args, target)}")
        for target in (*targets, memory.tsm_base - 8, ground.block - 8, _TOP + PAGE - 8)
        for what, call, args in _ADDRESSES
        # Across the border of a page only where SBI takes any address.
        if target % PAGE == 0 or "DBCN" in what
    ]
    results = all_calls(host, [call for _, _, call in requests])
    for (what, target, _), result in zip(requests, results, strict=True):
        if result.ok:
            raise CheckFailed(
                f"{what}: OpenSBI takes address {target:#x} for the host",
                "tsmd_guard.c has to keep M-mode out of memory that is not the host's",
            )
    for at, content in before.items():
        if ram.read(at, PAGE) != content:
            raise CheckFailed(f"OpenSBI has written confidential memory at {at:#x} for the host")
    new = (host.machine.uart.all() or b"")[said:]
    if new:
        raise CheckFailed(f"the firmware has printed {len(new)} bytes for the host: {new[:32]!r}")
    _control(host, ground)
    clear_ground(smoke, ground)
    return f"{len(requests)} requests refused in {len({call for _, call, _ in _ADDRESSES})} ways"


def _filled(args: Sequence[str], address: int) -> str:
    values = {"A": f"{address:#x}", "TOP": f"{(1 << 64) - address:#x}"}
    return " ".join(values.get(arg, arg) for arg in args)


def _control(host: Host, ground: Ground) -> None:
    """The same requests about the host's own memory: else being refused means nothing."""
    succeed(host, [words("0x4442434e", 1, 16, ground.plain, 0)])
    succeed(host, [words("0x535345", 0, 0xFFFF0000, 0, 1, ground.plain, 0)])


def guest_calls(smoke: Smoke) -> str:
    """Let a TVM call the interfaces of host, TSM and firmware: for it they do not exist."""
    host = smoke.need_host()
    guest = host.run_guest("/payload/hostile.elf", nonce=smoke.config.memory.tsm_base)
    if guest.trouble:
        raise CheckFailed(guest.trouble, "see tsm.log", details=guest.lines[-5:])
    last = guest.lines[-1] if guest.lines else ""
    match = re.fullmatch(r"hostile: calls=(\d+) answered=(\d+)", last)
    if match is None:
        raise Skipped("this guest does not say how many calls it made")
    if match[2] != "0":
        raise CheckFailed(f"{match[2]} calls of a TVM were answered", details=guest.lines[:-1][:12])
    difference = _counts(smoke)
    if difference:
        raise CheckFailed(f"the TSM does not count as before the guest: {difference}")
    return f"{match[1]} calls of a TVM, all unknown; it ran to its end and is gone"
