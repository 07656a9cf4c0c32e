# SPDX-License-Identifier: Apache-2.0
"""A matrix: every combination of some axes' values runs a suite.

`load_matrix` reads the files, `expand` makes the cells, `harness.config.shard` divides them:

    matrix = load_matrix(Path("nightly"))
    for cell in take(expand(matrix), parse_shard("2/5"), lambda cell: cell.repeats):
        ...

The order of the axes decides the order of the cells and nothing else: two axes that set one key
to different values are an error, because a label would then not tell what runs.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import msgspec

from harness.config.contributions import Contribution, check_conflicts
from harness.config.formats import Limits, MatrixFile
from harness.config.layers import locate
from harness.config.load import Loaded, defaults, load_as, merged, overlays, resolve
from harness.config.rules import SCENARIO, Rule, read_rule, useless
from harness.config.schema import Config
from harness.config.settings import assignments
from harness.config.suite import FOLDERS as SUITE_FOLDERS
from harness.config.suite import (
    Entry,
    Quarantine,
    Suite,
    check_name,
    checked_quarantine,
    item_of,
    load_suite,
    settings,
)
from harness.config.tree import Tree
from harness.errors import ConfigError

FOLDERS = ("matrices",)
_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class CellSpec:
    """One cell: a scenario with the configuration it runs on.

    Attributes:
        id: of scenario and resolved configuration; the same on every machine and day.
        name: the suite's entry; usually that of the scenario.
        scenario: what runs.
        axes: the labels by axis, in the matrix's order; empty for a suite without a matrix.
        config: the resolved and validated configuration.
        settings: `--set` assignments that make the same configuration from the defaults.
        repeats: how often it runs.
        limits: what one run may take.
        quarantine: not None when a failure does not count.
        source: the file of the matrix or suite.
    """

    id: str
    name: str
    scenario: str
    axes: tuple[tuple[str, str], ...]
    config: Config
    settings: tuple[str, ...]
    repeats: int
    limits: Limits
    quarantine: Quarantine | None
    source: str

    @property
    def label(self) -> str:
        """The labels as text: `opensbi=1.8.1,harts=4,irq=aia`."""
        return ",".join(f"{axis}={label}" for axis, label in self.axes)


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an axis."""

    label: str
    layer: Tree


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis with its values in the file's order."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix with all its files read. `below` and `above` are laid under and over the axes."""

    path: str
    suite: Suite
    below: Tree
    above: Tree
    axes: tuple[Axis, ...] = ()
    exclude: tuple[Rule, ...] = ()
    include: tuple[Rule, ...] = ()
    quarantine: tuple[tuple[Rule, Quarantine], ...] = ()


@dataclass(frozen=True, slots=True)
class _Combination:
    """A value of each axis with an entry of the suite: a cell before its configuration."""

    values: tuple[tuple[str, Value], ...]
    entry: Entry

    @property
    def labels(self) -> dict[str, str]:
        return {**{axis: value.label for axis, value in self.values}, SCENARIO: self.entry.name}

    def __str__(self) -> str:
        return ",".join(f"{axis}={label}" for axis, label in self.labels.items())


def suite_alone(suite: Suite, files: Sequence[Path] = (), sets: Sequence[str] = ()) -> Matrix:
    """Return a suite as a matrix without axes; its cells have empty labels."""
    return Matrix(suite.path, suite, merged(defaults()), merged(overlays(files, sets)))


def load_matrix(
    file: Path,
    files: Sequence[Path] = (),
    sets: Sequence[str] = (),
    *,
    today: date | None = None,
    scenarios: Collection[str] | None = None,
) -> Matrix:
    """Load a matrix with its suite and every file they extend.

    Args:
        file: a path, or the name of a shipped matrix.
        files: `-c` files for every cell.
        sets: `--set` assignments for every cell.
        today: the day that quarantines are judged at; the current one by default.
        scenarios: the known scenarios; teecall's by default.

    Raises:
        ConfigError: a file is wrong, or a rule names an unknown axis or value.
    """
    day = today or date.today()
    loaded = load_as(MatrixFile, [file], folders=FOLDERS)
    suite = load_suite(_suite_file(loaded), day, scenarios)
    axes = _axes(loaded)
    labels = {axis.name: tuple(value.label for value in axis.values) for axis in axes}
    labels[SCENARIO] = tuple(entry.name for entry in suite.entries)
    base = (loaded.tree.mapping or {}).get("base")
    below = [*defaults(), *([settings(base)] if base is not None else [])]
    quarantine = []
    for index, item in enumerate(loaded.value.quarantine):
        node = item_of(loaded.tree, "quarantine", index)
        rule = read_rule((node.mapping or {})["where"], f"quarantine[{index}].where", labels)
        quarantine.append((rule, checked_quarantine(item, node, index, day)))
    return Matrix(
        loaded.tree.origin.layer,
        suite,
        merged(below),
        merged(overlays(files, sets)),
        axes,
        _rules(loaded, "exclude", labels),
        _rules(loaded, "include", labels),
        tuple(quarantine),
    )


def _suite_file(loaded: Loaded[MatrixFile]) -> Path:
    """Return the path of the suite, taken from the folder of the file that names it."""
    assert loaded.tree.mapping is not None
    origin = loaded.tree.mapping["suite"].origin
    return locate(Path(loaded.value.suite), SUITE_FOLDERS, origin, other_kind=True)


def _axes(loaded: Loaded[MatrixFile]) -> tuple[Axis, ...]:
    assert loaded.tree.mapping is not None
    node = loaded.tree.mapping["axes"]
    if not node.mapping:
        raise ConfigError(f"{node.origin}: 'axes' is empty: no cell", "name an axis with values")
    return tuple(_axis(name, values) for name, values in node.mapping.items())


def _axis(name: str, node: Tree) -> Axis:
    check_name(name, f"axes.{name}", node)
    if name == SCENARIO:
        raise ConfigError(
            f"{node.origin}: 'axes.{name}': every matrix has this axis, of the suite's entries",
            "give the axis another name",
        )
    if not node.items:
        raise ConfigError(
            f"{node.origin}: 'axes.{name}' has no value: no cell", "give it a value, or remove it"
        )
    values: dict[str, Value] = {}
    for item in node.items:
        label = (item.mapping or {})["label"]
        if label.text in values:
            raise ConfigError(
                f"{label.origin}: 'axes.{name}' has two values '{label.text}'",
                "give one of them another label",
            )
        values[label.text] = Value(label.text, settings(item))
    return Axis(name, tuple(values.values()))


def _rules(
    loaded: Loaded[MatrixFile], key: str, labels: dict[str, tuple[str, ...]]
) -> tuple[Rule, ...]:
    count = len(getattr(loaded.value, key))
    nodes = [item_of(loaded.tree, key, index) for index in range(count)]
    return tuple(read_rule(node, f"{key}[{i}]", labels) for i, node in enumerate(nodes))


def expand(matrix: Matrix) -> tuple[CellSpec, ...]:
    """Return the cells of a matrix, the last axis and then the suite varying fastest.

    Only cells that stay are resolved: what is excluded may be a configuration that cannot be.

    Raises:
        ConfigError: no cell stays, a rule changes nothing, two axes contradict each other, two
            cells are the same, or a cell's configuration is wrong; the message names the cell.
    """
    chosen = _select(matrix, list(_combinations(matrix)))
    if not chosen:
        raise ConfigError(
            f"{matrix.path}: no cell: 'exclude' takes every one away", "correct 'exclude'"
        )
    cells = [_cell(matrix, combination) for combination in chosen]
    seen: dict[str, _Combination] = {}
    for cell, combination in zip(cells, chosen, strict=True):
        twin = seen.setdefault(cell.id, combination)
        if twin is not combination:
            raise ConfigError(
                f"{matrix.path}: cells '{twin}' and '{combination}' run the same on the same"
                " configuration",
                "remove one of the two values, or use 'repeats' to run a cell more often",
            )
    for rule, quarantine in matrix.quarantine:
        cells = _put_in_quarantine(cells, chosen, rule, quarantine)
    return tuple(cells)


def _combinations(matrix: Matrix) -> Iterator[_Combination]:
    columns = [[(axis.name, value) for value in axis.values] for axis in matrix.axes]
    for values in itertools.product(*columns):
        for entry in matrix.suite.entries:
            yield _Combination(values, entry)


def _select(matrix: Matrix, all_: list[_Combination]) -> list[_Combination]:
    """Apply `exclude`, then `include`, each rule of which must change something."""
    kept = set(range(len(all_)))
    for rule in matrix.exclude:
        gone = {index for index in kept if rule.means(all_[index].labels)}
        if not gone:
            raise useless(rule, "takes no cell away: those it means are excluded already")
        kept -= gone
    for rule in matrix.include:
        back = {i for i, cell in enumerate(all_) if i not in kept and rule.means(cell.labels)}
        if not back:
            raise useless(rule, "takes no cell back: those it means are not excluded")
        kept |= back
    return [all_[index] for index in sorted(kept)]


def _cell(matrix: Matrix, combination: _Combination) -> CellSpec:
    entry = combination.entry
    parts = [
        *(Contribution(f"axis '{axis}'", value.layer) for axis, value in combination.values),
        Contribution(f"'{entry.name}' of the suite", entry.layer),
        Contribution("the command line", matrix.above),
    ]
    try:
        check_conflicts(parts)
        config = resolve([matrix.below, *(part.layer for part in parts)]).value
    except ConfigError as error:
        message = f"{matrix.path}: cell '{combination}': {error.message}"
        raise ConfigError(message, error.remedy) from None
    return CellSpec(
        _identity(entry.scenario, config),
        entry.name,
        entry.scenario,
        tuple((axis, value.label) for axis, value in combination.values),
        config,
        assignments(config),
        entry.repeats,
        entry.limits,
        entry.quarantine,
        matrix.path,
    )


def _identity(scenario: str, config: Config) -> str:
    plain = {"scenario": scenario, "config": msgspec.to_builtins(config)}
    content = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:_ID_LENGTH]


def _put_in_quarantine(
    cells: list[CellSpec], chosen: list[_Combination], rule: Rule, quarantine: Quarantine
) -> list[CellSpec]:
    meant = [rule.means(combination.labels) for combination in chosen]
    if not any(meant):
        raise useless(rule, "means no cell: those it means are excluded")
    return [
        replace(cell, quarantine=quarantine) if hit else cell
        for cell, hit in zip(cells, meant, strict=True)
    ]
