# SPDX-License-Identifier: Apache-2.0
"""Recipe of the two sides that `teecall run audit` boots in the places of host and TSM."""

from __future__ import annotations

from harness.build.recipe import Bench, Facts, Inputs, Recipe

HOST_IMAGE = "audit_host.bin"
HOST_ELF = "audit_host.elf"
TSM_ELF = "audit_tsm.elf"


class AuditRecipe(Recipe):
    """The audit's host and its TSM, linked at the base of the TSM's region."""

    name = "audit"
    sources = ("audit", "abi")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the payloads, the ABI and where the TSM is linked."""
        return {
            "audit": facts.sources.identify("audit").id,
            "abi": facts.sources.identify("abi").id,
            "base": facts.config.memory.tsm_base,
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build audit_host.bin (with its ELF file, for symbols) and audit_tsm.elf."""
        bench.copy("abi", "firmware", "abi")
        tree = bench.copy("audit", "firmware", "audit")
        output = bench.work / "output"
        base = f"TSM_BASE={bench.config.memory.tsm_base:#x}"
        bench.make(f"-C{tree}", f"O={output}", f"ABI_DIR={bench.work / 'firmware/abi'}", base)
        for name in (HOST_IMAGE, HOST_ELF, TSM_ELF):
            bench.keep(output / name)
