# SPDX-License-Identifier: Apache-2.0
"""Recipes of Debian's riscv64 kernel: the package as it is, and a build folder for the driver.

The scripts in Debian's package for module builds are programs for a newer C library than that of
Debian 12. So the build folder has what the headers package says of the kernel (configuration,
generated headers, symbol versions), and scripts made here from the kernel's source.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import ClassVar

from harness.build.image import read_kernel
from harness.build.kernel import REPRODUCIBLE, CovhRecipe, prune
from harness.build.modules import WANTED, modules_of, write_modules
from harness.build.recipe import Bench, Facts, Inputs, Recipe
from harness.build.userland import InitramfsRecipe
from harness.errors import BuildError

IMAGE = "Image"
MODULES = "modules"
_RELEASE = re.compile(r'UTS_RELEASE "([^"]+)"')
_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", re.MULTILINE)
# Generated from configuration, compiler and source: made again here, they must come out the same,
# or the driver would be built for another kernel.
_WITNESSES = (
    "include/generated/autoconf.h",
    "include/generated/asm-offsets.h",
    "include/generated/bounds.h",
    "include/generated/utsrelease.h",
)
# Programs that the kernel's own build has and a module without signature and BTF does not need:
# they would need headers of OpenSSL and libelf.
_WITHOUT = ("CONFIG_MODULE_SIG_FORMAT=", "CONFIG_DEBUG_INFO_BTF=", "CONFIG_DEBUG_INFO_BTF_MODULES=")


class DebianKernelRecipe(Recipe):
    """The Image of Debian's package, and those of its modules that the host needs."""

    name = "debian-kernel"
    revision = 2
    sources = ("debian-image",)
    programs = ()

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the package and on the modules that are taken."""
        return {
            "debian-image": facts.sources.identify("debian-image").id,
            "modules": list(WANTED),
        }

    def build(self, bench: Bench) -> None:
        """Unpack what the package has packed."""
        tree = bench.sources.materialise("debian-image")
        image = read_kernel(_only(tree, "boot/vmlinu[xz]-*"), "the package's kernel")
        (bench.out / IMAGE).write_bytes(image.content)
        folder = _only(tree, "usr/lib/modules/*", "lib/modules/*")
        write_modules(modules_of(folder, WANTED), bench.out / MODULES)


class DebianBuildRecipe(Recipe):
    """A folder to build modules for Debian's kernel in."""

    name = "debian-build"
    sources = ("debian-headers", "debian-image", "linux")
    programs = ("make", "gcc", "bison", "flex", "bc")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the packages, the source and the compiler."""
        found = {name: facts.sources.identify(name).id for name in self.sources}
        return {**found, "compiler": facts.compiler}

    def build(self, bench: Bench) -> None:
        """Complete what the package has by scripts made from the source."""
        bench.expect("linux", "a Linux tree", "Kconfig", "host.source")
        headers = _only(bench.sources.materialise("debian-headers"), "usr/src/linux-headers-*")
        tree = bench.sources.materialise("linux")
        release = check_release(headers, tree, bench.sources.materialise("debian-image"))
        output = bench.work / "build"
        # scripts and tools are links to a package that is not here.
        shutil.copytree(headers, output, symlinks=True, ignore=_unwanted)
        _settle(output)
        before = {name: (output / name).read_bytes() for name in _WITNESSES}
        upstream = _upstream(tree)
        bench.make(
            f"-C{tree}",
            "ARCH=riscv",
            f"O={output}",
            *_WITHOUT,
            "modules_prepare",
            environment={**REPRODUCIBLE, "LOCALVERSION": release.removeprefix(upstream)},
        )
        check_same(output, before)
        prune(output)
        shutil.move(output, bench.out / "build")


class DebianCovhRecipe(CovhRecipe):
    """The driver for Debian's kernel."""

    needs: ClassVar[tuple[str, ...]] = ("debian-build",)


class DebianInitramfsRecipe(InitramfsRecipe):
    """The host's user space with the modules of Debian's kernel."""

    needs: ClassVar[tuple[str, ...]] = (*InitramfsRecipe.needs, "debian-kernel")

    def modules(self, bench: Bench) -> Path | None:
        """Return the folder of the modules."""
        return bench.needs["debian-kernel"] / MODULES


def host_recipes(*, initramfs: bool) -> list[Recipe]:
    """Return what a host with Debian's kernel is made by, with an initramfs or without."""
    recipes: list[Recipe] = [DebianKernelRecipe(), DebianBuildRecipe(), DebianCovhRecipe()]
    return [*recipes, DebianInitramfsRecipe()] if initramfs else recipes


def check_release(headers: Path, tree: Path, image: Path) -> str:
    """Return the release of the headers, which must be that of the source and of the kernel.

    Raises:
        BuildError: the three are of different versions.
    """
    found = _RELEASE.search((headers / _WITNESSES[-1]).read_text(encoding="utf-8"))
    release = found[1] if found else ""
    upstream = _upstream(tree)
    kernel = _only(image, "boot/vmlinu[xz]-*").name.partition("-")[2]
    if kernel != release or re.match(rf"{re.escape(upstream)}(?!\d)", release) is None:
        raise BuildError(
            f"Debian's kernel is {kernel}, its headers are {release}, the Linux source {upstream}",
            "`teecall fetch --update-lock` pins all three in one version; host.kernel=debian"
            " goes with no host.source of another version",
        )
    return release


def check_same(output: Path, before: dict[str, bytes]) -> None:
    """Check that what was generated here is what the package has.

    Raises:
        BuildError: a file differs; the message names it.
    """
    changed = [name for name, content in before.items() if (output / name).read_bytes() != content]
    if changed:
        raise BuildError(
            f"{', '.join(changed)}: made here, differs from what Debian's kernel was built with",
            "a driver built so would not fit the kernel; use a cross compiler that Debian's"
            " configuration fits",
        )


def _unwanted(folder: str, names: list[str]) -> set[str]:
    """Name what is not copied: links to other packages, and ten thousand empty marks."""
    if Path(folder).match("include/config"):
        return set(names) - {"auto.conf", "kernel.release"}
    links = ("scripts", "tools", "Makefile", ".kernelvariables", "vmlinux")
    return {name for name in names if name in links and "Module.symvers" in names}


def _settle(output: Path) -> None:
    """Let make find the configuration as it is: it would ask this compiler for another one."""
    for name in ("config/auto.conf", "config/auto.conf.cmd", "generated/autoconf.h"):
        (output / "include" / name).touch()
    (output / "include/generated/rustc_cfg").touch()


def _upstream(tree: Path) -> str:
    """Return "6.12.107" of a source tree."""
    parts = dict(_VERSION.findall((tree / "Makefile").read_text(encoding="utf-8")))
    return ".".join(parts.get(name, "0") for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def _only(tree: Path, *patterns: str) -> Path:
    found = [path for pattern in patterns for path in sorted(tree.glob(pattern))]
    if len(found) != 1:
        raise BuildError(
            f"{tree} has {len(found)} of {' or '.join(patterns)}",
            "the package is of another kind than the lock's; see configs/sources.lock",
        )
    return found[0]
