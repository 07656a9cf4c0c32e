# SPDX-License-Identifier: Apache-2.0
"""Which cells of a matrix an `exclude`, an `include` or a quarantine means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.config.suite import nearest
from harness.config.tree import Tree
from harness.errors import ConfigError

SCENARIO = "scenario"
"""The axis of the suite's entries, which every matrix has."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Labels by axis: a cell is meant when it has one of the labels of every axis here.

    `place` is the file and line, `key` the key in the file.
    """

    where: Mapping[str, frozenset[str]]
    place: str
    key: str

    def means(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a cell with these labels is meant."""
        return all(labels[axis] in wanted for axis, wanted in self.where.items())

    def __str__(self) -> str:
        return ", ".join(f"{axis}: {'|'.join(sorted(set_))}" for axis, set_ in self.where.items())


def read_rule(node: Tree, key: str, axes: Mapping[str, tuple[str, ...]]) -> Rule:
    """Read a rule.

    Args:
        node: a mapping of axes to a label or a list of labels.
        key: its key in the file, for messages.
        axes: the labels of every axis.

    Raises:
        ConfigError: it names no axis, an unknown axis or an unknown label.
    """
    if not node.mapping:
        raise ConfigError(f"{node.origin}: '{key}' names no axis", f"axes: {', '.join(axes)}")
    where = {}
    for axis, labels in node.mapping.items():
        if axis not in axes:
            raise ConfigError(
                f"{labels.origin}: '{key}': there is no axis '{axis}'", nearest(axis, axes)
            )
        items = labels.items if labels.items is not None else (labels,)
        for item in items:
            if item.text not in axes[axis]:
                raise ConfigError(
                    f"{item.origin}: '{key}.{axis}': there is no value '{item.text}'",
                    nearest(item.text, axes[axis]),
                )
        where[axis] = frozenset(item.text for item in items)
    return Rule(where, str(node.origin), key)


def useless(rule: Rule, what: str) -> ConfigError:
    """Return the error of a rule that changes nothing, which can only be a mistake."""
    return ConfigError(
        f"{rule.place}: '{rule.key}' ({rule}) {what}", "correct its labels, or remove it"
    )
