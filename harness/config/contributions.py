# SPDX-License-Identifier: Apache-2.0
"""What several sides lay over one configuration must agree, when none is over the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.config.tree import Tree
from harness.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one side sets; `side` is its name in an error."""

    side: str
    layer: Tree


def check_conflicts(parts: Iterable[Contribution]) -> None:
    """Check that no two sides set one key to different values.

    Raises:
        ConfigError: two do; both are named with their places.
    """
    setters: dict[str, tuple[str, Tree]] = {}
    for part in parts:
        for key, leaf in leaves(part.layer):
            side, other = setters.setdefault(key, (part.side, leaf))
            if not _same(leaf, other):
                raise ConfigError(
                    f"{leaf.origin}: {part.side} sets '{key}' to {_shown(leaf)}, but {side} sets"
                    f" it to {_shown(other)} ({other.origin})",
                    "set the key on one side, or exclude the cell",
                )


def leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Tree]]:
    """Yield every dotted key of a tree that is no mapping, with its value."""
    if tree.mapping is None:
        yield prefix, tree
        return
    for key, child in tree.mapping.items():
        yield from leaves(child, f"{prefix}.{key}" if prefix else key)


def _same(one: Tree, other: Tree) -> bool:
    return one.plain == other.plain or (bool(one.text) and one.text == other.text)


def _shown(tree: Tree) -> str:
    return tree.text or str(tree.plain)
