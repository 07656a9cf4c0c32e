# SPDX-License-Identifier: Apache-2.0
"""Recipes of what runs on the host and in the TVM: tool, guests, initramfs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from harness.build import cpio
from harness.build.recipe import Bench, Facts, Inputs, Recipe, compiler_flags
from harness.errors import ConfigError

LIST = "initramfs.list"
_BUSYBOX = ("usr/bin/busybox", "bin/busybox", "busybox")


class _ToolRecipe(Recipe):
    """A static program for the host, from a folder of its name, that may use others' files."""

    sources = ("host", "abi")
    uses: tuple[str, ...] = ()

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the tool, on what it shares with others, the driver's interface and the ABI."""
        return {
            **{part: facts.sources.part("host", part) for part in (self.name, *self.uses)},
            "uapi": facts.sources.part("host", "covh", "covh_uapi.h"),
            "abi": facts.sources.identify("abi").id,
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build the tool beside the driver, whose interface it includes."""
        bench.copy("abi", "firmware", "abi")
        host = bench.copy("host", "guest-images", "host")
        output = bench.work / "output"
        bench.make(f"-C{host / self.name}", f"O={output}", f"ABI_DIR={bench.work / 'firmware/abi'}")
        bench.keep(output / self.name)


class TvmToolRecipe(_ToolRecipe):
    """The `tvm` tool, which launches TVMs and makes calls."""

    name = "tvm"
    uses = ("virtio",)


class KvmToolRecipe(_ToolRecipe):
    """The `kvm` tool, which runs plain guests of the host's KVM."""

    name = "kvm"
    uses = ("tvm", "virtio")


class GuestsRecipe(Recipe):
    """The payloads that run as TVMs."""

    name = "guests"
    sources = ("tvm", "abi")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the payloads' sources, the ABI and the flags."""
        return {
            "tvm": facts.sources.identify("tvm").id,
            "abi": facts.sources.identify("abi").id,
            "flags": list(facts.config.tvm.flags),
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Build every payload."""
        bench.copy("abi", "firmware", "abi")
        tree = bench.copy("tvm", "guest-images", "tvm")
        output = bench.work / "output"
        flags = bench.config.tvm.flags
        compiler = [f"{bench.config.build.cross_compile}gcc", *compiler_flags(flags)]
        bench.make(
            f"-C{tree}",
            f"O={output}",
            f"ABI_DIR={bench.work / 'firmware/abi'}",
            f"CC={' '.join(compiler)}",
            flags=flags,
        )
        bench.keep(output / "hello.elf")
        for payload in output.glob("*.elf"):
            bench.keep(payload)


class InitramfsRecipe(Recipe):
    """The host's user space: busybox, init, the driver, the tools and the payloads."""

    name = "initramfs"
    needs: ClassVar[tuple[str, ...]] = ("covh", "tvm", "kvm", "guests")
    sources = ("busybox", "host")
    programs = ()

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on everything that is packed and on the list that says where."""
        return {
            **{name: facts.key(name) for name in self.needs},
            "busybox": facts.sources.identify("busybox").id,
            "init": facts.sources.part("host", "init"),
            "list": facts.sources.part("host", LIST),
            "recipe": "3",
        }

    def build(self, bench: Bench) -> None:
        """Write the archive."""
        host = bench.sources.materialise("host")
        places = {
            "INIT": host / "init",
            "BUSYBOX": busybox_in(bench.sources.materialise("busybox")),
            "COVH_KO": _without_debug(bench, bench.needs["covh"] / "covh.ko"),
            "TVM": bench.needs["tvm"] / "tvm",
            "KVM": bench.needs["kvm"] / "kvm",
            "PAYLOADS": bench.needs["guests"],
        }
        text = (host / LIST).read_text(encoding="utf-8")
        names = {name: str(place) for name, place in places.items()}
        members = cpio.parse_list(text, names, LIST)
        if folder := self.modules(bench):
            lines = (f"file /lib/modules/{path.name} {path} 644 0 0" for path in folder.iterdir())
            members += cpio.parse_list("\n".join(sorted(lines)), {}, str(folder))
        (bench.out / "initramfs.cpio").write_bytes(cpio.archive(members))

    def modules(self, bench: Bench) -> Path | None:
        """Return a folder of the kernel's own modules that the host loads; None: it needs none."""
        return None


class UserKernelInitramfsRecipe(InitramfsRecipe):
    """The host's user space with the modules of a kernel of the user's that it needs."""

    def __init__(self, build: Path) -> None:
        self._build = build

    def _modules(self) -> dict[str, bytes]:
        from harness.build.modules import WANTED, modules_of

        return modules_of(self._build, WANTED)

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the modules besides."""
        found = {name: hashlib.sha256(data).hexdigest() for name, data in self._modules().items()}
        return {**super().inputs(facts), "modules": found}

    def modules(self, bench: Bench) -> Path | None:
        """Return the folder of the modules; None when all that is needed is built in."""
        from harness.build.modules import write_modules

        found = self._modules()
        if not found:
            return None
        folder = bench.work / "modules"
        write_modules(
            {name: _stripped(bench, name, content) for name, content in found.items()}, folder
        )
        return folder


def _stripped(bench: Bench, name: str, content: bytes) -> bytes:
    """Return a module without debug information."""
    folder = bench.work / "unpacked"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.ko"
    path.write_bytes(content)
    return _without_debug(bench, path).read_bytes()


def _without_debug(bench: Bench, module: Path) -> Path:
    """Return a copy without what only a debugger reads.

    The kernel copies all symbols, thousands of labels of the compiler among them, at every load,
    and frees them with two remote fences per page.
    """
    stripped = bench.work / module.name
    tool = f"{bench.config.build.cross_compile}objcopy"
    bench.run([tool, "--strip-debug", "--discard-locals", str(module), str(stripped)])
    return stripped


def busybox_in(tree: Path) -> Path:
    """Return the static busybox in a folder, a package's or a user's.

    Raises:
        ConfigError: there is none.
    """
    for name in _BUSYBOX:
        if (tree / name).is_file():
            return tree / name
    raise ConfigError(
        f"no busybox in {tree}", "busybox.source must name a folder that has usr/bin/busybox"
    )
