# SPDX-License-Identifier: Apache-2.0
"""Recipes of the host kernel and of the driver built against it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from harness.build.recipe import Bench, Facts, Inputs, Recipe
from harness.errors import BuildError, ConfigError
from harness.files import sha256_of

IMAGE = Path("arch/riscv/boot/Image")
FRAGMENT = "kernel.config"
_OPTION = re.compile(r"^(CONFIG_\w+)=(.+)$")
# Nothing of the machine or the moment of the build goes into the kernel.
REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER": "teecall",
    "KBUILD_BUILD_HOST": "teecall",
    "KBUILD_BUILD_VERSION": "1",
    # Set, if empty: a git tree would otherwise add a "+" to the release.
    "LOCALVERSION": "",
}
# What a finished kernel build needs no more, also to build modules against it.
_SPENT = ("*.o", "*.a", "*.cmd", "*.d", ".tmp_*", "*.order", "*.mod", "*.mod.c", ".vmlinux.*")


class KernelRecipe(Recipe):
    """Linux with the small configuration of guest-images/host/kernel.config."""

    name = "kernel"
    sources: ClassVar[tuple[str, ...]] = ("linux", "host")
    programs = ("make", "gcc", "bison", "flex", "bc")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the kernel's tree and the configuration fragment."""
        return {
            "linux": facts.sources.identify("linux").id,
            "fragment": facts.sources.part("host", FRAGMENT),
            "compiler": facts.compiler,
        }

    def build(self, bench: Bench) -> None:
        """Configure, check that the configuration took, build, and keep what modules need."""
        output = self.make(bench, bench.sources.materialise("host") / FRAGMENT, "Image", "modules")
        prune(output)
        shutil.move(output, bench.out / "build")

    def make(self, bench: Bench, fragment: Path, *targets: str) -> Path:
        """Build with a configuration fragment; return the build folder.

        Raises:
            BuildError: an option of the fragment did not take, or the kernel does not build.
        """
        tree = bench.sources.materialise("linux")
        output = bench.work / "build"
        output.mkdir()
        bench.expect("linux", "a Linux tree", "Kconfig", "host.source")
        maps = f"-ffile-prefix-map={tree}/= -ffile-prefix-map={output}=."
        environment = {**REPRODUCIBLE, "KCFLAGS": maps, "KAFLAGS": maps}
        common = (f"-C{tree}", "ARCH=riscv", f"O={output}")
        configure = {**environment, "KCONFIG_ALLCONFIG": str(fragment)}
        bench.make(*common, "allnoconfig", environment=configure)
        check_options(fragment, output / ".config")
        bench.make(*common, *targets, environment=environment)
        return output


def check_options(fragment: Path, result: Path) -> None:
    """Check that every option of a fragment is in the resulting configuration.

    Kconfig drops silently what has an unmet dependency or does not exist.

    Raises:
        BuildError: an option did not take; the message names it.
    """
    wanted = dict(_options(fragment))
    found = dict(_options(result))
    lost = [
        f"{name}={value} (got {found.get(name, 'n')})"
        for name, value in wanted.items()
        if found.get(name, "n") != value
    ]
    if lost:
        raise BuildError(
            f"{fragment.name}: {len(lost)} option(s) did not take in this kernel",
            "add what they depend on, or remove them, in the fragment",
            details=lost[:8],
        )


def _options(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := _OPTION.match(line.strip()):
            yield match[1], match[2]


def prune(output: Path) -> None:
    """Remove objects and the like: a tenth of the build is what modules need."""
    for pattern in _SPENT:
        for path in list(output.rglob(pattern)):
            if path.is_file() and not path.is_symlink():
                path.unlink()
    for folder in sorted((p for p in output.rglob("*") if p.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


class CovhRecipe(Recipe):
    """The driver, built out of tree against a kernel's build folder."""

    name = "covh"
    revision = 2
    needs: ClassVar[tuple[str, ...]] = ("kernel",)
    sources: ClassVar[tuple[str, ...]] = ("linux", "host", "abi")
    programs = ("make", "gcc")

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the driver's sources, the ABI headers and the kernel."""
        return {
            "covh": facts.sources.part("host", "covh"),
            "abi": facts.sources.identify("abi").id,
            "kernel": facts.key(self.needs[0]),
            "compiler": facts.compiler,
        }

    def kernel_build(self, bench: Bench) -> Path:
        """Return the kernel's build folder."""
        return bench.needs[self.needs[0]] / "build"

    def build(self, bench: Bench) -> None:
        """Build covh.ko."""
        bench.copy("abi", "firmware", "abi")
        module = bench.work / "guest-images/host/covh"
        bench.copy_folder(bench.sources.materialise("host") / "covh", module)
        build = self.kernel_build(bench)
        tree = (build / "source").resolve()
        where = [f"-C{build}"]
        if not (tree / "Makefile").is_file() and "linux" in self.sources:
            # A build that was fetched names its sources by a path of where it was made.
            tree = bench.sources.materialise("linux")
            where = [f"-C{tree}", f"O={build}"]
        places = {f"{bench.work}/": "", f"{tree}/": "", str(build): "."}
        maps = " ".join(f"-ffile-prefix-map={place}={name}" for place, name in places.items())
        bench.make(
            *where,
            "ARCH=riscv",
            f"M={module}",
            f"ABI_DIR={bench.work / 'firmware/abi'}",
            "modules",
            environment={**REPRODUCIBLE, "KCFLAGS": maps, "KAFLAGS": maps},
        )
        bench.keep(module / "covh.ko")


class UserKernelCovhRecipe(CovhRecipe):
    """The driver, built against the build folder of a kernel of the user's."""

    needs: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[tuple[str, ...]] = ("host", "abi")

    def __init__(self, build: Path) -> None:
        self._build = build

    def inputs(self, facts: Facts) -> Inputs:
        """Depend on the build's configuration and exported symbols in place of a recipe."""
        files = [self._build / name for name in (".config", "Module.symvers")]
        return {
            "covh": facts.sources.part("host", "covh"),
            "abi": facts.sources.identify("abi").id,
            "kernel": [str(self._build), *(sha256_of(file) for file in files)],
            "compiler": facts.compiler,
        }

    def kernel_build(self, bench: Bench) -> Path:
        """Return the user's folder."""
        return self._build


def user_kernel(given: str) -> tuple[Path, Path | None]:
    """Return Image and build folder of `host.kernel`; a lone Image has no build folder.

    Raises:
        ConfigError: there is no kernel there.
    """
    path = Path(given)
    build = path if path.is_dir() else path.parent.parent.parent.parent
    image = path / IMAGE if path.is_dir() else path
    if not image.is_file():
        raise ConfigError(
            f"host.kernel: {image} is not there",
            "name an Image, the O= folder of a kernel build that has one, small or debian",
        )
    complete = all((build / name).is_file() for name in (".config", "Module.symvers", "Makefile"))
    return image, build if complete and (build / IMAGE).is_file() else None
