# SPDX-License-Identifier: Apache-2.0
"""The cells of a matrix or a suite, as `teecall config cells` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness.config import matrix, suite
from harness.config.layers import locate, shipped
from harness.config.matrix import CellSpec, expand, load_matrix, suite_alone
from harness.config.suite import load_suite, nearest
from harness.config.tree import parse_file
from harness.errors import ConfigError


def cells_of(
    file: Path, files: Sequence[Path] = (), sets: Sequence[str] = ()
) -> Sequence[CellSpec]:
    """Return the cells of a matrix, or of a suite on the one configuration.

    Args:
        file: a path, or the name of a shipped matrix or suite; a matrix comes first.
        files: `-c` files for every cell.
        sets: `--set` assignments for every cell.

    Raises:
        ConfigError: there is no such file, or it is wrong.
    """
    folders = (*matrix.FOLDERS, *suite.FOLDERS)
    try:
        found = locate(file, folders)
    except ConfigError:
        remedy = nearest(file.stem, set(shipped(folders)))
        raise ConfigError(f"{file}: no such matrix or suite", remedy) from None
    if _is_suite(found):
        return expand(suite_alone(load_suite(found), files, sets))
    return expand(load_matrix(found, files, sets))


def _is_suite(file: Path) -> bool:
    """Tell a suite by its keys: its folder and its name are its author's."""
    keys = parse_file(file).mapping or {}
    return "scenarios" in keys or file.parent.name in suite.FOLDERS


def as_lines(cells: Sequence[CellSpec]) -> Iterator[str]:
    """Return a line for each cell, in columns."""
    name_width = max((len(cell.name) for cell in cells), default=0)
    label_width = max((len(cell.label) for cell in cells), default=0)
    for cell in cells:
        line = f"{cell.id}  {cell.name:<{name_width}}  {cell.label:<{label_width}}  x{cell.repeats}"
        if cell.quarantine is not None:
            line += f"  quarantined until {cell.quarantine.expires}: {cell.quarantine.reason}"
        yield line


def as_json(cells: Sequence[CellSpec]) -> str:
    """Return the cells as a JSON list, with all that a runner needs."""
    plain = [
        {**msgspec.to_builtins(cell), "axes": dict(cell.axes), "label": cell.label}
        for cell in cells
    ]
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode()
