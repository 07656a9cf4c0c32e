# SPDX-License-Identifier: Apache-2.0
"""The checks of Linux with devices: three guests, one after the other, use the same two disks.

The first disk is bytes: the host fills its first 256 KiB, each guest writes behind it. The second
one has a file system: each guest finds the files of those before it.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import time
from collections.abc import Sequence

from harness.host.results import GuestRun, number, parse_answer
from harness.machine.deadline import slowness
from harness.scenarios import smoke_checks
from harness.scenarios.linux_tvm import (
    console_lines,
    console_of,
    console_size,
    judge,
    words_of,
)
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

_RAW = "/tmp/vda"
_FILES = "/tmp/vdb"
_DEVICES = ("--disk", _RAW, "--disk", _FILES, "--rng", "--net")
_KVM_CONSOLE = "/tmp/kvm.console"
_FILLED = 4 << 16
_RAW_NUMBERS = 40000
_FILE_NUMBERS = 20000
_RANDOM = 4096
# A file of the run for each guest that was as it has to be
_RANDOM_OF = "random-{}.sha256"
_ECHOES = (8, 56, 1000, 1472)
_USAGE = 2
# One for each device
_INTERRUPTS = 4
# In the order in which they run.
_GUESTS = ("tvm", "kvm", "again")


def _asked(smoke: Smoke, guest: str) -> str:
    return f"{smoke.nonce(f'devices {guest}'):016x}"


def _content(asked: str, numbers: int) -> str:
    return f"{asked}\n" + "".join(f"{number}\n" for number in range(1, numbers + 1))


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def prepare(smoke: Smoke) -> str:
    """Make the disks, one of them with random bytes of the host's."""
    # The folder may be that of an earlier run.
    for guest in _GUESTS:
        smoke.run.file(_RANDOM_OF.format(guest)).unlink(missing_ok=True)
    shell = smoke.need_host().shell
    result = shell.run(
        f"dd if=/dev/urandom of={_RAW} bs=64k count=4 2>&1 &&"
        f" dd if=/dev/zero of={_RAW} bs=64k seek=4 count=12 2>&1 &&"
        f" dd if=/dev/zero of={_FILES} bs=64k count=64 2>&1"
    )
    if not result.ok:
        raise CheckFailed("the host cannot make the disks", details=result.output.splitlines())
    return f"{_RAW} of 1 MiB, a quarter of it random; {_FILES} of 4 MiB, empty"


def _host_hash(smoke: Smoke, skip: int, size: int) -> str:
    """Return the hash of `size` bytes of the first disk, as the host reads its file."""
    command = f"dd if={_RAW} bs=64k skip={skip // 65536} 2>/dev/null | head -c {size} | sha256sum"
    return smoke.need_host().shell.run(command).output[:64]


def expected(host: str, asked: str, before: Sequence[str]) -> list[str]:
    """Return the lines that a guest has to say of its disks and its network.

    Args:
        host: hash of what the host has written.
        asked: the guest's nonce.
        before: nonces of those that had the disks before it.
    """
    return [
        f"devices: from the host {host}",
        f"devices: to the host {_hash(_content(asked, _RAW_NUMBERS))}",
        *(f"devices: found {n}.numbers {_hash(_content(n, _FILE_NUMBERS))}" for n in before),
        f"devices: kept {asked}.numbers {_hash(_content(asked, _FILE_NUMBERS))}",
        *(f"devices: echo of {size} bytes" for size in _ECHOES),
    ]


def judge_devices(lines: Sequence[str], host: str, asked: str, before: Sequence[str]) -> str:
    """Check what a guest said of its devices; return the hash of its random bytes.

    Raises:
        CheckFailed: a line is missing, nothing random came, or a device did not interrupt.
    """
    said = [line for line in lines if line.startswith("devices: ")]
    for wanted in expected(host, asked, before):
        if wanted not in lines:
            raise CheckFailed(f"the guest did not say `{wanted}`", details=said[-8:])
    if ("devices: made a file system" in lines) == bool(before):
        raise CheckFailed("the guest made a file system anew, or found one where none was")
    random = re.search(rf"^devices: random {_RANDOM} (\w{{64}})$", "\n".join(lines), re.MULTILINE)
    if random is None or random[1] == hashlib.sha256(bytes(_RANDOM)).hexdigest():
        raise CheckFailed(f"no {_RANDOM} random bytes", details=said[-8:])
    # After the number of the interrupt: how many came on each CPU.
    found = [line.split()[3] for line in said if line.startswith("devices: interrupts ")]
    if len(found) != _INTERRUPTS or "0" in found:
        raise CheckFailed(f"interrupts of {_INTERRUPTS} devices: {found}", details=said[-8:])
    return random[1]


def _check(smoke: Smoke, guest: str, lines: Sequence[str], vcpus: int) -> str:
    """Check a guest that has ended: what it said, and what the host finds on its disk."""
    asked = _asked(smoke, guest)
    said = judge(lines, asked, vcpus)
    before = [_asked(smoke, name) for name in _GUESTS[: _GUESTS.index(guest)]]
    random = judge_devices(lines, _host_hash(smoke, 0, _FILLED), asked, before)
    for other in _GUESTS:
        if _random_of(smoke, other) == random:
            raise CheckFailed(f"the random bytes of `{guest}` are those of `{other}`")
    content = _content(asked, _RAW_NUMBERS)
    found = _host_hash(smoke, _FILLED, len(content))
    if found != _hash(content):
        raise CheckFailed(f"the guest wrote {_hash(content)}, the host reads {found}")
    smoke.run.write(_RANDOM_OF.format(guest), random)
    return said


def _random_of(smoke: Smoke, guest: str) -> str | None:
    """Return the hash of a guest's random bytes; None if it has not passed."""
    path = smoke.run.file(_RANDOM_OF.format(guest))
    return path.read_text(encoding="utf-8") if path.exists() else None


def _need_those_before(smoke: Smoke, guest: str) -> None:
    """Skip a guest that could not find on the disks what it has to.

    Raises:
        Skipped: a guest before it has failed.
    """
    for name in _GUESTS[: _GUESTS.index(guest)]:
        if _random_of(smoke, name) is None:
            raise Skipped(f"`{name}` has not left the disks as it has to")


def _run_tvm(smoke: Smoke, guest: str, vcpus: int, *options: str) -> tuple[GuestRun, list[str]]:
    """Run a TVM to its end; check that nothing of it is left."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    seconds = smoke.config.timeouts.guest_s
    start = console_size(smoke)
    words = [
        *words_of(smoke.config, console_of(smoke), vcpus, _asked(smoke, guest)),
        *_DEVICES,
        *options,
    ]
    limit = math.ceil(seconds * slowness())
    began = time.monotonic()
    answer = host.tvm_json(*words, "--dirty", "--timeout", limit, timeout=seconds + 10.0)
    smoke.metrics[f"devices_{guest}_s"] = time.monotonic() - began
    run = GuestRun(answer.objects, answer.messages, answer.status)
    lines = console_lines(smoke, start)
    return run, lines


def _check_gone(smoke: Smoke, run: GuestRun) -> str:
    host = smoke.need_host()
    assert smoke.before is not None
    after = smoke.need_recorder().stats(host.machine.ram)
    return smoke_checks.check_teardown(host, run, run, smoke.before, after)


def check_private(run: GuestRun) -> str:
    """Check that the host can read what the guest shares, and no other page of it.

    Args:
        run: one with `--pry`.
    """
    pried = run.first("pry") or {}
    own, shared = number(pried, "own"), number(pried, "shared")
    if readable := number(pried, "own_readable"):
        raise CheckFailed(
            f"the host can read {readable} of the guest's {own} own pages, the first at"
            f" {number(pried, 'first'):#x}"
        )
    pool = number(run.first("devices") or {}, "pool_size") // 4096
    if not own or not pool or shared != pool or number(pried, "shared_readable") != shared:
        raise CheckFailed(f"of the guest's memory the host has found {pried}")
    return f"{own} pages closed to the host, {shared} shared"


def _devices_of_tvm(smoke: Smoke, guest: str, vcpus: int) -> str:
    _need_those_before(smoke, guest)
    run, lines = _run_tvm(smoke, guest, vcpus, "--pry")
    end = run.first("vm") or {}
    if run.error or end.get("reason") != "shutdown":
        raise CheckFailed(
            run.error or f"the guest ended by {end.get('reason')}",
            "see guest-console.log, tsm.log",
            details=[line[:100] for line in (lines[-5:] or run.messages[-5:])],
        )
    closed = check_private(run)
    said = _check(smoke, guest, lines, vcpus)
    gone = _check_gone(smoke, run)
    smoke.metrics[f"devices_{guest}_mmio"] = number(end, "mmio")
    return f"{said}; {number(end, 'mmio')} accesses emulated; {closed}; {gone}"


def tvm(smoke: Smoke) -> str:
    """Run a Linux TVM with two disks, random bytes and a network."""
    return _devices_of_tvm(smoke, "tvm", 1)


def again(smoke: Smoke) -> str:
    """Run one with two vCPUs, which finds on the disks what both before it have written."""
    return _devices_of_tvm(smoke, "again", 2)


def kvm(smoke: Smoke) -> str:
    """Run the same kernel as a plain KVM guest with the same devices, on the TVM's disks."""
    _need_those_before(smoke, "kvm")
    host = smoke.need_host()
    seconds = smoke.config.timeouts.guest_s
    words = [*words_of(smoke.config, _KVM_CONSOLE, 1, _asked(smoke, "kvm")), *_DEVICES]
    limit = math.ceil(seconds * slowness())
    command = shlex.join(["kvm", *words, "--json", "--timeout", str(limit)])
    result = host.shell.run(command, seconds + 10.0)
    answer = parse_answer(result.output, result.status)
    run = GuestRun(answer.objects, answer.messages, answer.status)
    lines = host.get(_KVM_CONSOLE).decode(errors="replace").replace("\r", "").splitlines()
    smoke.run.write("kvm-console.log", "\n".join(lines) + "\n")
    if run.trouble:
        raise CheckFailed(f"KVM: {run.trouble}", "see kvm-console.log", details=lines[-5:])
    said = _check(smoke, "kvm", lines, 1)
    return f"{said}; the files of the TVM are as it wrote them"


def outside(smoke: Smoke) -> str:
    """Hide the pool from one disk's driver; its first address of its own memory is its end.

    The other disk has been in use by then, so the VMM has memory of the guest that it may touch.
    """
    run, lines = _run_tvm(smoke, "outside", 1, "--unpooled", "1", "--pry")
    end = run.first("vm") or {}
    refused = next((e for e in run.events if e.get("call") == "virtio"), {})
    if end.get("reason") != "device" or "does not share" not in str(refused.get("message")):
        raise CheckFailed(
            f"a device takes an address outside of the pool; the guest ended by"
            f" {end.get('reason')}",
            details=lines[-5:],
        )
    if any(line.startswith("devices: ") for line in lines):
        raise CheckFailed("the guest had an answer of its devices", details=lines[-5:])
    closed = check_private(run)
    return f"{refused.get('message')}; {closed}"


_WRONG = (
    ("--disk /tmp/none", "No such file"),
    ("--disk /dev/null", "a file of whole sectors"),
    ("--disk /tmp/short", "a file of whole sectors"),
    (9 * "--disk /tmp/one ", "8 disks at most"),
    (8 * "--disk /tmp/one " + "--rng", "9 devices; a guest has at most 8"),
)


def refused(smoke: Smoke) -> str:
    """Ask for devices that cannot be; each is refused with its reason."""
    shell = smoke.need_host().shell
    shell.run("seq 1 10 >/tmp/short; dd if=/dev/zero of=/tmp/one bs=512 count=1 2>&1")
    for tool in ("tvm", "kvm"):
        for words, says in _WRONG:
            command = (
                f"{tool} {shlex.join(words_of(smoke.config, '/tmp/refused', 1, None))} {words}"
            )
            result = shell.run(f"{command} 2>&1")
            if result.status != _USAGE or says not in result.output:
                raise CheckFailed(
                    f"`{command}` ends with {result.status} and does not say {says!r}",
                    details=result.output.splitlines()[-3:],
                )
    return f"{2 * len(_WRONG)} wrong uses are refused"
