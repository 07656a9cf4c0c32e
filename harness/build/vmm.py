# SPDX-License-Identifier: Apache-2.0
"""Recipe of a VMM of others: Debian's QEMU for riscv64, which runs in the host on its KVM."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath
from typing import ClassVar

from harness import resources
from harness.build.cpio import Member, archive
from harness.build.libraries import closure
from harness.build.recipe import Bench, Facts, Inputs, Recipe
from harness.build.vmm_guest import KERNEL, RAM, START
from harness.errors import BuildError
from harness.sources import lock
from harness.sources.resolve import LOCK_FILE
from harness.sources.vmm_packages import NAME_OF_VMM, PREFIX

ARCHIVE = "vmm.cpio"
"""An initramfs with all of it, which the host's goes on with."""
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
        files = {f"/lib/{name}": file for name, file in closure(program, roots).items()}
        files |= {f"/bin/{PROGRAM}": program, START: self._start(bench)}
        folders = [Member(str(PurePosixPath(START).parent), stat.S_IFDIR | 0o755)]
        members = [
            Member(name, stat.S_IFREG | 0o755, content=file.read_bytes())
            for name, file in sorted(files.items())
        ]
        (bench.out / ARCHIVE).write_bytes(archive(folders + members))

    def _start(self, bench: Bench) -> Path:
        source = bench.copy("tvm", "guest-images", "tvm") / "vmm" / "start.S"
        target = bench.work / "start.elf"
        # -n: the segment holds no headers, which would begin below the memory.
        layout = (
            f"-Wl,-Ttext={RAM:#x},--build-id=none,-n",
            f"-DKERNEL_BASE={KERNEL:#x}",
        )
        compiler = f"{bench.config.build.cross_compile}gcc"
        bench.run([compiler, "-nostdlib", "-static", *layout, "-o", str(target), str(source)])
        return target
