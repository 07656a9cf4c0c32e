# SPDX-License-Identifier: Apache-2.0
"""Recipe of a VMM of others: Debian's QEMU for riscv64, which runs in the host on its KVM."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from harness import resources
from harness.build.addresses import GUEST_KERNEL, GUEST_RAM
from harness.build.libraries import closure
from harness.build.recipe import Bench, Facts, Inputs, Recipe
from harness.errors import BuildError
from harness.sources import lock
from harness.sources.resolve import LOCK_FILE
from harness.sources.vmm_packages import NAME_OF_VMM, PREFIX

START = "start.elf"
PROGRAM = "qemu-system-riscv64"


def packages() -> tuple[str, ...]:
    """Return the components of the lock that the VMM consists of."""
    names = lock.read(resources.configs() / LOCK_FILE)
    return tuple(name for name in names if name.startswith(PREFIX))


class VmmRecipe(Recipe):
    """QEMU and the libraries it needs, of the pinned packages, and what its guests begin with."""

    name = "vmm"
    # Read from the lock as this module is imported, which only a run with this VMM does.
    sources: ClassVar[tuple[str, ...]] = ("tvm", *packages())
    programs = ()

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on every package, the guests' first instructions and the compiler."""
        return {
            **{name: facts.sources.identify(name).id for name in packages()},
            "start": facts.sources.part("tvm", "vmm"),
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Take out of the packages what runs, and nothing else."""
        roots = [bench.sources.materialise(name) for name in packages()]
        program = bench.sources.materialise(NAME_OF_VMM) / "usr/bin" / PROGRAM
        if not program.is_file():
            raise BuildError(
                f"the package {NAME_OF_VMM} has no {PROGRAM}",
                "`python -m harness.sources.vmm_lock` resolves the packages anew",
            )
        for name, file in closure(program, roots).items():
            bench.keep(file, name)
        bench.keep(program)
        self._build_start(bench)

    def _build_start(self, bench: Bench) -> None:
        source = bench.copy("tvm", "guest-images", "tvm") / "vmm" / "start.S"
        target = bench.work / START
        # -n: the segment holds no headers, which would begin below the memory.
        layout = (
            f"-Wl,-Ttext={GUEST_RAM:#x},--build-id=none,-n",
            f"-DKERNEL_BASE={GUEST_KERNEL:#x}",
        )
        compiler = f"{bench.config.build.cross_compile}gcc"
        bench.run([compiler, "-nostdlib", "-static", *layout, "-o", str(target), str(source)])
        bench.keep(target)


def files_of(place: Path) -> dict[str, bytes]:
    """Return what the host has to have for the VMM, by absolute path.

    Args:
        place: the folder of the built VMM.
    """
    folders = {PROGRAM: "/bin", START: "/guest"}
    return {
        f"{folders.get(file.name, '/lib')}/{file.name}": file.read_bytes()
        for file in sorted(place.iterdir())
        if file.name in folders or ".so" in file.name
    }
