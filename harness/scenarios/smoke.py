# SPDX-License-Identifier: Apache-2.0
"""Smoke: boot, launch a TVM, prove the six steps and the isolation, tear down, launch again."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.build.artefacts import Artefacts
from harness.build.builder import Builder
from harness.config.schema import Config
from harness.host.boot import powered, reach_shell
from harness.machine.emulator import check_emulator
from harness.machine.rundir import RunDir
from harness.scenarios.payload import GUEST_PATH, SECRET_SIZE, Payload, make_payload
from harness.scenarios.runner import Skipped, Step
from harness.tools import require
from harness.ui import Ui

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from harness.host.host import Host
    from harness.host.results import CallResult, GuestRun
    from harness.machine.machine import Machine
    from harness.scenarios.scripted import Answers
    from harness.scenarios.sweep_machine import Sweep
    from harness.trace.record import Recorder
    from harness.trace.ring import Event
    from harness.trace.tsm import TsmStats

_HOLD = "smoke"
# They write the evidence of the run, and are loaded while the machine boots.
_BEHIND_THE_LAST_CHECK = (
    "harness.machine.timeline",
    "harness.report.make",
    "harness.report.history",
)


def _checks() -> ModuleType:
    """Return what looks at the results; it is loaded while the machine boots."""
    from harness.scenarios import smoke_checks

    return smoke_checks


@dataclass
class Smoke:
    """The state of a smoke run: each check takes what those before it have left here.

    Args:
        config: what to run.
        run: folder for the evidence.
        ui: shows the build's progress.
        stack: ends the machine when the run ends.
        offline: never touch the network.
        on_power: is called with the machine as soon as it runs.
        seed: from which secret and nonces follow; printed in run.json.

    `keys` has the store's key of each component; `files` are added to the host's initramfs. With
    several TSM domains, `held` has the TVM that is kept in each and `counts` what each TSM counted
    before, by SDID.
    """

    config: Config
    run: RunDir
    ui: Ui
    stack: contextlib.ExitStack
    offline: bool = False
    on_power: Callable[[Machine], None] = lambda machine: None
    seed: bytes = field(default_factory=lambda: os.urandom(16))
    metrics: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    builder: Builder | None = None
    artefacts: Artefacts | None = None
    payload: Payload | None = None
    recorder: Recorder | None = None
    machine: Machine | None = None
    host: Host | None = None
    before: TsmStats | None = None
    held: dict[int, GuestRun] = field(default_factory=dict)
    counts: dict[int, TsmStats] = field(default_factory=dict)
    launched: GuestRun | None = None
    events: list[Event] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    places: dict[str, Path] = field(default_factory=dict)
    sweep: Sweep | None = None
    calls: list[CallResult] = field(default_factory=list)
    _answers: Answers | None = None

    @property
    def answers(self) -> Answers:
        """What the commands of a script have printed, in a run without a dialogue."""
        if self._answers is None:
            from harness.scenarios.scripted import Answers

            self._answers = Answers()
        return self._answers

    def derived(self, purpose: str, size: int) -> bytes:
        """Return `size` bytes that follow from the seed."""
        return hashlib.sha384(self.seed + purpose.encode()).digest()[:size]

    def nonce(self, purpose: str) -> int:
        """Return a nonce of this run."""
        return int.from_bytes(self.derived(purpose, 8), "little")

    def need_host(self) -> Host:
        """Return the host, or skip the check."""
        if self.host is None:
            raise Skipped("the host did not boot")
        return self.host

    def need_launch(self) -> GuestRun:
        """Return the first launch, or skip the check."""
        if self.launched is None:
            raise Skipped("no TVM was launched")
        return self.launched

    def need_payload(self) -> Payload:
        """Return the guest of this run, or skip the check."""
        if self.payload is None:
            raise Skipped("there is no guest")
        return self.payload

    def need_recorder(self) -> Recorder:
        """Return the reader of the firmware's records, or skip the check."""
        if self.recorder is None:
            raise Skipped("nothing was built")
        return self.recorder


def tools(smoke: Smoke) -> str:
    """Check the programs that running needs; the build checks its own."""
    found = check_emulator(smoke.config)
    require("fdtoverlay")
    smoke.versions["qemu"] = found
    return f"QEMU {found}"


def sources(smoke: Smoke) -> str:
    """Identify and verify what is built from."""
    smoke.builder = Builder(smoke.config, smoke.ui, offline=smoke.offline)
    plan = smoke.builder.plan()
    names = sorted({name for step in plan.values() for name in step.recipe.sources})
    pinned = ("opensbi", "linux", "busybox", "mbedtls", "debian-image", "debian-headers")
    upstream = [name for name in names if name in pinned]
    found = [f"{name} {smoke.builder.sources.identify(name).version}" for name in upstream]
    return ", ".join(found) or "nothing but files that are given"


def build(smoke: Smoke) -> str:
    """Build what is missing."""
    if smoke.builder is None:
        raise Skipped("the sources are not there")
    outcome = smoke.builder.run()
    smoke.artefacts = outcome.artefacts
    smoke.versions.update(outcome.artefacts.versions)
    smoke.keys = {name: place.name for name, place in outcome.places.items()}
    if outcome.built:
        return f"built {', '.join(outcome.built)}"
    return f"{len(outcome.present)} components are up to date"


def boot(smoke: Smoke) -> str:
    """Boot until both domains are up and the host's shell answers."""
    artefacts = smoke.artefacts
    if artefacts is None:
        raise Skipped("nothing was built")
    secret = smoke.derived("secret", SECRET_SIZE)
    smoke.payload = make_payload(artefacts.hello_elf, secret)
    started = time.monotonic()
    files = {GUEST_PATH: smoke.payload.file, **smoke.files}
    machine = smoke.stack.enter_context(powered(smoke.config, artefacts, smoke.run, files))
    # From here on the machine boots beside whatever is loaded and prepared.
    from harness.trace.record import Recorder

    recorder = Recorder(artefacts, smoke.config.machine.harts)
    smoke.machine = machine
    smoke.recorder = recorder
    smoke.on_power(machine)

    banner = ""

    def meanwhile() -> None:
        nonlocal banner
        from harness.build.image import banner_of

        banner = banner_of(artefacts.kernel_image.read_bytes())
        recorder.prepare()
        _checks()
        for module in _BEHIND_THE_LAST_CHECK:
            importlib.import_module(module)

    smoke.host = reach_shell(machine, while_booting=meanwhile)
    seconds = smoke.metrics["boot_s"] = time.monotonic() - started
    console = smoke.run.file("uart.log").read_bytes()
    _checks().check_banner(banner, console, smoke.config.host.cmdline)
    return f"{_checks().check_domains(smoke.host)}, host shell after {seconds:.2f} s"


def tsm(smoke: Smoke) -> str:
    """Check from every hart that the TSM is ready and what it can do."""
    host = smoke.need_host()
    memory = smoke.config.memory
    # The pool's last page is plain host memory until it is converted, and nobody uses it yet.
    buffer = memory.pool_base + memory.pool_size - 4096
    smoke.calls, detail = _checks().check_tsm_info(host, buffer, smoke.config.machine.harts)
    smoke.metrics["null_call_ticks"] = min(call.time for call in smoke.calls)
    return str(detail)


def launch(smoke: Smoke) -> str:
    """Launch the guest, with QEMU's interrupt log switched on, and compare what it says."""
    from harness.trace.ring import lost_events, merge

    host, payload, recorder = smoke.need_host(), smoke.need_payload(), smoke.need_recorder()
    if not smoke.calls:
        raise Skipped("the TSM does not answer")
    smoke.before = recorder.stats(host.machine.ram) if recorder.keeps_records() else None
    nonce = smoke.nonce("first")
    started = time.monotonic()
    with host.machine.interrupt_log():
        guest = host.run_guest(
            GUEST_PATH, nonce=nonce, hold=_HOLD, seconds=smoke.config.timeouts.guest_s
        )
        rings = recorder.rings(host.machine.ram)
    smoke.events = merge(*(ring.events for ring in rings))
    smoke.lost = lost_events(rings)
    smoke.metrics["launch_s"] = time.monotonic() - started
    if guest.first("held") is not None:
        smoke.launched = guest
    return str(_checks().check_answer(guest, payload, nonce))


def steps(smoke: Smoke) -> str:
    """Prove the six steps from the event ring, against QEMU's log, with no register changed."""
    smoke.need_launch()
    if not smoke.need_recorder().keeps_records():
        raise Skipped("the TSM has no tsm_rings and tsm_stats: what it does inside is not recorded")
    memory = smoke.config.memory
    tsm_range = range(memory.tsm_base, memory.tsm_base + memory.tsm_size)
    log = smoke.run.file("interrupts.log")
    return str(_checks().check_steps(smoke.events, log, tsm_range, smoke.calls, smoke.lost))


def isolation(smoke: Smoke) -> str:
    """Read and write TSM and TVM memory from the host kernel: every access must fault."""
    host, guest, payload = smoke.need_host(), smoke.need_launch(), smoke.need_payload()
    assert smoke.artefacts is not None
    return str(_checks().check_isolated(host, guest, payload, smoke.artefacts.tsm_elf))


def teardown(smoke: Smoke) -> str:
    """Destroy the TVM and take its memory back: empty, readable, nothing left in the TSM."""
    host, guest, recorder = smoke.need_host(), smoke.need_launch(), smoke.need_recorder()
    return _torn_down(smoke, host, recorder, guest, host.release(_HOLD))


def relaunch(smoke: Smoke) -> str:
    """Launch again, with another nonce, in the memory that came back."""
    host, payload, recorder = smoke.need_host(), smoke.need_payload(), smoke.need_recorder()
    smoke.need_launch()
    nonce = smoke.nonce("second")
    started = time.monotonic()
    guest = host.run_guest(GUEST_PATH, nonce=nonce, seconds=smoke.config.timeouts.guest_s)
    smoke.metrics["relaunch_s"] = time.monotonic() - started
    _checks().check_answer(guest, payload, nonce)
    return f"nonce {nonce:016x} answered, {_torn_down(smoke, host, recorder, guest, guest)}"


def poweroff(smoke: Smoke) -> str:
    """Switch the machine off: QEMU ends by itself."""
    host = smoke.need_host()
    started = time.monotonic()
    host.power_off(smoke.config.timeouts.poweroff_s)
    smoke.metrics["poweroff_s"] = time.monotonic() - started
    return "QEMU ended by itself with status 0"


def _torn_down(
    smoke: Smoke, host: Host, recorder: Recorder, launched: GuestRun, end: GuestRun
) -> str:
    after = recorder.stats(host.machine.ram) if smoke.before is not None else None
    return str(_checks().check_teardown(host, launched, end, smoke.before, after))


STEPS: tuple[Step[Smoke], ...] = tuple(
    Step(check.__name__, check)
    for check in (
        tools,
        sources,
        build,
        boot,
        tsm,
        launch,
        steps,
        isolation,
        teardown,
        relaunch,
        poweroff,
    )
)
