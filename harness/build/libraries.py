# SPDX-License-Identifier: Apache-2.0
"""Which shared libraries a program needs, found as the dynamic linker finds them: by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import BuildError

# Debian's folders of libraries, below the root of a package.
_FOLDERS = ("usr/lib/riscv64-linux-gnu", "lib/riscv64-linux-gnu", "usr/lib", "lib")


def needed(file: Path) -> tuple[str, ...]:
    """Return the names that an ELF file's DT_NEEDED entries have (System V gABI, chapter 5).

    Raises:
        BuildError: it is no ELF file that can be read.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.dynamic import DynamicSection
    from elftools.elf.elffile import ELFFile

    try:
        with file.open("rb") as stream:
            section = ELFFile(stream).get_section_by_name(".dynamic")
            if not isinstance(section, DynamicSection):
                return ()
            # pyelftools adds an attribute with the name's text to tags that have one.
            return tuple(vars(tag)["needed"] for tag in section.iter_tags("DT_NEEDED"))
    except (OSError, ELFError) as error:
        raise BuildError(f"{file.name} cannot be read as ELF: {error}") from None


def closure(program: Path, packages: Iterable[Path]) -> dict[str, Path]:
    """Return all libraries of a program by the names they are loaded by, and theirs.

    Args:
        program: an ELF file.
        packages: roots of unpacked packages.

    Raises:
        BuildError: one is in none of the packages.
    """
    folders = [root / name for root in packages for name in _FOLDERS]
    found: dict[str, Path] = {}
    todo = [program]
    while todo:
        file = todo.pop()
        for name in needed(file):
            if name in found:
                continue
            place = next((folder / name for folder in folders if (folder / name).is_file()), None)
            if place is None:
                raise BuildError(
                    f"{file.name} needs {name}, which no package has",
                    "`python -m harness.sources.vmm_lock` resolves the packages anew",
                )
            found[name] = place
            todo.append(place)
    return found
