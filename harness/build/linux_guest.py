# SPDX-License-Identifier: Apache-2.0
"""Recipe of the user space that a Linux guest has, as TVM and as plain guest of KVM."""

from __future__ import annotations

from harness.build import cpio
from harness.build.recipe import Bench, Facts, Inputs, Recipe
from harness.build.userland import busybox_in

_LIST = "initramfs.list"
INITRAMFS = "initramfs.cpio"


class GuestInitramfsRecipe(Recipe):
    """busybox and the guest's init: guest-images/tvm/linux."""

    name = "guest-initramfs"
    sources = ("busybox", "tvm")
    programs = ()

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on busybox and on the folder with the init and the list."""
        return {
            "busybox": facts.sources.identify("busybox").id,
            "linux": facts.sources.part("tvm", "linux"),
        }

    def build(self, bench: Bench) -> None:
        """Write the archive."""
        folder = bench.sources.materialise("tvm") / "linux"
        places = {
            "INIT": str(folder / "init"),
            "BUSYBOX": str(busybox_in(bench.sources.materialise("busybox"))),
        }
        text = (folder / _LIST).read_text(encoding="utf-8")
        members = cpio.parse_list(text, places, _LIST)
        (bench.out / INITRAMFS).write_bytes(cpio.archive(members))
