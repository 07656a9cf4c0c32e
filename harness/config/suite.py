# SPDX-License-Identifier: Apache-2.0
"""A suite: which scenarios run, each with which settings, how often and within which limits.

scenarios:
  smoke: {}
  smoke-serial: {scenario: smoke, repeats: 3, set: {console: {mode: serial}}}
quarantine:
  - scenario: smoke-serial
    reason: the UART loses a byte
    url: https://example.org/issues/1
    expires: 2026-12-31
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from harness.config.formats import (
    LABEL,
    LABEL_WORDS,
    Limits,
    MatrixQuarantine,
    SuiteFile,
    SuiteQuarantine,
)
from harness.config.layers import base_files, read_layers
from harness.config.load import Loaded, default_file, load_as, merged
from harness.config.tree import Tree
from harness.errors import ConfigError

FOLDERS = ("suites",)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Why a failure does not count, where it is reported, and until when (the day included)."""

    reason: str
    url: str
    expires: date


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario of a suite. `layer` is what it lays over the configuration."""

    name: str
    scenario: str
    layer: Tree
    repeats: int
    limits: Limits
    quarantine: Quarantine | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """The entries of a suite in the order of its file."""

    path: str
    entries: tuple[Entry, ...]


def load_suite(
    file: Path, today: date | None = None, scenarios: Collection[str] | None = None
) -> Suite:
    """Load a suite.

    Args:
        file: a path, or the name of a shipped suite.
        today: the day that quarantines are judged at; the current one by default.
        scenarios: the known scenarios; teecall's by default.

    Raises:
        ConfigError: the file is wrong, names an unknown scenario, or a quarantine has expired.
    """
    loaded = load_as(SuiteFile, [file], folders=FOLDERS)
    known = known_scenarios() if scenarios is None else scenarios
    entries = _entries(loaded, known)
    if not entries:
        raise ConfigError(f"{loaded.tree.origin}: 'scenarios' is empty", "name a scenario")
    quarantined = _quarantined(loaded, entries, today or date.today())
    path = loaded.tree.origin.layer
    return Suite(path, tuple(_entry(loaded, name, quarantined.get(name)) for name in entries))


def known_scenarios() -> Collection[str]:
    """Return the names of teecall's scenarios."""
    from harness.scenarios.session import SCENARIOS

    return SCENARIOS


def _entries(loaded: Loaded[SuiteFile], known: Collection[str]) -> list[str]:
    """Return the names of the entries that stay, each of which runs a known scenario."""
    names = [name for name, entry in loaded.value.scenarios.items() if entry is not None]
    for name in names:
        check_name(name, f"scenarios.{name}", _node(loaded, name))
        entry = loaded.value.scenarios[name]
        assert entry is not None
        scenario = entry.scenario or name
        if scenario not in known:
            raise _unknown_scenario(loaded, name, scenario, known)
    return names


def check_name(name: str, key: str, node: Tree) -> None:
    """Check the name of an entry or an axis, which becomes a part of labels.

    Raises:
        ConfigError: it has characters that mean something else there.
    """
    if not re.match(LABEL, name):
        raise ConfigError(f"{node.origin}: '{key}' is no name", f"write {LABEL_WORDS}")


def _unknown_scenario(
    loaded: Loaded[SuiteFile], name: str, scenario: str, known: Collection[str]
) -> ConfigError:
    entry = _node(loaded, name)
    written = (entry.mapping or {}).get("scenario", entry)
    key = f"scenarios.{name}" + (".scenario" if written is not entry else "")
    return ConfigError(
        f"{written.origin}: '{key}': there is no scenario '{scenario}'", nearest(scenario, known)
    )


def nearest(name: str, known: Collection[str]) -> str:
    """Return a remedy for a name that is not known: the closest one, and all."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}choose one of: {', '.join(sorted(known))}"


def _node(loaded: Loaded[SuiteFile], name: str) -> Tree:
    # Names may have dots, so that Loaded.find would not find them.
    tree = loaded.tree.mapping or {}
    return (tree["scenarios"].mapping or {})[name]


def _entry(loaded: Loaded[SuiteFile], name: str, quarantine: Quarantine | None) -> Entry:
    value = loaded.value.scenarios[name]
    assert value is not None
    return Entry(
        name,
        value.scenario or name,
        settings(_node(loaded, name)),
        value.repeats,
        value.limits,
        quarantine,
    )


def settings(node: Tree) -> Tree:
    """Return what an entry's `extends` and `set` lay over the configuration, as one layer.

    Raises:
        ConfigError: a file that it extends cannot be read.
    """
    mapping = node.mapping or {}
    layers = []
    if "extends" in mapping:
        files = base_files(mapping["extends"], other_kind=True)
        layers += read_layers(files, below=[default_file()])
    if "set" in mapping:
        layers.append(mapping["set"])
    return merged(layers)


def _quarantined(
    loaded: Loaded[SuiteFile], entries: Collection[str], today: date
) -> dict[str, Quarantine]:
    found: dict[str, Quarantine] = {}
    for index, item in enumerate(loaded.value.quarantine):
        node = item_of(loaded.tree, "quarantine", index)
        if item.scenario not in entries:
            raise ConfigError(
                f"{node.origin}: 'quarantine[{index}].scenario': the suite has no entry"
                f" '{item.scenario}'",
                nearest(item.scenario, entries),
            )
        found[item.scenario] = checked_quarantine(item, node, index, today)
    return found


def item_of(tree: Tree, key: str, index: int) -> Tree:
    """Return the node of one item of a list of a file."""
    assert tree.mapping is not None
    items = tree.mapping[key].items
    assert items is not None
    return items[index]


def checked_quarantine(
    item: SuiteQuarantine | MatrixQuarantine, node: Tree, index: int, today: date
) -> Quarantine:
    """Return a quarantine that holds today.

    Raises:
        ConfigError: it has expired.
    """
    if item.expires < today:
        at = (node.mapping or {})["expires"].origin
        raise ConfigError(
            f"{at}: 'quarantine[{index}].expires': this quarantine ended on {item.expires}",
            f"remove it, or see {item.url} and give a later day",
        )
    return Quarantine(item.reason, item.url, item.expires)
