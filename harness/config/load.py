# SPDX-License-Identifier: Apache-2.0
"""Load a configuration from layers: defaults, `-c` files (with `extends`), `--set`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from harness import resources
from harness.config import check
from harness.config.schema import Config
from harness.config.tree import Origin, Tree, merge, parse_file, parse_set
from harness.config.validate import validate
from harness.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)
DEFAULT = "default.yaml"


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """A configuration with the layers it came from."""

    value: T
    tree: Tree

    def find(self, key: str) -> Tree | None:
        """Return what the layers say about a dotted key; None when none of them sets it."""
        tree: Tree | None = self.tree
        for part in key.split("."):
            if tree is None or tree.mapping is None:
                return None
            tree = tree.mapping.get(part)
        return tree


def load(files: Sequence[Path] = (), sets: Sequence[str] = ()) -> Loaded[Config]:
    """Load teecall's configuration.

    Args:
        files: `-c` files, each laid over the one before.
        sets: `a.b=c` assignments, laid over the files.

    Raises:
        ConfigError: a file cannot be read, a key or value is wrong, or values do not fit together.
        UsageError: an assignment is not of the form KEY=VALUE.
    """
    loaded = load_as(Config, [resources.configs() / DEFAULT, *files], sets)
    validate(loaded.value, lambda key: _origin(loaded.find(key)))
    return loaded


def _origin(tree: Tree | None) -> str:
    return "the default" if tree is None else str(tree.origin)


def load_as(schema: type[T], files: Iterable[Path], sets: Sequence[str] = ()) -> Loaded[T]:
    """Load layers into any schema."""
    trees = [layer for path in files for layer in _layers(path)]
    trees += [parse_set(text, number) for number, text in enumerate(sets)]
    merged = reduce(merge, trees, Tree(Origin("built-in"), mapping={}))
    plain = check.check(merged, schema)
    try:
        return Loaded(msgspec.convert(plain, schema), merged)
    except msgspec.ValidationError as error:
        # Every value was checked one by one; what is left is a required key nobody set.
        raise ConfigError(f"configuration is incomplete: {error}") from None


def _layers(path: Path, below: tuple[Path, ...] = ()) -> list[Tree]:
    """Return a file's layers, what it extends first."""
    path = _locate(path)
    if path in below:
        chain = " -> ".join(str(file) for file in (*below, path))
        raise ConfigError(f"{path}: extends itself: {chain}", "break the circle")
    tree = parse_file(path)
    assert tree.mapping is not None
    extends = tree.mapping.get("extends")
    mapping = {key: child for key, child in tree.mapping.items() if key != "extends"}
    bases = _base_paths(extends, path) if extends else []
    layers = [layer for base in bases for layer in _layers(base, (*below, path))]
    return [*layers, replace(tree, mapping=mapping)]


def _base_paths(extends: Tree, path: Path) -> list[Path]:
    names = extends.items if extends.items is not None else (extends,)
    if not all(isinstance(name.scalar, str) for name in names):
        raise ConfigError(
            f"{extends.origin}: 'extends' names a file or a list of files",
            "for example `extends: default`",
        )
    return [path.parent / name.text for name in names]


def _locate(path: Path) -> Path:
    """Find a file as given, or as a name without suffix, there or among the shipped ones."""
    shipped = resources.configs() / path.name
    candidates = (path, path.with_name(path.name + ".yaml"), shipped, shipped.with_suffix(".yaml"))
    found = next((file for file in candidates if file.is_file()), None)
    if found is None:
        names = sorted(file.stem for file in resources.configs().glob("*.yaml"))
        close = difflib.get_close_matches(path.stem, names, n=1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ConfigError(
            f"{path}: no such configuration file",
            f"{hint}give a path, or one of the shipped ones: {', '.join(names)}",
        )
    return found.resolve()
