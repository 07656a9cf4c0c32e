# SPDX-License-Identifier: Apache-2.0
"""What the memory of TVMs costs in the TSM, in instructions.

A bare payload (firmware/cost) runs in the host kernel's place under `-icount`, so that nothing
but the code decides the numbers. It launches TVMs of one measured or zero page a page of their
memory, from 1 MiB up, and small TVMs beside others. It also measures what the bytes of a page
cost by themselves, with the TSM's own functions: copied, hashed, zeroed. What is left of a page's
cost is bookkeeping, the same for every page; each kind of page is judged by that of the other.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from harness.bench.memory_samples import PAGES_A_MIB, Costs, Line, Parts, fitted
from harness.bench.samples import parse_samples
from harness.bench.switch import deterministic, has_h
from harness.build.builder import Builder, Outcome
from harness.build.payload import COST_ELF, COST_IMAGE, CostRecipe
from harness.config.schema import Config
from harness.errors import ConfigError
from harness.machine.bare import bare_machine, patched, run_to_end
from harness.machine.ram import RAM_BASE
from harness.machine.rundir import RunDir
from harness.machine.symbols import ElfSymbols
from harness.ui import Ui

MAX_MIB = 256
LIVE = (1, 8, 64)
# Cost of a page against copy, hash or zeroing, and bookkeeping.
PAGE_RATIO = 1.1
# Share of a cost by which it may be off the straight line.
LINEAR = 0.02
# Share by which the cost of a TVM may change with the number of others.
FLAT = 0.10
_MIB = 1 << 20
# The live TVMs take 9 MiB, a launch a few pages for each of its MiB.
_MARGIN_MIB = 16
# Behind all that QEMU puts into memory: the device tree lies below it, at most.
_POOL_BASE = 0xC0000000
# Guest instructions a second under -icount, on a slow workstation, and those of a measured MiB.
_SLOW_IPS = 100_000_000
_INSTRUCTIONS_A_MIB = 60_000_000


@dataclass(frozen=True, slots=True)
class KindCost:
    """Launches of one kind, in instructions.

    `launch` and `release` are by the TVM's MiB, `part` is the page's bytes, `bookkeeping` what
    is left of a page and `bound` what a page may cost.
    """

    kind: str
    launch: dict[int, int]
    release: dict[int, int]
    line: Line
    part: int
    bookkeeping: float
    bound: float

    @property
    def page(self) -> float:
        """What each page of 4 KiB adds to a launch."""
        return self.line.per_unit / PAGES_A_MIB

    @property
    def linear(self) -> bool:
        """Whether every size costs what the line says, within the limit."""
        return self.line.worst <= LINEAR

    @property
    def within(self) -> bool:
        """Whether a page costs no more than it may."""
        return self.page <= self.bound


@dataclass(frozen=True, slots=True)
class LiveCost:
    """A small TVM, in instructions by how many live when it is there.

    `create` is create_tvm alone, `whole` all calls up to where its vCPU could run.
    """

    create: dict[int, int]
    whole: dict[int, int]
    destroy: dict[int, int]

    @staticmethod
    def spread(costs: dict[int, int]) -> float:
        """Return by which share the dearest is above the cheapest."""
        return max(costs.values()) / min(costs.values()) - 1

    @property
    def flat(self) -> bool:
        """Whether none of them changes with the number of TVMs, within the limit."""
        found = self.create, self.whole, self.destroy
        return max(self.spread(costs) for costs in found) <= FLAT


@dataclass(frozen=True, slots=True)
class MemoryCost:
    """All of it."""

    parts: Parts
    measured: KindCost
    zero: KindCost
    live: LiveCost

    @property
    def kept(self) -> bool:
        """Whether all limits are kept."""
        kinds = self.measured, self.zero
        return self.live.flat and all(each.linear and each.within for each in kinds)

    def as_json(self) -> dict[str, object]:
        """Return the numbers as plain data."""
        kinds = {
            each.kind: {
                **asdict(each),
                "page": each.page,
                "linear": each.linear,
                "within": each.within,
            }
            for each in (self.measured, self.zero)
        }
        live = {**asdict(self.live), "flat": self.live.flat}
        parts = {**asdict(self.parts), "zero": self.parts.zero}
        return {"parts": parts, **kinds, "live": live, "kept": self.kept}


def costs_of(costs: Costs) -> MemoryCost:
    """Return what follows from the costs of all calls.

    Raises:
        MachineError: one that is needed was not measured.
    """
    parts = costs.parts()
    bytes_of = {"measured": parts.copy + parts.hash, "zero": parts.zero}
    launches = {
        kind: {mib: costs.launch(kind, mib) for mib in costs.counts(f"{kind}.pages")}
        for kind in bytes_of
    }
    lines = {kind: fitted(found) for kind, found in launches.items()}
    left = {kind: lines[kind].per_unit / PAGES_A_MIB - part for kind, part in bytes_of.items()}
    other = {"measured": "zero", "zero": "measured"}
    measured, zero = (
        KindCost(
            kind=kind,
            launch=launches[kind],
            release={mib: costs.release(kind, mib) for mib in launches[kind]},
            line=lines[kind],
            part=part,
            bookkeeping=left[kind],
            bound=PAGE_RATIO * (part + left[other[kind]]),
        )
        for kind, part in bytes_of.items()
    )
    live = LiveCost(
        {count: costs.cost("live.create", count) for count in LIVE},
        {count: costs.create(count) for count in LIVE},
        {count: costs.cost("live.destroy", count) for count in LIVE},
    )
    return MemoryCost(parts, measured, zero, live)


def roomy(config: Config, max_mib: int) -> Config:
    """Return the machine with a pool for a TVM of that size, and as much memory behind it.

    Args:
        config: the machine.
        max_mib: the largest TVM.

    Raises:
        ConfigError: its harts lack the H extension, which the TSM needs.
    """
    if not has_h(config):
        raise ConfigError("the TSM needs harts with H", "leave h=false out of machine.cpu")
    pool_mib = max_mib + _MARGIN_MIB
    room = (_POOL_BASE - RAM_BASE) // _MIB + pool_mib + max_mib
    # A silent call is no hang: the largest one hashes all of its memory.
    seconds = max_mib * _INSTRUCTIONS_A_MIB // _SLOW_IPS
    return deterministic(
        msgspec.structs.replace(
            config,
            memory=msgspec.structs.replace(
                config.memory, pool_base=_POOL_BASE, pool_size=pool_mib * _MIB
            ),
            machine=msgspec.structs.replace(
                config.machine, memory_mib=max(room, config.machine.memory_mib)
            ),
            # M-mode's watchdog looks at a long call now and then, which would be counted too.
            tsm=msgspec.structs.replace(config.tsm, watchdog_ms=0),
            timeouts=msgspec.structs.replace(
                config.timeouts, stall_s=config.timeouts.stall_s + seconds
            ),
        )
    )


def measure(config: Config, run: RunDir, ui: Ui, *, offline: bool, max_mib: int) -> MemoryCost:
    """Return what the memory of TVMs costs on a machine.

    Args:
        config: the machine; it gets the memory that is needed.
        run: folder for the evidence.
        ui: shows the build's progress.
        offline: never touch the network.
        max_mib: the largest TVM, 2 at least: each one has twice the memory of the one before.

    Raises:
        BuildError, MachineError: the payload is not built, or did not come to its end.
    """
    config = roomy(config, max_mib)
    outcome = Builder(config, ui, offline=offline, extra=(CostRecipe(),)).run()
    payload = _payload(outcome, run, max_mib)
    with bare_machine(config, outcome.artefacts, payload, run) as machine:
        lines: Sequence[str] = run_to_end(machine, "bench tsm")
    return costs_of(Costs(parse_samples(lines)))


def _payload(outcome: Outcome, run: RunDir, max_mib: int) -> Path:
    place = outcome.places[CostRecipe.name]
    largest = ElfSymbols(place / COST_ELF).object("cost_max_mib")
    payload = run.path / COST_IMAGE
    image = (place / COST_IMAGE).read_bytes()
    payload.write_bytes(patched(image, largest, struct.pack("<Q", max_mib)))
    return payload
