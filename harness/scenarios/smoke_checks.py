# SPDX-License-Identifier: Apache-2.0
"""What the smoke run looks at: each function returns a line for people or raises CheckFailed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from harness import abi
from harness.config.domains import domains
from harness.errors import ConfigError, DeadlineExceeded
from harness.host.host import Host
from harness.host.results import Access, CallResult, GuestRun, error_name, number
from harness.machine.layout import KERNEL_BASE, read_image
from harness.machine.ram import GuestRam
from harness.machine.symbols import ElfSymbols
from harness.scenarios.payload import PAGE, SECRET_SIZE, Payload
from harness.scenarios.runner import CheckFailed
from harness.trace.interrupts import parse_interrupts
from harness.trace.ring import Event
from harness.trace.steps import in_interrupt_log, six_steps
from harness.trace.tsm import TsmStats

SDID = 1
_TSM_INFO = struct.Struct("<IIIxxxxQQQQ")
_PROBE = b"teecall!"
# Accesses in one command, so that it fits in a line.
_BATCH = 100
_CAPABILITIES = {
    "promote": abi.TSM_CAP_PROMOTE_TVM,
    "local attestation": abi.TSM_CAP_ATTESTATION_LOCAL,
    "remote attestation": abi.TSM_CAP_ATTESTATION_REMOTE,
    "AIA": abi.TSM_CAP_AIA,
    "MRIF": abi.TSM_CAP_MRIF,
    "memory conversion": abi.TSM_CAP_MEMORY_ALLOCATION,
}


def check_domains(host: Host) -> str:
    """Check that the host sees its own supervisor domain and those of all TSMs active."""
    wanted = 1 | sum(1 << domain.sdid for domain in domains(host.machine.config))
    answer = host.call("supd", "get_active_domains")
    if not answer.ok:
        raise CheckFailed(
            f"SUPD get_active_domains failed with {answer.error_name}",
            "is the domain switch in this OpenSBI, and the TSM domain in the device tree? "
            "see `tsmd:` lines in uart.log",
        )
    if answer.value != wanted:
        raise CheckFailed(
            f"active domains are {answer.value:#x} instead of {wanted:#x}",
            "the TSM did not say READY; see tsm.log and `tsmd:` lines in uart.log",
        )
    return f"domains {answer.value:#b} active"


def check_banner(wanted: str, console: bytes, cmdline: str) -> None:
    """Check that the kernel on the console is the one whose Image was given to the machine.

    Args:
        wanted: the banner in the Image; "" when it has none.
        console: what the machine's UART has said since its reset.
        cmdline: the kernel's command line, which may keep it from saying anything.
    """
    words = cmdline.split()
    silent = "quiet" in words or any(word.startswith("loglevel=") for word in words)
    if wanted.encode() in console or (silent and b"Linux version " not in console):
        return
    lines = console.decode(errors="replace").splitlines()
    found = next((line for line in lines if "Linux version " in line), "no banner at all")
    raise CheckFailed(
        "the banner on the console is not that of host.kernel's Image",
        "did the firmware start another kernel? see uart.log",
        details=[f"found  {found.strip()}", f"wanted {wanted}"],
    )


def check_tsm_info(
    host: Host, buffer: int, harts: int, sdid: int = SDID
) -> tuple[list[CallResult], str]:
    """Ask the TSM about itself from every hart.

    Args:
        host: makes the calls.
        buffer: physical address of 48 bytes of host memory that nobody uses.
        harts: number of harts.
        sdid: supervisor domain of the TSM.

    Returns:
        The calls, and the line for people.
    """
    calls = []
    for cpu in range(harts):
        answer = host.call("covh", "get_tsm_info", buffer, _TSM_INFO.size, cpu=cpu, sdid=sdid)
        if not answer.ok or answer.value != _TSM_INFO.size:
            raise CheckFailed(
                f"get_tsm_info on hart {cpu}: {answer.error_name}, {answer.value} bytes"
                f" instead of {_TSM_INFO.size}",
                "see tsm.log and events.json",
            )
        calls.append(answer)
    state, implementation, version, capabilities, state_pages, vcpus, vcpu_pages = _TSM_INFO.unpack(
        host.machine.ram.read(buffer, _TSM_INFO.size)
    )
    if state != abi.TSM_STATE_READY:
        raise CheckFailed(f"the TSM's state is {state}, not READY", "see tsm.log")
    if not capabilities & abi.TSM_CAP_MEMORY_ALLOCATION or not state_pages:
        raise CheckFailed(
            f"the TSM cannot convert memory: capabilities {capabilities:#x},"
            f" {state_pages} state pages a TVM",
        )
    able = [name for name, bit in _CAPABILITIES.items() if capabilities & bit]
    return calls, (
        f"READY on {harts} harts, implementation {implementation:#x} version {version}, "
        f"{', '.join(able)}; {state_pages} + {vcpu_pages} state pages, {vcpus} vCPUs"
    )


def check_answer(guest: GuestRun, payload: Payload, nonce: int) -> str:
    """Check that the measured pages and every line of the guest are what they must be."""
    if guest.timed_out:
        raise DeadlineExceeded(
            "the guest did not end in its time", "raise timeouts.guest_s", details=guest.lines[-5:]
        )
    if guest.trouble:
        raise CheckFailed(guest.trouble, "see tsm.log, events.json", details=guest.lines[-5:])
    if sorted(guest.pages) != sorted(payload.pages):
        raise CheckFailed(
            f"{len(guest.pages)} pages were given to be measured, the ELF has {len(payload.pages)}"
        )
    expected = payload.expected_lines(nonce)
    said = dict(line.split("=", 1) for line in guest.lines if "=" in line)
    for line in expected:
        if line not in guest.lines:
            key = line.split("=")[0]
            raise CheckFailed(
                _wrong_line(key),
                details=[f"expected  {line}", f"guest     {key}={said.get(key, '(nothing)')}"],
            )
    ends = number(guest.first("exit") or {}, "exits")
    digest = expected[3].split("=")[1]
    return (
        f"{len(payload.pages)} measured pages, digest {digest[:16]}… as computed from the ELF, "
        f"nonce {nonce:016x} answered, {ends} exits"
    )


def _wrong_line(key: str) -> str:
    reasons = {
        "hello: nonce": "the guest did not get the nonce as its entry argument",
        "hello: answer": "the guest's answer to the nonce does not need its secret",
        "hello: primes": "the guest computed wrongly",
        "hello: measurement4": "the TSM measured something else than the pages of the ELF",
        "hello: measurement5": "the TSM measured another entry point or argument",
    }
    return reasons.get(key, f"the guest did not say `{key}`")


def check_steps(
    events: Sequence[Event],
    log: Path,
    tsm: range,
    calls: Sequence[CallResult],
    lost: Sequence[str] = (),
) -> str:
    """Check the six steps in the event ring and in QEMU's log, and that no register changed.

    Args:
        events: the merged event rings.
        log: QEMU's interrupt log of the launch.
        tsm: addresses of the TSM.
        calls: raw calls that report changed registers.
        lost: a line for each event ring that has overwritten events.
    """
    proof = six_steps(events)
    if not proof.proved:
        raise CheckFailed(
            f"step {proof.missing}", "see events.json", details=[*proof.evidence, *lost]
        )
    with log.open(encoding="utf-8", errors="replace") as lines:
        traps = parse_interrupts(lines)
    lacking = in_interrupt_log(proof, traps, tsm)
    if lacking:
        raise CheckFailed(
            f"QEMU's interrupt log disagrees with the event ring, step {lacking}",
            "compare interrupts.log with events.json",
            details=proof.evidence,
        )
    for call in calls:
        if call.changed_gprs:
            names = ", ".join(call.changed_names)
            raise CheckFailed(
                f"step 6: {names} changed across {call.function}: TEERET must restore all"
                " registers but a0 and a1",
                "look at tsmd_leave and the frame it restores in firmware/opensbi/tsmd",
            )
    return (
        f"1-6 in order on hart {proof.hart} (host pc {proof.host_pc:#x}, guest pc"
        f" {proof.guest_pc:#x}), QEMU agrees, all registers but a0 and a1 kept"
        + "".join(f"; {line}" for line in lost)
    )


def check_isolated(host: Host, guest: GuestRun, payload: Payload, tsm_elf: Path) -> str:
    """Check that the host can neither read nor write memory of the TSM and the TVM."""
    config = host.machine.config
    ram = host.machine.ram
    region = config.memory
    places = {
        region.tsm_base: "first page of the TSM",
        **_counts_place(tsm_elf),
        region.tsm_base + region.tsm_size - PAGE: "boot information of the TSM",
        **_secret_place(ram, guest, payload),
        **{pa: f"guest page {gpa:#x}" for gpa, pa in guest.pages.items()},
    }
    before = {address: ram.read(address, len(_PROBE)) for address in places}
    for access in _touch_all(host, list(places)):
        if not access.fault:
            raise CheckFailed(_got_through(access, places[access.address]))
    for address, content in before.items():
        if ram.read(address, len(_PROBE)) != content:
            raise CheckFailed(f"{places[address]} at {address:#x} changed while it was attacked")
    _check_survival(host)
    size = _check_image(host, tsm_elf)
    return (
        f"{len(places)} places of TSM and TVM: every read and write faults, "
        f"the kernel lives, {size >> 10} KiB of the TSM's image unchanged"
    )


def _counts_place(tsm_elf: Path) -> dict[int, str]:
    """Return where the TSM counts; one that is not ours need not have that."""
    try:
        return {ElfSymbols(tsm_elf).object("tsm_stats").address: "data of the TSM"}
    except ConfigError:
        return {}


def _secret_place(ram: GuestRam, guest: GuestRun, payload: Payload) -> dict[int, str]:
    """Return where the guest's secret is; it must be there, or the attack would prove nothing."""
    if payload.secret_gpa is None:
        return {}
    address = guest.pages[payload.secret_gpa & ~(PAGE - 1)] + payload.secret_gpa % PAGE
    if ram.read(address, SECRET_SIZE) != payload.secret:
        raise CheckFailed(f"the guest's secret is not at {address:#x}, where its page should be")
    return {address: "the guest's secret"}


def _touch_all(host: Host, addresses: Sequence[int]) -> list[Access]:
    found: list[Access] = []
    for start in range(0, len(addresses), _BATCH):
        found += host.touch(addresses[start : start + _BATCH], _PROBE)
    return found


def _got_through(access: Access, place: str) -> str:
    verb = "write" if access.write else "read"
    detail = "" if access.write else f" ({access.data.hex()})"
    return (
        f"the host can {verb} {place} at {access.address:#x}{detail}: "
        "the PMP does not close it to the host"
    )


def _check_survival(host: Host) -> None:
    """The kernel answers, and memory of its own is still readable: faults mean something."""
    control = host.peek(KERNEL_BASE, len(_PROBE))
    if control.fault or control.data != host.machine.ram.read(KERNEL_BASE, len(_PROBE)):
        raise CheckFailed("the host cannot read its own kernel either: the faults prove nothing")


def _check_image(host: Host, tsm_elf: Path) -> int:
    """Compare the TSM's code and constants in memory with its file; return their size."""
    size = 0
    for segment in read_image(tsm_elf, "the TSM").segments:
        if segment.writable:
            continue
        found = host.machine.ram.read(segment.paddr, len(segment.data))
        if found != segment.data:
            at = next(
                i
                for i, pair in enumerate(zip(found, segment.data, strict=True))
                if pair[0] != pair[1]
            )
            raise CheckFailed(f"the TSM's image differs from its file at {segment.paddr + at:#x}")
        size += len(segment.data)
    if not size:
        raise CheckFailed(f"{tsm_elf.name} has no read-only segment to compare with memory")
    return size


def check_teardown(
    host: Host,
    launched: GuestRun,
    end: GuestRun,
    before: TsmStats | None,
    after: TsmStats | None,
) -> str:
    """Check that the TVM is gone and its memory is the host's again, and empty.

    Args:
        host: whose memory it is.
        launched: the run that says which memory was converted.
        end: the run that says how destroy and reclaim went.
        before: what the TSM counted before the launch, None when it does not tell.
        after: what it counts now.
    """
    destroy, gone = end.first("destroy"), end.first("gone")
    if destroy is None:
        why = end.error or "; ".join(end.messages) or "the tool did not say why"
        raise CheckFailed(f"the TVM was not destroyed: {why}", "see tsm.log, events.json")
    if number(destroy, "error"):
        raise CheckFailed(f"destroy_tvm: {error_name(number(destroy, 'error'))}")
    pages = _check_reclaimed(end, before.left_behind(after) if before and after else "")
    _check_scrubbed(host, launched, pages)
    if gone is None or number(gone, "error") == 0:
        raise CheckFailed("run_tvm_vcpu of the destroyed TVM is not refused")
    if before is not None and after is not None:
        _check_returned(before, after)
    if end.error:
        raise CheckFailed(end.error, "see tsm.log, events.json")
    return (
        f"destroyed, {pages} pages reclaimed, all readable and zero, id refused with"
        f" {error_name(number(gone, 'error'))}, TSM "
        + ("tells no counts" if before is None else "counts as before the launch")
    )


def _check_reclaimed(end: GuestRun, left: str) -> int:
    """Check what the host's tool says of reclaim_pages; return the number of pages.

    Args:
        end: what it says.
        left: what the TSM still counts in the hands of TVMs.
    """
    pages = 0
    for event in end.all("reclaim"):
        if number(event, "error"):
            name = error_name(number(event, "error"))
            raise CheckFailed(
                f"reclaim_pages: {name}: the TSM still holds pages of the destroyed TVM ({left})"
                if left
                else f"reclaim_pages: {name}",
                "destroy_tvm has to free every page of the TVM",
            )
        if number(event, "nonzero_bytes"):
            raise CheckFailed(
                f"{number(event, 'nonzero_bytes')} bytes of reclaimed pages are not zero:"
                " the TSM must scrub what it gives back"
            )
        pages += number(event, "pages")
    return pages


def _check_scrubbed(host: Host, launched: GuestRun, pages: int) -> None:
    """Look at the memory itself too: the host's own reading could be wrong."""
    for part in launched.pool:
        content = host.machine.ram.read(part.start, len(part))
        left = len(content) - content.count(0)
        if left:
            raise CheckFailed(f"{left} bytes of the memory at {part.start:#x} were not scrubbed")
    converted = sum(len(part) // PAGE for part in launched.pool)
    if not pages or pages != converted:
        raise CheckFailed(f"{pages} of {converted} converted pages were reclaimed")


def _check_returned(before: TsmStats, after: TsmStats) -> None:
    difference = before.difference(after)
    if difference:
        raise CheckFailed(
            f"the TSM still holds what it should have given back, or lost count: {difference}",
            "destroy_tvm or reclaim_pages lost track of pages",
        )
