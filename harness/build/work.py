# SPDX-License-Identifier: Apache-2.0
"""Recipe of `work`: the program that works alike on the host and in Linux guests."""

from __future__ import annotations

from harness.build import cpio
from harness.build.recipe import Bench, Facts, Inputs, Recipe

_LIST = "initramfs.list"
PROGRAM = "work"
INITRAMFS = "work.cpio"


class WorkRecipe(Recipe):
    """The program and an initramfs with nothing else in it: guest-images/tvm/work."""

    name = "work"
    sources = ("tvm",)

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the folder and the compiler."""
        return {"work": facts.sources.part("tvm", "work"), "compiler": facts.compiler}

    def build(self, bench: Bench) -> None:
        """Build the program and write the archive."""
        tree = bench.copy("tvm", "guest-images", "tvm") / "work"
        output = bench.work / "output"
        bench.make(f"-C{tree}", f"O={output}")
        bench.keep(output / PROGRAM)
        text = (tree / _LIST).read_text(encoding="utf-8")
        members = cpio.parse_list(text, {"WORK": str(output / PROGRAM)}, _LIST)
        (bench.out / INITRAMFS).write_bytes(cpio.archive(members))
