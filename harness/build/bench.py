# SPDX-License-Identifier: Apache-2.0
"""Recipe of what `teecall bench switch` boots: a payload in the host kernel's place."""

from __future__ import annotations

from harness.build.recipe import Bench, Facts, Inputs, Recipe

PAYLOAD = "switch.bin"
SSE_PAYLOAD = "sse.bin"
INSTANT_TSM = "instant.elf"


class BenchRecipe(Recipe):
    """The bare payloads that measure domain switches, and a TSM that answers at once."""

    name = "bench"
    sources = ("bench", "abi")
    programs = ("make", "dtc")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the payload, the ABI and the places of the pool and the TSM."""
        return {
            "bench": facts.sources.identify("bench").id,
            "abi": facts.sources.identify("abi").id,
            "pool": facts.config.memory.pool_base,
            "base": facts.config.memory.tsm_base,
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build the payloads, the TSM and the device tree of OpenSBI's own domains."""
        bench.copy("abi", "firmware", "abi")
        tree = bench.copy("bench", "firmware", "bench")
        output = bench.work / "output"
        memory = bench.config.memory
        places = (f"POOL_BASE={memory.pool_base:#x}", f"TSM_BASE={memory.tsm_base:#x}")
        bench.make(f"-C{tree}", f"O={output}", f"ABI_DIR={bench.work / 'firmware/abi'}", *places)
        for name in (PAYLOAD, SSE_PAYLOAD, INSTANT_TSM, "switch.elf", "context.dtbo"):
            bench.keep(output / name)
