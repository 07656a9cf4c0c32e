# SPDX-License-Identifier: Apache-2.0
"""Recipes of the payloads that boot in the host kernel's place, one folder of firmware/ each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.build.recipe import Bench, Facts, Inputs, Recipe

HOST_IMAGE = "audit_host.bin"
HOST_ELF = "audit_host.elf"
TSM_ELF = "audit_tsm.elf"
SWITCH_IMAGE = "switch.bin"
SSE_IMAGE = "sse.bin"
GIGA_IMAGE = "giga.bin"
INSTANT_TSM = "instant.elf"
COST_IMAGE = "cost.bin"
COST_ELF = "cost.elf"


class PayloadRecipe(Recipe):
    """A payload: `make` in firmware/<name>.

    The folders of `libraries` are built with it, each under its make variable. `files` are what it
    makes and is kept, `addresses` the make variables that are addresses of the configuration's
    `memory`.
    """

    files: ClassVar[tuple[str, ...]]
    libraries: ClassVar[tuple[str, ...]] = ("abi",)
    addresses: ClassVar[Mapping[str, str]] = {}

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the payload, the ABI and the addresses that it is built with."""
        return {
            self.name: facts.sources.identify(self.name).id,
            **{name: facts.sources.identify(name).id for name in self.libraries},
            **{key: getattr(facts.config.memory, key) for key in self.addresses.values()},
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Run its Makefile and keep its files."""
        folders = [
            f"{name.upper().replace('-', '_')}_DIR={bench.copy(name, 'firmware', name)}"
            for name in self.libraries
        ]
        tree = bench.copy(self.name, "firmware", self.name)
        output = bench.work / "output"
        variables = (
            f"{name}={getattr(bench.config.memory, key):#x}" for name, key in self.addresses.items()
        )
        bench.make(f"-C{tree}", f"O={output}", *folders, *variables)
        for name in self.files:
            bench.keep(output / name)


class AuditRecipe(PayloadRecipe):
    """The audit's host and its TSM, linked at the base of the TSM's region."""

    name = "audit"
    sources = ("audit", "abi")
    files = (HOST_IMAGE, HOST_ELF, TSM_ELF)
    addresses: ClassVar[Mapping[str, str]] = {"TSM_BASE": "tsm_base"}


class BenchRecipe(PayloadRecipe):
    """The bare payloads: domain switches measured, an SSE event taken, a page of 1 GiB.

    With them come a TSM that answers at once and the device tree of OpenSBI's own domains.
    """

    name = "bench"
    libraries = ("abi", "launch")
    sources = ("bench", *libraries)
    programs = ("make", "dtc")
    files = (SWITCH_IMAGE, SSE_IMAGE, GIGA_IMAGE, INSTANT_TSM, "switch.elf", "context.dtbo")
    addresses: ClassVar[Mapping[str, str]] = {"POOL_BASE": "pool_base", "TSM_BASE": "tsm_base"}


class CostRecipe(PayloadRecipe):
    """The bare payload that measures what a TVM's memory costs.

    Copy and hash of a page it has of teecall's TSM, whatever TSM the machine has.
    """

    name = "cost"
    libraries = ("abi", "bench", "tsm-parts", "mbedtls")
    sources = ("cost", *libraries)
    files = (COST_IMAGE, COST_ELF)
    addresses: ClassVar[Mapping[str, str]] = {"POOL_BASE": "pool_base", "POOL_SIZE": "pool_size"}


class SweepRecipe(PayloadRecipe):
    """The bare payload that lets interrupts arrive at every instruction of a call."""

    name = "sweep"
    libraries = ("abi", "launch")
    sources = ("sweep", *libraries)
    files = ("sweep.bin", "sweep.elf")


class CoviRecipe(PayloadRecipe):
    """The bare payload that gives interrupt files to a TVM (COVI)."""

    name = "covi"
    libraries = ("abi", "launch")
    sources = ("covi", *libraries)
    files = ("covi.bin", "covi.elf")
