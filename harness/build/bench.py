# SPDX-License-Identifier: Apache-2.0
"""Recipe of what `teecall bench switch` boots: a payload in the host kernel's place."""

from __future__ import annotations

from harness.build.recipe import Bench, Facts, Inputs, Recipe


class BenchRecipe(Recipe):
    """The bare payload that measures domain switches."""

    name = "bench"
    sources = ("bench", "abi")
    programs = ("make", "dtc")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the payload, the ABI and the place of the pool."""
        return {
            "bench": facts.sources.identify("bench").id,
            "abi": facts.sources.identify("abi").id,
            "pool": facts.config.memory.pool_base,
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build the payload and the device tree of OpenSBI's own domains."""
        bench.copy("abi", "firmware", "abi")
        tree = bench.copy("bench", "firmware", "bench")
        output = bench.work / "output"
        pool = f"POOL_BASE={bench.config.memory.pool_base:#x}"
        bench.make(f"-C{tree}", f"O={output}", f"ABI_DIR={bench.work / 'firmware/abi'}", pool)
        for name in ("switch.bin", "switch.elf", "context.dtbo"):
            bench.keep(output / name)
