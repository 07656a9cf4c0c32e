# SPDX-License-Identifier: Apache-2.0
"""What a domain switch costs, in instructions.

A bare payload (firmware/bench) runs in the host kernel's place under `-icount`, so that nothing
but the code decides the numbers: the payload does everything twice, and the two must be equal.
All costs are from the host's ECALL, this included, to its next instruction.

A call is split without a mark in its path: a second boot has a TSM that answers at once with
instret at its first instruction. What M-mode takes on either side does not depend on the TSM, so
the rest of the real TSM's round trip is the real TSM's own. A machine without the H extension
has only that second boot, because the real TSM needs H.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from harness.bench.samples import (
    ContextCost,
    HartsCost,
    MModeCost,
    Sample,
    TsmCost,
    agreed,
    context_cost,
    harts_cost,
    mmode_cost,
    parse_samples,
    tsm_cost,
)
from harness.build.artefacts import Artefacts
from harness.build.builder import Builder, Outcome
from harness.build.payload import INSTANT_TSM, SWITCH_IMAGE, BenchRecipe
from harness.config.schema import Config
from harness.machine.bare import bare_machine, run_to_end
from harness.machine.rundir import RunDir
from harness.resources import firmware
from harness.ui import Ui

# One instruction is one ns of guest time; no clock of the workstation reaches the guest.
_DETERMINISTIC = ("-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm")
_NO_H = ",h=false"
HARTS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """The numbers of one machine, in instructions.

    `tsm` is None on a machine without the H extension.
    """

    machine: str
    mmode: MModeCost
    tsm: TsmCost | None

    @property
    def tsm_alone(self) -> int | None:
        """The part of a null TEECALL that is the TSM's, its ECALL included."""
        if self.tsm is None:
            return None
        return self.tsm.null - self.mmode.enter - self.mmode.leave

    def as_json(self) -> dict[str, object]:
        """Return the numbers as plain data."""
        found: dict[str, object] = {**asdict(self), "tsm_alone": self.tsm_alone}
        if self.tsm is not None:
            found["null_per_range"] = self.tsm.null_per_range
            found["convert_per_range"] = self.tsm.convert_per_range
        return found


def variants(config: Config) -> dict[str, Config]:
    """Return the machine as it is configured, and with what it lacks or without H.

    The first one is the configured machine; one that has vectors or AIA already is not repeated.
    """
    machine = config.machine
    found = {"": machine}
    if ",v=" not in machine.cpu:
        found["v=true"] = msgspec.structs.replace(machine, cpu=f"{machine.cpu},v=true")
    if machine.aia == "none":
        found["aplic-imsic"] = msgspec.structs.replace(machine, aia="aplic-imsic")
    if ",h=" not in machine.cpu:
        found["h=false"] = msgspec.structs.replace(machine, cpu=machine.cpu + _NO_H)
    return {
        f"{each.cpu}, aia={each.aia}": deterministic(msgspec.structs.replace(config, machine=each))
        for each in found.values()
    }


def deterministic(config: Config, harts: int = 1) -> Config:
    """Return the configuration for a machine in which the same code takes the same time.

    Args:
        config: the machine.
        harts: how many it has; under -icount instret counts all of them together.
    """
    machine = msgspec.structs.replace(config.machine, harts=harts)
    extra = [*config.qemu.extra_args, *_DETERMINISTIC]
    return msgspec.structs.replace(
        config,
        machine=machine,
        qemu=msgspec.structs.replace(config.qemu, extra_args=extra),
        console=msgspec.structs.replace(config.console, mode="serial"),
    )


def has_h(config: Config) -> bool:
    """Whether the machine's harts have the H extension, which the TSM needs."""
    return _NO_H not in config.machine.cpu


class SwitchBench:
    """Builds and boots what the measurements need.

    Args:
        run: folder for the evidence; each machine has one in it.
        ui: shows the build's progress.
        offline: never touch the network.
    """

    def __init__(self, run: RunDir, ui: Ui, *, offline: bool) -> None:
        self._run = run
        self._ui = ui
        self._offline = offline
        self._machines = 0

    def switch(self, name: str, config: Config) -> SwitchCost:
        """Return what TEECALLs cost.

        Args:
            name: the machine, as it reads in the result.
            config: one of `variants`.

        Raises:
            MachineError: the payload did not end, or its numbers are not to be relied on.
        """
        outcome = self._build(config)
        place = outcome.places[BenchRecipe.name]
        instant = replace(outcome.artefacts, tsm_elf=place / INSTANT_TSM)
        mmode = agreed(self._samples(config, instant, place), mmode_cost)
        if not has_h(config):
            return SwitchCost(name, mmode, None)
        tsm = agreed(self._samples(config, outcome.artefacts, place), tsm_cost)
        return SwitchCost(name, mmode, tsm)

    def harts(self, config: Config, harts: int) -> HartsCost:
        """Return what TEECALLs cost while all harts but one are idle.

        Args:
            config: one of `variants`.
            harts: how many there are.

        Raises:
            MachineError: as for `switch`.
        """
        machine = msgspec.structs.replace(config.machine, harts=harts)
        config = msgspec.structs.replace(config, machine=machine)
        outcome = self._build(config)
        place = outcome.places[BenchRecipe.name]
        return agreed(self._samples(config, outcome.artefacts, place), harts_cost)

    def context(self, config: Config) -> ContextCost:
        """Return what sbi_domain_context_enter() and sbi_domain_context_exit() cost.

        They switch the PMP by OpenSBI's regions, so the TSM-driver cannot be in the same firmware:
        the extension of firmware/bench/context takes its place, and a second OpenSBI domain that
        of the TSM.

        Raises:
            MachineError: this OpenSBI does not survive its own switch, or the rounds differ.
        """
        overlay = firmware() / "bench" / "context"
        opensbi = msgspec.structs.replace(config.opensbi, overlay=f"path:{overlay}")
        config = msgspec.structs.replace(config, opensbi=opensbi)
        outcome = self._build(config)
        place = outcome.places[BenchRecipe.name]
        artefacts = replace(outcome.artefacts, dt_overlay=place / "context.dtbo")
        version = outcome.artefacts.versions["opensbi"]
        return agreed(self._samples(config, artefacts, place), partial(context_cost, version))

    def _build(self, config: Config) -> Outcome:
        return Builder(config, self._ui, offline=self._offline, extra=(BenchRecipe(),)).run()

    def _samples(self, config: Config, artefacts: Artefacts, place: Path) -> list[Sample]:
        with bare_machine(config, artefacts, place / SWITCH_IMAGE, self._folder()) as machine:
            return parse_samples(run_to_end(machine, "bench switch"))

    def _folder(self) -> RunDir:
        path = self._run.path / f"machine-{self._machines}"
        path.mkdir(parents=True, exist_ok=True)
        self._machines += 1
        return RunDir(path)
