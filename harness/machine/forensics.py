# SPDX-License-Identifier: Apache-2.0
"""What a crashed or hung machine still tells: registers, rings, logs, and where the code was.

Works on a machine that runs, hangs or is dead: memory and the consoles' logs outlive QEMU, only
the registers need it alive.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.abi import Event as Kind
from harness.build.artefacts import Artefacts
from harness.errors import ConfigError, TeecallError
from harness.machine.deaths import clean
from harness.machine.layout import KERNEL_BASE, read_image
from harness.machine.machine import Machine
from harness.machine.ram import RAM_BASE
from harness.machine.registers import HartState, parse_registers
from harness.machine.rundir import RunDir
from harness.machine.symbols import ElfSymbols
from harness.machine.unwind import Place, Unwinder, last_death
from harness.trace.record import Trace, read_trace
from harness.trace.ring import Event

_TAIL_LINES = 25
_LAST_EVENTS = 12
_SHOWN_FRAMES = 12
_ADDRESS = re.compile(r"\b(?:0x)?([0-9a-f]{8}|[0-9a-f]{16})\b")
_CODE = ("pc", "x1/ra", "mepc", "sepc")


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found: lines for the last screen, and the files that have it all.

    `counters` has for each hart whether it was in a guest, and its pc.
    """

    summary: tuple[str, ...]
    report: Path
    files: tuple[Path, ...]
    counters: tuple[tuple[bool, int], ...] = ()


class Symbolizer:
    """Names addresses of whatever image they lie in."""

    def __init__(self, artefacts: Artefacts) -> None:
        self._images = list(images_of(artefacts.opensbi_elf, "OpenSBI"))
        for tsm in artefacts.tsm_elfs:
            self._images += images_of(tsm, "TSM")
        if artefacts.vmlinux is not None:
            self._images += images_of(artefacts.vmlinux, "Linux")

    @classmethod
    def of_files(cls, files: Sequence[Path]) -> Symbolizer:
        """Return the symbolizer of ELF files, which are told apart by their symbols."""
        names = cls.__new__(cls)
        names._images = [image for file in files for image in images_of(file, _kind(file))]
        return names

    def describe(self, address: int) -> str | None:
        """Return `image: function+offset (file:line)`, or None for an address of no image."""
        for name, symbols in self._images:
            try:
                found = symbols.describe(address)
            except (TeecallError, OSError, ValueError):
                found = None
            if found:
                return f"{name}: {found}"
        return None

    def prepare(self, addresses: Sequence[int]) -> None:
        """Look up the source lines of many addresses at once, before they are described."""
        for _, symbols in self._images:
            with contextlib.suppress(TeecallError, OSError, ValueError):
                symbols.prepare(addresses)

    def annotate(self, line: str) -> str:
        """Return `line` with the code addresses in it explained behind it."""
        found = (self.describe(int(text, 16)) for text in _ADDRESS.findall(line))
        notes = "; ".join(note for note in found if note)
        return f"{line}    <- {notes}" if notes else line


def images_of(file: Path, name: str) -> list[tuple[str, ElfSymbols]]:
    """Return an ELF file at each place where it runs.

    Args:
        file: the ELF file.
        name: OpenSBI, TSM or Linux.
    """
    if name == "OpenSBI":
        return [(name, ElfSymbols(file, runs_at=RAM_BASE))]
    if name == "Linux":
        # Before it turns the MMU on, the kernel runs at its physical address.
        return [(name, ElfSymbols(file)), (name, ElfSymbols(file, runs_at=KERNEL_BASE))]
    return [(name, ElfSymbols(file))]


def _kind(file: Path) -> str:
    """Tell by its symbols what an ELF file is."""
    symbols = ElfSymbols(file)
    for function, name in (("sbi_init", "OpenSBI"), ("start_kernel", "Linux")):
        try:
            symbols.function(function)
        except ConfigError as error:
            if f"no function {function}" not in error.message:
                raise
        else:
            return name
    return "TSM"


def counters_of(registers: str) -> tuple[tuple[bool, int], ...]:
    """Return for each hart in QEMU's `info registers -a` whether it is in a guest, and its pc."""
    harts = parse_registers(registers)
    return tuple((hart.virtual, hart.registers["pc"]) for hart in harts if "pc" in hart.registers)


def collect(machine: Machine, artefacts: Artefacts, reason: str) -> Findings:
    """Save everything that explains why the machine failed into the run's folder.

    Args:
        machine: running, hanging or dead.
        artefacts: the exact build it ran.
        reason: the first line of the report.
    """
    machine.last_words()
    names = Symbolizer(artefacts)
    registers = _registers(machine)
    trace = read_trace(machine.ram, artefacts, machine.config.machine.harts)
    states = parse_registers(registers)
    uart = _tail(machine.uart.tail(1 << 14))
    names.prepare(_addresses(states, uart))
    harts = [line for hart in states for line in _hart_lines(hart, names)]
    faults = [line for event in trace.events for line in _fault_lines(event, names)]
    backtrace = tsm_backtrace(machine, artefacts, names)
    sections = [
        ("harts", harts or [_no_registers(machine, registers)]),
        ("TSM faults", faults or ["none recorded"]),
        ("TSM backtrace", backtrace or ["the firmware reported no death of the TSM"]),
        ("last events", [_event_line(event) for event in _last_events(trace)]),
        ("TSM log", trace.log.splitlines()[-_TAIL_LINES:]),
        ("UART", [names.annotate(line) for line in uart]),
        ("QEMU's messages", machine.stderr_tail()),
    ]
    files = _save(machine.run, registers, trace)
    report = machine.run.write("forensics.txt", _text(reason, sections))
    counters = [line for line in harts if " pc " in line]
    where = (*faults[-1:], *backtrace[:_SHOWN_FRAMES], *counters)
    return Findings(where, report, files, counters_of(registers))


def _addresses(states: Sequence[HartState], uart: Sequence[str]) -> list[int]:
    """Return what may be an address of code, in registers and on the UART."""
    held = [state.registers.get(name) for state in states for name in _CODE]
    told = [int(text, 16) for line in uart for text in _ADDRESS.findall(line)]
    return [address for address in held if address] + told


def tsm_backtrace(machine: Machine, artefacts: Artefacts, names: Symbolizer) -> list[str]:
    """Return the calls that led to the TSM's death, innermost first, or nothing if it lives.

    Behind them are those of the harts that had to leave the dead TSM: when it hangs, one of them
    may hold what the first one waits for.
    """
    died = last_death(clean(machine.uart.tail(1 << 14)).decode(errors="replace"))
    if not died:
        return []
    try:
        elf = _image_at(artefacts.tsm_elfs, died[0].pc)
        unwinder = Unwinder(elf)
        traces = [(place, unwinder.backtrace(place, machine.ram)) for place in died]
    except Exception as error:
        # pyelftools raises whatever it stumbles over; the other evidence stands without it.
        return [f"no backtrace: the TSM's ELF file has no usable frame information: {error}"]
    return [line for place, calls in traces for line in _frames(place, calls, names)]


def _image_at(elfs: Sequence[Path], pc: int) -> Path:
    """Return the TSM that has `pc` among its instructions, or the first one."""
    for elf in elfs:
        for segment in read_image(elf, "the TSM").segments:
            if segment.vaddr <= pc < segment.vaddr + segment.memory_size:
                return elf
    return elfs[0]


def _frames(place: Place, calls: Sequence[int], names: Symbolizer) -> list[str]:
    lines = []
    for number, pc in enumerate(calls):
        # A return address may be behind its function's end.
        found = names.describe(pc if number == 0 else pc - 1)
        lines.append(f"TSM {place.kind} {pc:#x}  {found or 'in none of the images'}")
    return _folded(lines)


def _folded(lines: Sequence[str]) -> list[str]:
    """Return `lines` with runs of the same call in one line: a recursion would be all there is."""
    folded: list[tuple[str, int]] = []
    for line in lines:
        if folded and folded[-1][0] == line:
            folded[-1] = (line, folded[-1][1] + 1)
        else:
            folded.append((line, 1))
    return [
        f"#{number} {line}" + (f"  ({count} times)" if count > 1 else "")
        for number, (line, count) in enumerate(folded)
    ]


def _registers(machine: Machine) -> str:
    if machine.status is not None:
        return ""
    try:
        return machine.monitor.human("info registers -a")
    except TeecallError as error:
        return f"{error.message}\n"


def _no_registers(machine: Machine, answer: str) -> str:
    if machine.status is not None:
        return "no registers: QEMU is gone"
    return f"no registers: {answer.strip() or 'QEMU does not tell them'}"


def _hart_lines(state: HartState, names: Symbolizer) -> Iterator[str]:
    for name in _CODE:
        address = state.registers.get(name)
        if address is None or (address == 0 and name != "pc"):
            continue
        # A guest's addresses mean nothing in the images of the host.
        found = None if state.virtual and name != "mepc" else names.describe(address)
        where = found or ("in a guest" if state.virtual else "in none of the images")
        short = name.split("/")[-1]
        yield f"hart {state.hart} {short:<4} {address:#018x}  {where}"


def _fault_lines(event: Event, names: Symbolizer) -> Iterator[str]:
    if event.kind in (Kind.TSM_FAULT, Kind.TSM_HANG):
        where = names.describe(event.aux) or "in none of the images"
        what = "fault" if event.kind == Kind.TSM_FAULT else "hang"
        yield (
            f"TSM {what} on hart {event.hart}: mcause {event.value:#x} at {event.aux:#x}"
            f" mtval {event.error & (1 << 64) - 1:#x}  {where}"
        )


def _last_events(trace: Trace) -> list[Event]:
    return sorted(trace.events, key=lambda event: event.time)[-_LAST_EVENTS:]


def _event_line(event: Event) -> str:
    return (
        f"hart {event.hart} time {event.time} {event.name} eid {event.eid:#x} fid {event.fid:#x}"
        f" error {event.error} value {event.value:#x} aux {event.aux:#x}"
    )


def _tail(data: bytes) -> list[str]:
    return clean(data).decode(errors="replace").splitlines()[-_TAIL_LINES:]


def _text(reason: str, sections: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [reason]
    for title, body in sections:
        lines += ["", f"== {title}", *body]
    return "\n".join(lines) + "\n"


def _save(run: RunDir, registers: str, trace: Trace) -> tuple[Path, ...]:
    files = {"events.json": trace.as_json(), "tsm.log": trace.log, "registers.txt": registers}
    return tuple(run.write(name, content) for name, content in files.items() if content)
