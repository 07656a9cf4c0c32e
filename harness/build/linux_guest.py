# SPDX-License-Identifier: Apache-2.0
"""Recipes of what a Linux guest has, as TVM and as plain guest of KVM: user space and kernel."""

from __future__ import annotations

from typing import ClassVar

from harness.build import cpio
from harness.build.kernel import FRAGMENT, IMAGE, KernelRecipe
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
            "DEVICES": str(folder / "devices"),
            "BUSYBOX": str(busybox_in(bench.sources.materialise("busybox"))),
        }
        text = (folder / _LIST).read_text(encoding="utf-8")
        members = cpio.parse_list(text, places, _LIST)
        (bench.out / INITRAMFS).write_bytes(cpio.archive(members))


class GuestKernelRecipe(KernelRecipe):
    """Linux with drivers of virtio devices and the restricted DMA pool, without KVM."""

    name = "guest-kernel"
    sources: ClassVar[tuple[str, ...]] = ("linux", "host", "tvm")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on what the host's kernel depends on, and on the guest's own fragment."""
        return {**super().inputs(facts), "guest": facts.sources.part("tvm", "linux", FRAGMENT)}

    def build(self, bench: Bench) -> None:
        """Build with both fragments, of which the guest's comes last; keep the Image."""
        parts = (
            bench.sources.materialise("host") / FRAGMENT,
            bench.sources.materialise("tvm") / "linux" / FRAGMENT,
        )
        fragment = bench.work / FRAGMENT
        fragment.write_text("".join(part.read_text(encoding="utf-8") for part in parts))
        bench.keep(self.make(bench, fragment, "Image") / IMAGE)
