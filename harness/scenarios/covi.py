# SPDX-License-Identifier: Apache-2.0
"""COVI: a guest takes interrupts through a guest interrupt file that is closed to the host.

A bare payload (firmware/covi) is the host, with the real TSM and a TVM of its own, on a machine
with an IMSIC for each hart. It makes every call of COVI, rightly and wrongly, and says what each
answers; what the answers have to be stands here. A machine without guest interrupt files gets
one for each hart, and at least two harts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from harness import abi
from harness.build.builder import Builder
from harness.build.payload import CoviRecipe
from harness.config.schema import Config
from harness.machine.bare import bare_machine, patched, run_to_end
from harness.machine.symbols import ElfSymbols
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, tools
from harness.trace.record import Recorder

_PARAM = int(abi.Error.INVALID_PARAM)
_ADDRESS = int(abi.Error.INVALID_ADDRESS)
# Where QEMU's virt machine has its supervisor-level interrupt files (hw/riscv/virt.c).
_IMSIC = 0x28000000
_PAGE = 4096
# Privileged specification, scause: access faults, ECALL from VS, virtual instruction.
_READ_FAULT, _WRITE_FAULT, _ECALL, _WAITS = 5, 7, 10, 22
_ID = 33
_SPINS = 1000
# rdsm-tsm.md 5: what the PMP must have room for.
_MOST_FILES = 4

_CLOSED: Mapping[str, int] = {
    "read_before": 0,
    "convert_own_file": _ADDRESS,
    "convert_again": _ADDRESS,
    "reclaim_unfenced": _ADDRESS,
    "global_fence": 0,
    "local_fence": 0,
    "peer_fence": 0,
    "read_closed": _READ_FAULT,
    "write_closed": _WRITE_FAULT,
    "peer_read_closed": _READ_FAULT,
}
_BOUND: Mapping[str, int] = {
    "launch_create": 0,
    "init_tvm_aia": 0,
    "finalize_without_address": int(abi.Error.FAILED),
    "set_address": 0,
    "launch_finalize": 0,
    "run_unbound": _PARAM,
    "bind": 0,
    "reclaim_bound": _PARAM,
}
_INJECTED: Mapping[str, int] = {
    "inject_not_allowed": _PARAM,
    "guest_allows": _ECALL,
    "guest_waits": _WAITS,
    "inject_another": _PARAM,
    "inject": 0,
    "guest_reports": _ECALL,
    "guest_took": _ID,
}
_HIDDEN: Mapping[str, int] = {
    "guest_waits_again": _WAITS,
    "host_sees_delivery": 0,
    "host_sees_enabled": 0,
    "host_sees_pending": 0,
    "guest_reports_again": _ECALL,
    "guest_took_nothing": 0,
}
_RUNNING: Mapping[str, int] = {
    "guest_about_to_spin": _ECALL,
    "guest_says": _SPINS,
    "guest_spun": _ECALL,
    "guest_took_running": _ID,
    "injected": 0,
    "guest_tells_time": _ECALL,
    "spun_before": 1,
    "guest_sends": _ECALL,
    "guest_took_own": _ID,
}
_MOVED: Mapping[str, int] = {
    "rebind_begin": 0,
    "run_rebinding": _PARAM,
    "clone_unfenced": _PARAM,
    "tvm_fence": 0,
    "rebind_clone": 0,
    "inject_moving": 0,
    "rebind_end": 0,
    "run_on_old_hart": _PARAM,
    "guest_reports_there": _ECALL,
    "guest_took_there": _ID,
}
_GIVEN_BACK: Mapping[str, int] = {
    "unbind_begin": 0,
    "unbind_unfenced": _PARAM,
    "tvm_fence_again": 0,
    "unbind_end": 0,
    "reclaim_self": 0,
    "reclaim_peer": 0,
    "read_after": 0,
    "peer_read_after": 0,
    "destroy": 0,
    "done": 0,
}
_RUNS: dict[int, dict[str, int]] = {}


def with_files(config: Config) -> Config:
    """Return the configuration of a machine that has guest interrupt files and two harts."""
    machine = msgspec.structs.replace(
        config.machine,
        harts=max(2, config.machine.harts),
        aia="aplic-imsic",
        aia_guests=max(1, config.machine.aia_guests),
    )
    return msgspec.structs.replace(config, machine=machine)


def sources(smoke: Smoke) -> str:
    """Identify and verify what is built from."""
    builder = Builder(smoke.config, smoke.ui, offline=smoke.offline, extra=(CoviRecipe(),))
    smoke.builder = builder
    return f"OpenSBI {builder.sources.identify('opensbi').version}"


def build(smoke: Smoke) -> str:
    """Build what is missing, the payload too."""
    if smoke.builder is None:
        raise Skipped("the sources are not there")
    outcome = smoke.builder.run()
    smoke.places = dict(outcome.places)
    # What a report on a dead machine takes addresses from.
    smoke.artefacts = replace(outcome.artefacts, vmlinux=smoke.places["covi"] / "covi.elf")
    smoke.versions.update(outcome.artefacts.versions)
    return f"built {', '.join(outcome.built)}" if outcome.built else "everything is up to date"


def _plan(config: Config) -> bytes:
    # The supervisor-level file and those of the guests, rounded up to a power of two.
    pages = 1 << config.machine.aia_guests.bit_length()
    return struct.pack("<4Q", config.machine.harts, config.memory.pool_base, _IMSIC, pages * _PAGE)


def payload(smoke: Smoke) -> str:
    """Boot the payload and let it make its calls to the end."""
    if smoke.artefacts is None:
        raise Skipped("nothing was built")
    config = with_files(smoke.config)
    elf = ElfSymbols(smoke.places["covi"] / "covi.elf")
    image = (smoke.places["covi"] / "covi.bin").read_bytes()
    ready = patched(image, elf.object("plan"), _plan(config))
    file = smoke.run.write("covi.bin", ready)
    machine = smoke.stack.enter_context(bare_machine(config, smoke.artefacts, file, smoke.run))
    smoke.machine = machine
    smoke.recorder = Recorder(smoke.artefacts, config.machine.harts)
    smoke.on_power(machine)
    lines = run_to_end(machine, "the payload's end")
    said = [match for line in lines if (match := re.fullmatch(r"covi: (\w+) (-?\d+)", line))]
    values = {match[1]: int(match[2]) for match in said}
    _RUNS[id(smoke)] = values
    smoke.stack.callback(_RUNS.pop, id(smoke), None)
    if values.get("done") != 0:
        raise CheckFailed(
            f"the payload did not get to its end: {lines[-1] if lines else 'it said nothing'}",
            "see uart.log",
            details=lines[-5:],
        )
    return f"{len(values)} answers on {config.machine.harts} harts"


def _values(smoke: Smoke) -> dict[str, int]:
    if id(smoke) not in _RUNS:
        raise Skipped("the payload did not boot")
    return _RUNS[id(smoke)]


def judge(values: Mapping[str, int], wanted: Mapping[str, int]) -> int:
    """Return how many answers are right.

    Args:
        values: what the payload has said.
        wanted: what it has to be.

    Raises:
        CheckFailed: one is missing or another one; the first of them is named.
    """
    for name, value in wanted.items():
        if name not in values:
            raise CheckFailed(f"`{name}` was never said", "see uart.log")
        if values[name] != value:
            raise CheckFailed(f"`{name}` is {values[name]}, not {value}", "see uart.log")
    return len(wanted)


def capacity(smoke: Smoke) -> str:
    """Check that an interrupt file of each hart, of four at most, has an isolation entry."""
    values = _values(smoke)
    harts = with_files(smoke.config).machine.harts
    converted = values.get("converted", 0)
    smoke.metrics["files_converted"] = converted
    if converted < min(harts, _MOST_FILES):
        raise CheckFailed(
            f"{converted} of {harts} files were taken from the host",
            "see uart.log; the PMP has an entry for each",
        )
    refused = values.get("convert_refused", int(abi.Error.OUT_OF_RANGES))
    if refused != abi.Error.OUT_OF_RANGES:
        raise CheckFailed(f"a file beyond the PMP's capacity is refused with {refused}")
    return f"{converted} files of {harts} harts"


def _check(name: str, doc: str, wanted: Mapping[str, int]) -> Step[Smoke]:
    def check(smoke: Smoke) -> str:
        return f"{judge(_values(smoke), wanted)} answers as they have to be"

    check.__doc__ = doc
    check.__name__ = name
    return Step(name, check)


_FIRST: tuple[Callable[[Smoke], str], ...] = (tools, sources, build, payload, capacity)
STEPS: tuple[Step[Smoke], ...] = (
    *(Step(check.__name__, check) for check in _FIRST),
    _check("closed", "Check that a converted file is closed to the host on all harts.", _CLOSED),
    _check("bound", "Check the order of AIA's calls up to the bound vCPU.", _BOUND),
    _check("injected", "Check that the guest takes what it allows, and only that.", _INJECTED),
    _check("hidden", "Check that VGEIN shows the host nothing and lets it do nothing.", _HIDDEN),
    _check("running", "Check MSIs to a vCPU that runs, of the host and of the guest.", _RUNNING),
    _check("moved", "Check that an interrupt survives the way to another hart.", _MOVED),
    _check("given_back", "Check that files come back to the host.", _GIVEN_BACK),
)
