# SPDX-License-Identifier: Apache-2.0
"""Matrices: cells, rules, shards, and what is wrong with one by file, line and key."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.config.load import load
from harness.config.matrix import CellSpec, Matrix, expand, load_matrix
from harness.config.shard import Shard, parse_shard, take
from harness.config.suite import load_suite
from harness.errors import ConfigError, UsageError

EXAMPLES = 1000 if os.environ.get("TEECALL_NIGHTLY") else 50
TODAY = date(2026, 6, 1)
KNOWN = ("audit", "smoke")
AXES = """
suite: suite.yaml
axes:
  opensbi:
    - {label: "1.6", extends: opensbi-1.6}
    - {label: 1.8.1, set: {opensbi: {version: 1.8.1}}}
  harts:
    - {label: 1, set: {machine: {harts: 1}}}
    - {label: 2}
    - {label: 4, extends: quad}
  irq:
    - {label: plic}
    - {label: aia, extends: aia}
"""
SUITE = "scenarios: {smoke: {repeats: 2}, audit: {}}\n"


def matrix_of(folder: Path, text: str, suite: str = SUITE, sets: Sequence[str] = ()) -> Matrix:
    (folder / "suite.yaml").write_text(suite)
    path = folder / "m.yaml"
    path.write_text(text)
    return load_matrix(path, (), sets, today=TODAY, scenarios=KNOWN)


def titles(cells: Sequence[CellSpec]) -> list[str]:
    return [f"{cell.name} {cell.label}" for cell in cells]


def test_every_combination_in_a_fixed_order(tmp_path: Path) -> None:
    cells = expand(matrix_of(tmp_path, AXES))
    assert len(cells) == 2 * 3 * 2 * 2
    assert titles(cells)[:4] == [
        "smoke opensbi=1.6,harts=1,irq=plic",
        "audit opensbi=1.6,harts=1,irq=plic",
        "smoke opensbi=1.6,harts=1,irq=aia",
        "audit opensbi=1.6,harts=1,irq=aia",
    ]
    assert cells[-1].label == "opensbi=1.8.1,harts=4,irq=aia"
    config = cells[-1].config
    assert (config.opensbi.version, config.machine.harts) == ("1.8.1", 4)
    assert config.machine.aia == "aplic-imsic"
    assert (cells[0].repeats, cells[1].repeats) == (2, 1)
    assert expand(matrix_of(tmp_path, AXES)) == cells


def test_a_cell_is_made_again_by_its_settings_and_travels(tmp_path: Path) -> None:
    for cell in expand(matrix_of(tmp_path, AXES)):
        assert load((), cell.settings).value == cell.config
        assert pickle.loads(pickle.dumps(cell)) == cell


def test_ids_name_scenario_and_configuration(tmp_path: Path) -> None:
    cells = expand(matrix_of(tmp_path, AXES))
    assert len({cell.id for cell in cells}) == len(cells)
    # Neither labels, nor the order of axes, nor how a value was set changes an id.
    text = """
suite: suite.yaml
axes:
  cpus: [{label: four, set: {machine: {harts: 4}}}]
  firmware: [{label: newest, extends: opensbi-1.8.1}]
"""
    [smoke, audit] = expand(matrix_of(tmp_path, text))
    same = {cell.id: cell for cell in cells}
    assert same[smoke.id].label == "opensbi=1.8.1,harts=4,irq=plic"
    assert (same[audit.id].scenario, same[smoke.id].scenario) == ("audit", "smoke")


def test_exclude_and_include(tmp_path: Path) -> None:
    rules = """
exclude:
  - {harts: [1, 4], opensbi: "1.6"}
  - {scenario: audit, irq: aia}
include:
  - {opensbi: "1.6", harts: 4, irq: aia}
"""
    cells = titles(expand(matrix_of(tmp_path, AXES + rules)))
    assert len(cells) == 24 - 8 - 4 + 2
    assert "audit opensbi=1.6,harts=4,irq=aia" in cells
    assert "smoke opensbi=1.6,harts=4,irq=plic" not in cells
    assert "audit opensbi=1.6,harts=2,irq=aia" not in cells
    # What is taken back stands at its place.
    assert cells == [title for title in titles(expand(matrix_of(tmp_path, AXES))) if title in cells]


def test_what_is_excluded_need_not_be_possible(tmp_path: Path) -> None:
    text = """
suite: suite.yaml
axes:
  memory: [{label: little, set: {machine: {memory_mib: 512}}}, {label: much}]
  pool: [{label: usual}, {label: large, set: {memory: {pool_size: 0x20000000}}}]
"""
    with pytest.raises(ConfigError) as caught:
        expand(matrix_of(tmp_path, text))
    cell = "cell 'memory=little,pool=large,scenario=smoke'"
    assert caught.value.message.startswith(f"{tmp_path / 'm.yaml'}: {cell}: ")
    assert "'memory.pool_base' cannot be" in caught.value.message
    rules = "exclude: [{memory: little, pool: large}]\n"
    assert len(expand(matrix_of(tmp_path, text + rules))) == 6


def test_settings_for_every_cell(tmp_path: Path) -> None:
    base = "base: {extends: serial, set: {timeouts: {boot_s: 99}, machine: {harts: 3}}}\n"
    cells = expand(matrix_of(tmp_path, AXES + base, sets=["tsm.flags=[-O1]"]))
    assert {cell.config.console.mode for cell in cells} == {"serial"}
    assert {cell.config.timeouts.boot_s for cell in cells} == {99}
    assert {cell.config.tsm.flags for cell in cells} == {("-O1",)}
    # An axis stands over the base.
    assert {cell.config.machine.harts for cell in cells} == {1, 3, 4}


def test_a_matrix_over_another(tmp_path: Path) -> None:
    matrix_of(tmp_path, AXES)
    over = tmp_path / "over.yaml"
    over.write_text("extends: m\naxes: {harts: [{label: 8, set: {machine: {harts: 8}}}]}\n")
    cells = expand(load_matrix(over, today=TODAY, scenarios=KNOWN))
    assert {cell.config.machine.harts for cell in cells} == {8}
    assert len(cells) == 2 * 1 * 2 * 2


def test_quarantine_by_labels(tmp_path: Path) -> None:
    rule = """
quarantine:
  - where: {scenario: smoke, harts: [1, 4], irq: aia}
    reason: loses an interrupt
    url: https://example.org/2
    expires: 2026-06-01
"""
    cells = expand(matrix_of(tmp_path, AXES + rule))
    held = [cell for cell in cells if cell.quarantine is not None]
    assert len(held) == 4
    assert {cell.axes[1][1] for cell in held} == {"1", "4"}
    assert {cell.scenario for cell in held} == {"smoke"}


WHY = "reason: r, url: https://x/1, expires: 2026-07-01"
LAST = len(AXES.splitlines()) + 1


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (f"{AXES}exclude: [{{hart: 1}}]", LAST, ["'exclude[0]'", "no axis 'hart'", "'harts'?"]),
        (f"{AXES}exclude: [{{harts: 3}}]", LAST, ["'exclude[0].harts'", "no value '3'", "1, 2, 4"]),
        (f"{AXES}exclude: [{{harts: [1, 3]}}]", LAST, ["no value '3'"]),
        (f"{AXES}include: [{{irqs: aia}}]", LAST, ["'include[0]'", "no axis 'irqs'", "'irq'?"]),
        (f"{AXES}include: [{{irq: aya}}]", LAST, ["'include[0].irq'", "did you mean 'aia'?"]),
        (
            f"{AXES}exclude: [{{scenario: smok}}]",
            LAST,
            ["no value 'smok'", "did you mean 'smoke'?"],
        ),
        (f"{AXES}exclude: [{{}}]", LAST, ["'exclude[0]' names no axis"]),
        (
            f"{AXES}exclude: [{{irq: aia}}, {{irq: aia, harts: 1}}]",
            LAST,
            ["'exclude[1]'", "no cell away"],
        ),
        (f"{AXES}exclude: [{{irq: []}}]", LAST, ["'exclude[0]'", "takes no cell away"]),
        (f"{AXES}include: [{{irq: aia}}]", LAST, ["'include[0]'", "takes no cell back"]),
        (f"{AXES}exclude: [{{irq: [aia, plic]}}]", 0, ["no cell", "'exclude'"]),
        (
            f"{AXES}quarantine: [{{where: {{irk: aia}}, {WHY}}}]",
            LAST,
            ["'quarantine[0].where'", "'irq'?"],
        ),
        (f"{AXES}quarantine: [{{where: {{}}, {WHY}}}]", LAST, ["names no axis"]),
        (f"{AXES}quarantine: [{{{WHY}}}]", LAST, ["lacks the key 'where'"]),
        (
            f"{AXES}exclude: [{{irq: aia}}]\nquarantine: [{{where: {{irq: aia}}, {WHY}}}]",
            LAST + 1,
            ["means no cell"],
        ),
        (
            f"{AXES}quarantine: [{{where: {{irq: aia}}, {WHY.replace('07', '05')}}}]",
            LAST,
            ["'quarantine[0].expires'", "ended on 2026-05-01"],
        ),
        ("suite: suite.yaml\naxes: {}", 2, ["'axes' is empty", "no cell"]),
        ("suite: suite.yaml\naxes:\n  irq: []", 3, ["'axes.irq' has no value", "no cell"]),
        ("axes: {a: [{label: b}]}", 1, ["lacks the key 'suite'"]),
        ("suite: suite.yaml", 1, ["lacks the key 'axes'"]),
        ("suite: smok\naxes: {a: [{label: b}]}", 1, ["smok: no such", "did you mean 'smoke'?"]),
        (
            "suite: suite.yaml\naxes:\n  a:\n    - {label: b}\n    - {label: b}",
            5,
            ["two values 'b'"],
        ),
        ("suite: suite.yaml\naxes: {a: [{label: 'b,c'}]}", 2, ["'axes.a[0].label'", "letters"]),
        ("suite: suite.yaml\naxes: {a: [{set: {}}]}", 2, ["'axes.a[0]' lacks the key 'label'"]),
        ("suite: suite.yaml\naxes: {scenario: [{label: b}]}", 2, ["another name"]),
        ("suite: suite.yaml\naxes: {'a b': [{label: b}]}", 2, ["'axes.a b'", "letters"]),
        (
            "suite: suite.yaml\naxes: {a: [{label: b, set: {machine: {hart: 1}}}]}",
            2,
            ["machine.harts'"],
        ),
        ("suite: suite.yaml\naxes: {a: [{label: b, extend: c}]}", 2, ["'axes.a[0].extends'"]),
        ("format: 2\nsuit: x", 1, ["'format' 2 is from the future"]),
        ("suite: suite.yaml\naxes: {a: [{label: b}], a: [{label: c}]}", 2, ["'a' is given twice"]),
    ],
)
def test_a_wrong_matrix_names_file_line_key_and_remedy(
    tmp_path: Path, text: str, place: int, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(matrix_of(tmp_path, f"{text}\n"))
    told = f"{caught.value.message} {caught.value.remedy}"
    start = f"{tmp_path / 'm.yaml'}:{place}: " if place else f"{tmp_path / 'm.yaml'}: "
    assert told.startswith(start), told
    for word in words:
        assert word in told
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_axes_that_contradict_each_other(tmp_path: Path) -> None:
    text = """
suite: suite.yaml
axes:
  machine: [{label: quad, extends: quad}]
  harts:
    - {label: 4, set: {machine: {harts: 4}}}
    - {label: 2, set: {machine: {harts: 2}}}
"""
    with pytest.raises(ConfigError) as caught:
        expand(matrix_of(tmp_path, text))
    told = caught.value.message
    assert "cell 'machine=quad,harts=2,scenario=smoke'" in told
    assert f"{tmp_path / 'm.yaml'}:7: axis 'harts' sets 'machine.harts' to 2" in told
    assert "axis 'machine' sets it to 4 (" in told
    assert "machines/quad.yaml:4)" in told
    assert len(expand(matrix_of(tmp_path, text + "exclude: [{harts: 2}]\n"))) == 2


def test_a_suite_or_the_command_line_that_contradicts_an_axis(tmp_path: Path) -> None:
    suite = "scenarios: {smoke: {set: {machine: {harts: 3}}}}\n"
    with pytest.raises(ConfigError, match=r"suite\.yaml:1: 'smoke' of the suite sets"):
        expand(matrix_of(tmp_path, AXES, suite))
    with pytest.raises(ConfigError, match=r"--set machine\.harts: the command line sets"):
        expand(matrix_of(tmp_path, AXES, sets=["machine.harts=3"]))


def test_two_cells_that_are_the_same(tmp_path: Path) -> None:
    text = "suite: suite.yaml\naxes: {a: [{label: b}, {label: c, set: {machine: {harts: 2}}}]}\n"
    with pytest.raises(ConfigError, match="'a=b,scenario=smoke' and 'a=c,scenario=smoke'"):
        expand(matrix_of(tmp_path, text))


def test_a_suite_of_the_same_name_as_the_matrix(tmp_path: Path) -> None:
    path = tmp_path / "smoke.yaml"
    path.write_text("suite: smoke\naxes: {a: [{label: b}]}\n")
    assert [cell.name for cell in expand(load_matrix(path))] == ["smoke"]


@pytest.mark.parametrize(
    "text", ["6/5", "0/5", "1/0", "0/0", "-1/5", "a/b", "2", "1/2/3", "", "\u0662/\u0665"]
)
def test_a_wrong_shard(text: str) -> None:
    with pytest.raises(UsageError, match=f"--shard {text}") as caught:
        parse_shard(text)
    assert "--shard 2/5" in caught.value.remedy


def test_a_shard_as_it_is_written() -> None:
    assert parse_shard("2/5") == Shard(2, 5)
    assert parse_shard("5/5") == Shard(5, 5)


_WORDS = st.sampled_from(
    [*KNOWN, "opensbi", "harts", "irq", "aia", "1.6", "4", "label", "set", "extends", "quad"]
) | st.sampled_from(
    ["suite", "axes", "base", "where", "scenario", "machine", "suite.yaml", "~", "2026-02-30"]
)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 9), _WORDS)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_WORDS, inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from(["suite", "axes", "base", "exclude", "include", "quarantine", "extends"]),
    _TREES,
)
def test_anything_in_a_file_is_a_matrix_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, key: str, tree: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "anything"
    folder.mkdir(exist_ok=True)
    matrix = yaml.safe_load(AXES)
    for text in ({**matrix, key: tree}, {**matrix, "axes": {**matrix["axes"], "more": tree}}):
        try:
            cells = expand(matrix_of(folder, yaml.safe_dump(text)))
        except ConfigError as error:
            assert error.message.startswith(str(folder))
        else:
            assert cells


@settings(max_examples=EXAMPLES, deadline=None)
@given(_TREES)
def test_anything_in_a_suite_is_a_suite_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, tree: object
) -> None:
    folder = tmp_path_factory.getbasetemp() / "anything"
    folder.mkdir(exist_ok=True)
    for content in ({"scenarios": tree}, {"scenarios": {"smoke": tree}}, tree):
        path = folder / "suite.yaml"
        path.write_text(yaml.safe_dump(content))
        try:
            entries = load_suite(path, TODAY, KNOWN).entries
        except ConfigError as error:
            assert error.message.startswith(str(folder))
        else:
            assert entries


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 20))
def test_shards_are_disjoint_complete_and_balanced(weights: list[int], count: int) -> None:
    work = list(enumerate(weights))
    parts = [
        take(work, Shard(number, count), lambda item: item[1]) for number in range(1, count + 1)
    ]
    # Each item in one part, in the order of the work: disjoint and complete at once.
    assert [item for part in parts for item in part] == work
    share = sum(weights) / count
    for part in parts:
        assert abs(sum(weight for _, weight in part) - share) <= max(weights, default=0)


@given(st.integers(0, 200), st.integers(1, 30))
def test_equal_work_is_divided_evenly(size: int, count: int) -> None:
    sizes = [len(take(range(size), Shard(n, count), lambda _: 1)) for n in range(1, count + 1)]
    assert sum(sizes) == size
    assert max(sizes) - min(sizes) <= 1
