# SPDX-License-Identifier: Apache-2.0
"""The shipped files: each loads, names its schema, and the schemas are those of the code."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness import resources
from harness.cli.main import teecall
from harness.config import matrix, suite
from harness.config.check import dotted_keys
from harness.config.jsonschema import KINDS, as_text, schema
from harness.config.listing import cells_of
from harness.config.load import load
from harness.config.matrix import expand, load_matrix
from harness.config.schema import Config
from harness.config.suite import load_suite
from harness.scenarios.session import SCENARIOS

CONFIGS = resources.configs()
FILES = sorted(CONFIGS.rglob("*.yaml"))
_MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def kind_of(file: Path) -> str:
    match = _MODELINE.match(file.read_text())
    assert match, f"{file}: the first line must name the schema"
    found = (file.parent / match[1]).resolve()
    assert found.parent == CONFIGS / "schema", file
    return found.stem


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONFIGS)))
def test_every_file_names_its_schema_and_loads(file: Path) -> None:
    kind = kind_of(file)
    expected = {"suites": "suite", "matrices": "matrix"}.get(file.parent.name)
    assert expected in (None, kind)
    if kind == "config":
        load([file])
    elif kind == "suite":
        assert load_suite(file).entries
    else:
        cells = expand(load_matrix(file))
        for cell in cells:
            assert load((), cell.settings).value == cell.config


def test_the_kinds_are_all_there() -> None:
    assert {kind_of(file) for file in FILES} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_committed_schema_is_that_of_the_code(kind: str) -> None:
    text = (CONFIGS / "schema" / f"{kind}.json").read_text()
    remedy = f"teecall config schema --kind {kind} > configs/schema/{kind}.json"
    assert text == as_text(kind), remedy
    assert CliRunner().invoke(teecall, ["config", "schema", "--kind", kind]).output == text


def test_the_schema_has_every_key_with_its_meaning() -> None:
    found = schema("config")
    for key in dotted_keys(Config):
        group, name = key.split(".")
        reference = found["properties"][group]
        target = reference.get("$ref") or reference["allOf"][0]["$ref"]
        struct = found["$defs"][target.rpartition("/")[2]]
        assert struct["properties"][name]["description"], key
        assert struct["additionalProperties"] is False


def test_fragments_have_names_of_their_own() -> None:
    names = [path.stem for path in FILES if path.parent.name in ("configs", "machines", "stacks")]
    assert len(names) == len(set(names))


def test_the_nightly_suite_runs_every_scenario() -> None:
    entries = load_suite(Path("nightly")).entries
    assert {entry.scenario for entry in entries} == set(SCENARIOS)


@pytest.mark.parametrize("name", ["nightly", "everything"])
def test_the_shipped_matrices_have_the_axes_and_every_scenario(name: str) -> None:
    axes = [axis.name for axis in load_matrix(Path(name)).axes]
    assert set(axes) == {"opensbi", "tsm", "kernel", "qemu", "harts", "irq"}
    assert {cell.scenario for cell in cells_of(Path(name))} == set(SCENARIOS)


def test_a_night_is_a_part_of_everything() -> None:
    night = {cell.id for cell in cells_of(Path("nightly"))}
    assert night < {cell.id for cell in cells_of(Path("everything"))}


def test_the_shipped_matrices_have_no_cell_that_can_only_be_skipped() -> None:
    cells = cells_of(Path("everything"))
    alone = {cell.scenario for cell in cells if cell.config.machine.harts == 1}
    harts = {"beside-kvm", "domains", "interrupt-sweep", "smp", "three-worlds"}
    assert alone == set(SCENARIOS) - harts


def test_a_wheel_carries_the_folders() -> None:
    project = tomllib.loads((resources.root() / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    # The folder as a whole, with all that is below it.
    assert carried["configs"] == "harness/_data/configs"
    excluded = project["tool"]["hatch"]["build"]["exclude"]
    assert not any("configs" in pattern for pattern in excluded)


def test_cells_of_a_matrix_and_of_a_suite() -> None:
    assert len(cells_of(Path("nightly"))) > len(cells_of(Path("suites/nightly")))
    assert all(cell.label == "" for cell in cells_of(Path("suites/nightly")))
    assert cells_of(Path("smoke"), sets=["machine.harts=3"])[0].config.machine.harts == 3


def cells(*arguments: str) -> list[str]:
    result = CliRunner().invoke(teecall, ["config", "cells", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_the_verb_lists_cells() -> None:
    lines = cells("smoke")
    assert lines[-1] == "4 of 4 cells, part 1 of 1"
    assert "  smoke  opensbi=1.6,irq=plic" in lines[0]
    parts = [
        line for part in ("1/3", "2/3", "3/3") for line in cells("smoke", "-q", "--shard", part)
    ]
    assert [line.split() for line in parts] == [line.split() for line in lines[:-1]]
    plain = json.loads("\n".join(cells("smoke", "--format", "json")))
    assert plain[0]["label"] == "opensbi=1.6,irq=plic"
    assert plain[0]["config"]["opensbi"]["version"] == "1.6"
    assert plain[0]["limits"]["run_s"] > 0


def test_folders_of_suites_and_matrices_are_those_that_are_shipped() -> None:
    for folder in (*matrix.FOLDERS, *suite.FOLDERS):
        assert any((CONFIGS / folder).glob("*.yaml"))
