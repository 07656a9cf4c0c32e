# SPDX-License-Identifier: Apache-2.0
"""Recipes of the firmware: OpenSBI with the domain switch, the TSM, the device-tree overlay."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from harness.build.recipe import Bench, Facts, Inputs, Recipe, compiler_flags
from harness.config.domains import KEYS
from harness.config.schema import Config

FOLDER = "tsmd"


class OpenSbiRecipe(Recipe):
    """Upstream OpenSBI with the domain switch placed in it as a new folder."""

    name = "opensbi"
    sources = ("opensbi", "overlay", "overlay-abi")
    programs = ("make", "python3")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the upstream tree, the switch, the ABI headers and the flags."""
        return {
            "opensbi": facts.sources.identify("opensbi").id,
            "overlay": facts.sources.identify("overlay").id,
            "abi": facts.sources.identify("overlay-abi").id,
            "flags": list(facts.config.opensbi.flags),
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build fw_dynamic for the generic platform."""
        tree = bench.copy("opensbi", "opensbi")
        bench.expect("opensbi", "an OpenSBI tree", "lib/sbi/objects.mk", "opensbi.source")
        bench.expect("overlay", "a domain switch", "objects.mk", "opensbi.overlay")
        overlay = bench.copy("overlay", "opensbi", "lib", "sbi", FOLDER)
        for header in bench.sources.materialise("overlay-abi").glob("*.h"):
            shutil.copy2(header, overlay)
        self.compile(bench, tree, bench.work / "output")

    def compile(self, bench: Bench, tree: Path, output: Path) -> None:
        """Run make and keep what it makes.

        Args:
            bench: where the result goes.
            tree: upstream's tree with the domain switch in it.
            output: of make; what it has already is not made again.
        """
        flags = bench.config.opensbi.flags
        # Paths of this build must not reach the firmware: the same inputs give the same bits.
        general = [f"-ffile-prefix-map={tree}=opensbi", f"-ffile-prefix-map={output}=output"]
        bench.make(
            f"-C{tree}",
            f"O={output}",
            # The makefile asks readlink(1) for it, 500 times, which takes longer than a link.
            f"build_dir={output.resolve()}",
            "PLATFORM=generic",
            "BUILD_INFO=n",
            # The other firmware images have the same code and are booted by nobody here.
            "FW_JUMP=n",
            "FW_PAYLOAD=n",
            flags=flags,
            environment={"GENFLAGS": " ".join([*general, *compiler_flags(flags)])},
        )
        for name in ("fw_dynamic.bin", "fw_dynamic.elf"):
            bench.keep(output / "platform/generic/firmware" / name)


class TsmRecipe(Recipe):
    """The TSM, linked at the base of its region."""

    name = "tsm"
    sources = ("tsm", "tsm-abi", "mbedtls")
    base: ClassVar[str] = "tsm_base"

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the TSM's tree, mbedTLS, the ABI headers and where it is linked."""
        return {
            "tsm": facts.sources.identify("tsm").id,
            "abi": facts.sources.identify("tsm-abi").id,
            "mbedtls": facts.sources.identify("mbedtls").id,
            "base": getattr(facts.config.memory, self.base),
            "flags": list(facts.config.tsm.flags),
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build tsm.elf."""
        bench.expect("tsm", "a TSM", "Makefile", "tsm.source")
        bench.expect("mbedtls", "an mbedTLS tree", "library/sha512.c", "mbedtls.source")
        # The TSM's sources find the ABI headers beside their own folder, as in the repository.
        tree = bench.copy("tsm", "firmware", "tsm")
        bench.copy("tsm-abi", "firmware", "abi")
        output = bench.work / "output"
        mbedtls = bench.sources.materialise("mbedtls")
        flags = bench.config.tsm.flags
        bench.make(
            f"-C{tree}",
            f"O={output}",
            f"MBEDTLS={mbedtls}",
            f"TSM_BASE={getattr(bench.config.memory, self.base):#x}",
            f"TSM_CFLAGS={' '.join(compiler_flags(flags))}",
            flags=flags,
        )
        bench.keep(output / "tsm.elf")


class SecondTsmRecipe(TsmRecipe):
    """The same TSM, linked at the base of the second domain's region."""

    name = "tsm2"
    base: ClassVar[str] = "tsm2_base"


class OverlayRecipe(Recipe):
    """The device-tree overlay that declares the TSM domains and their memory."""

    name = "overlay"
    sources = ("dt",)
    programs = ("dtc",)

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the overlay's source and the addresses in it."""
        return {
            "dt": facts.sources.identify("dt").id,
            "defines": self._defines(facts.config),
            "compiler": facts.compiler,
        }

    @staticmethod
    def _defines(config: Config) -> list[str]:
        keys = KEYS[: config.tsm.domains]
        names = [(k.tsm_base, k.tsm_size, k.pool_base, k.pool_size) for k in keys]
        names_once = dict.fromkeys(name for group in names for name in group)
        return [
            *(f"-D{name.upper()}={getattr(config.memory, name):#x}" for name in names_once),
            f"-DWATCHDOG_MS={config.tsm.watchdog_ms}",
            f"-DTSM_DOMAINS={config.tsm.domains}",
        ]

    def build(self, bench: Bench) -> None:
        """Run the source through the C preprocessor, for the addresses, and dtc."""
        source = bench.sources.materialise("dt") / "teecall.dtso"
        expanded = bench.work / "teecall.dts"
        compiler = f"{bench.config.build.cross_compile}gcc"
        preprocess = ["-E", "-P", "-nostdinc", "-undef", "-x", "assembler-with-cpp"]
        defines = self._defines(bench.config)
        bench.run([compiler, *preprocess, *defines, "-o", str(expanded), str(source)])
        target = bench.out / "teecall.dtbo"
        bench.run(["dtc", "-q", "-@", "-I", "dts", "-O", "dtb", "-o", str(target), str(expanded)])
