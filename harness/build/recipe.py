# SPDX-License-Identifier: Apache-2.0
"""What a recipe is, and what it works with."""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.config.schema import Config
from harness.errors import BuildError, ConfigError
from harness.sources.gittree import SKIPPED
from harness.sources.resolve import Sources

if TYPE_CHECKING:
    from harness.build.jobs import Tools

Inputs = dict[str, object]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a recipe's inputs may be made of.

    `compiler` is the identity of the cross tools; `key` gives the digest of another recipe.
    """

    config: Config
    sources: Sources
    compiler: str
    key: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a recipe works.

    `work` is thrown away afterwards, `out` is published. `needs` has the folders of the recipes
    it needs.
    """

    config: Config
    sources: Sources
    needs: Mapping[str, Path]
    work: Path
    out: Path
    log: Path
    tools: Tools
    on_line: Callable[[str], None]
    copies: dict[Path, Path] = field(default_factory=dict)

    def run(
        self,
        command: Sequence[str],
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run a tool in the work folder, or in another.

        Raises:
            BuildError: it failed; its messages name the sources, not the copies of this build.
        """
        try:
            self.tools.run(
                command,
                cwd=cwd or self.work,
                log=self.log,
                on_line=self.on_line,
                environment=environment,
            )
        except BuildError as error:
            error.details = tuple(self.with_sources(line) for line in error.details)
            text = self.log.read_bytes().decode(errors="surrogateescape")
            self.log.write_bytes(self.with_sources(text).encode(errors="surrogateescape"))
            raise

    def with_sources(self, text: str) -> str:
        """Return text with each path in the work folder, which is about to go, by its source."""
        # One copy may lie inside another: the inner one is the longer path.
        for copy in sorted(self.copies, key=lambda path: len(str(path)), reverse=True):
            source = str(self.copies[copy]).replace("\\", r"\\")
            text = re.sub(re.escape(str(copy)) + r"(?![\w.-])", source, text)
        return text

    def make(
        self,
        *arguments: str,
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run make for the cross compiler, with the user's make variables among the flags."""
        cross = f"CROSS_COMPILE={self.config.build.cross_compile}"
        variables = [flag for flag in flags if not flag.startswith("-")]
        self.run(["make", cross, *arguments, *variables], environment=environment)

    def expect(self, component: str, what: str, marker: str, key: str) -> None:
        """Check that a component's source is what it must be, by a file that has to be in it.

        Raises:
            WrongTree: it is something else.
        """
        if not (self.sources.materialise(component) / marker).is_file():
            raise WrongTree(
                f"{self.sources.identify(component).version} is no {what.partition(' ')[2]}",
                f"{key} must name {what}, which has {marker}",
            )

    def copy(self, component: str, *place: str) -> Path:
        """Copy a component's files into the work folder and return where they are.

        Builds that write beside their sources, or that need another component beside them,
        must not do so in the store or in the user's folder.
        """
        target = self.work.joinpath(*place)
        self.copy_folder(self.sources.materialise(component), target)
        return target

    def copy_folder(self, source: Path, target: Path) -> None:
        """Copy a folder into the work folder."""
        self.copies[target] = source
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED))

    def keep(self, path: Path, name: str | None = None) -> None:
        """Move a file that was built into what is published.

        Raises:
            BuildError: the build did not make it.
        """
        if not path.is_file():
            raise BuildError(f"the build made no {path.name}", f"the full log is {self.log}")
        shutil.copy2(path, self.out / (name or path.name))


def compiler_flags(flags: Sequence[str]) -> list[str]:
    """Return those of a configuration's flags that are for the compiler."""
    return [flag for flag in flags if flag.startswith("-")]


class WrongTree(ConfigError):
    """A component's source is something else, such as a commit from before the component."""


class Recipe(ABC):
    """How one component is made from its inputs."""

    name: ClassVar[str]
    # Raised when the recipe itself changes what it makes from the same inputs.
    revision: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[tuple[str, ...]] = ()
    programs: ClassVar[tuple[str, ...]] = ("make",)

    @abstractmethod
    def inputs(self, facts: Facts) -> Inputs:
        """Return everything the result depends on, as plain data."""

    @abstractmethod
    def build(self, bench: Bench) -> None:
        """Make the component.

        Raises:
            BuildError: it does not build.
        """
