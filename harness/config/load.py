# SPDX-License-Identifier: Apache-2.0
"""Load a configuration from layers: defaults, `-c` files (with `extends`), `--set`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from harness import resources
from harness.config import check
from harness.config.layers import FRAGMENTS, locate, read_layers
from harness.config.schema import Config
from harness.config.tree import Origin, Tree, merge, parse_set
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
        files: `-c` files, each laid over the one before; a name without a path may be one of
            configs/machines and configs/stacks.
        sets: `a.b=c` assignments, laid over the files.

    Raises:
        ConfigError: a file cannot be read, a key or value is wrong, or values do not fit together.
        UsageError: an assignment is not of the form KEY=VALUE.
    """
    return resolve([*defaults(), *overlays(files, sets)])


def default_file() -> Path:
    """Return the file that is below every other layer."""
    return (resources.configs() / DEFAULT).resolve()


def defaults() -> list[Tree]:
    """Return the layer that is below every other."""
    return read_layers([default_file()])


def overlays(files: Iterable[Path] = (), sets: Sequence[str] = ()) -> list[Tree]:
    """Return the layers of files and assignments, to be laid over the defaults."""
    found = [locate(file) for file in files]
    trees = read_layers(found, below=[default_file()])
    return [*trees, *(parse_set(text, number) for number, text in enumerate(sets))]


def resolve(layers: Iterable[Tree]) -> Loaded[Config]:
    """Merge layers into a configuration and check that its values fit together.

    Raises:
        ConfigError: a key or value is wrong, or values do not fit together.
    """
    loaded = convert(Config, merged(layers))
    validate(loaded.value, lambda key: _origin(loaded.find(key)))
    return loaded


def merged(layers: Iterable[Tree]) -> Tree:
    """Lay each tree over those before it."""
    return reduce(merge, layers, Tree(Origin("built-in"), mapping={}))


def _origin(tree: Tree | None) -> str:
    return "the default" if tree is None else str(tree.origin)


def load_as(
    schema: type[T],
    files: Iterable[Path],
    sets: Sequence[str] = (),
    folders: Sequence[str] = FRAGMENTS,
) -> Loaded[T]:
    """Load layers into any schema."""
    trees = read_layers([locate(file, folders) for file in files], folders)
    trees += [parse_set(text, number) for number, text in enumerate(sets)]
    return convert(schema, merged(trees))


def convert(schema: type[T], tree: Tree) -> Loaded[T]:
    """Check a tree against a schema and give it as a value.

    Raises:
        ConfigError: a key or value is wrong, or a required key is missing.
    """
    plain = check.check(tree, schema)
    try:
        return Loaded(msgspec.convert(plain, schema), tree)
    except msgspec.ValidationError as error:
        # Every value was checked one by one; what is left are conditions of a whole struct.
        raise ConfigError(f"{tree.origin}: {error}") from None
