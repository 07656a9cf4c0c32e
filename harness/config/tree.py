# SPDX-License-Identifier: Apache-2.0
"""YAML as a tree of values that know where they were written.

A layer (a file, or one `--set`) becomes a tree; trees are merged; the checker then walks the
merged tree beside the schema. Keeping the origin in every node is what lets an error name the
line, and `teecall config explain` the layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml

from harness.errors import ConfigError, UsageError

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Data = str | int | float | bool | date | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written. `line` is 0 when it is not in a file."""

    layer: str
    line: int = 0
    folder: Path | None = None

    def __str__(self) -> str:
        return f"{self.layer}:{self.line}" if self.line else self.layer


@dataclass(frozen=True, slots=True)
class Tree:
    """A value of a layer: exactly one of a mapping, a list or a scalar.

    `text` is a scalar as it was written, which is what a text key wants: `version: 1.10` is the
    version 1.10, not the number 1.1. `older` has what the value replaced, newest first.
    """

    origin: Origin
    mapping: dict[str, Tree] | None = None
    items: tuple[Tree, ...] | None = None
    scalar: Data = None
    text: str = ""
    older: tuple[Tree, ...] = ()

    @property
    def is_null(self) -> bool:
        """Whether the value is YAML's null."""
        return self.mapping is None and self.items is None and self.scalar is None

    @property
    def plain(self) -> object:
        """The value without its origins."""
        if self.mapping is not None:
            return {key: child.plain for key, child in self.mapping.items()}
        if self.items is not None:
            return [child.plain for child in self.items]
        return self.scalar


def parse_file(path: Path) -> Tree:
    """Read a YAML file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, is not a mapping or repeats a key.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    return _parse_document(content, str(path), path.parent)


@lru_cache(maxsize=256)
def _parse_document(content: str, layer: str, folder: Path) -> Tree:
    """Parse a file once as long as its text stays; a matrix lays the same few many times."""
    tree = parse_text(content, layer, folder)
    if tree.mapping is None:
        raise ConfigError(f"{tree.origin}: not a mapping of keys to values", "write `key: value`")
    return tree


def parse_text(content: str, layer: str, folder: Path | None = None) -> Tree:
    """Parse YAML text; an empty document is an empty mapping."""
    loader = Loader(content)
    try:
        node = loader.get_single_node()
        if node is None:
            return Tree(Origin(layer, 1, folder), mapping={})
        return _convert(loader, node, layer, folder)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{layer}:{mark.line + 1}" if mark else layer
        raise ConfigError(f"{place}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{layer}: not valid YAML: {error}") from None
    except RecursionError:
        raise ConfigError(
            f"{layer}: nested without end", "an alias must not stand inside what it names"
        ) from None
    finally:
        loader.dispose()


def _convert(loader: yaml.SafeLoader, node: yaml.Node, layer: str, folder: Path | None) -> Tree:
    origin = Origin(layer, node.start_mark.line + 1, folder)
    if isinstance(node, yaml.MappingNode):
        return Tree(origin, mapping=dict(_pairs(loader, node, layer, folder)))
    if isinstance(node, yaml.SequenceNode):
        return Tree(
            origin, items=tuple(_convert(loader, item, layer, folder) for item in node.value)
        )
    return Tree(origin, scalar=_scalar(loader, node), text=str(node.value))


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Data:
    """Return a scalar's value; what only looks like a date or a number is text."""
    try:
        value: Data = loader.construct_object(node)
    except ValueError:
        return str(node.value)
    return value


def _pairs(
    loader: yaml.SafeLoader, node: yaml.MappingNode, layer: str, folder: Path | None
) -> Iterator[tuple[str, Tree]]:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(
                f"{layer}:{line}: a list or a mapping is no key", "write `key: value`"
            )
        key = str(key_node.value)
        if key in seen:
            raise ConfigError(
                f"{layer}:{line}: key '{key}' is given twice (first in line {seen[key]})",
                "keep one of the two",
            )
        seen[key] = line
        value = _convert(loader, value_node, layer, folder)
        # The key's line is where the user looks, also when the value starts below it.
        yield key, replace(value, origin=Origin(layer, line, folder))


def parse_set(assignment: str, number: int) -> Tree:
    """Parse one `--set a.b=value` into the tree it stands for.

    Raises:
        UsageError: it has no '=' or no key.
    """
    key, equals, text = assignment.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise UsageError(
            f"--set {assignment}: expected KEY=VALUE", "for example --set console.mode=serial"
        )
    layer = f"--set {key.strip()}" if number == 0 else f"--set {key.strip()} (#{number + 1})"
    origin = Origin(layer, 0, _here())
    tree = replace(_set_value(text, layer), origin=origin)
    for part in reversed(parts):
        tree = Tree(origin, mapping={part: tree})
    return tree


def _here() -> Path | None:
    """Return the working directory; None when it was deleted, which few values care about."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def _set_value(text: str, layer: str) -> Tree:
    """Parse a value as YAML; what YAML cannot read (`url:a#b: c`) is taken as it stands."""
    folder = _here()
    if not text:
        return Tree(Origin(layer), scalar="", text="")
    try:
        tree = parse_text(text, layer, folder)
    except ConfigError:
        return Tree(Origin(layer), scalar=text, text=text)
    if tree.mapping is None and tree.items is None and not text.lstrip().startswith(("'", '"')):
        # A '#' starts a comment in YAML, but a hash in url:...#sha256=....
        return replace(
            tree, text=text, scalar=text if isinstance(tree.scalar, str) else tree.scalar
        )
    return tree


def merge(below: Tree, above: Tree) -> Tree:
    """Lay one tree over another: mappings merge, everything else replaces."""
    if below.mapping is None or above.mapping is None:
        return replace(above, older=(below, *below.older))
    mapping = dict(below.mapping)
    for key, child in above.mapping.items():
        mapping[key] = merge(mapping[key], child) if key in mapping else child
    return replace(above, mapping=mapping)
