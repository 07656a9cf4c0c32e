# SPDX-License-Identifier: Apache-2.0
"""The configuration: layers, types, and errors that name the place and the remedy."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import resources
from harness.config.check import dotted_keys
from harness.config.explain import comments, explain_key, render, render_json
from harness.config.load import load, load_as
from harness.config.schema import Config, Host
from harness.config.settings import assignments
from harness.errors import ConfigError, UsageError


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_shipped_defaults_are_the_schemas_defaults() -> None:
    assert load().value == Config()


def test_every_key_is_in_the_shipped_file_with_a_comment() -> None:
    documented = comments(resources.configs() / "default.yaml")
    for key in dotted_keys(Config):
        assert documented.get(key), key


def test_layers_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", "machine: {harts: 3, cpu: rv64}\n")
    over = write(tmp_path, "over.yaml", "extends: base\nmachine:\n  cpu: max\n")
    config = load([over], ["machine.memory_mib=2048"]).value
    assert (config.machine.harts, config.machine.cpu, config.machine.memory_mib) == (3, "max", 2048)


def test_explain_names_each_layer(tmp_path: Path) -> None:
    over = write(tmp_path, "over.yaml", "machine:\n  harts: 3\n")
    lines = explain_key(load([over], ["machine.harts=4"]), "machine.harts")
    assert lines[0] == "machine.harts = 4"
    assert "--set machine.harts" in lines[1]
    assert f"{over}:2: 3" in lines[2]
    assert "configs/default.yaml:" in lines[3]
    assert any("Number of harts" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("consle:\n  mode: port\n", 1, ["unknown key 'consle'", "did you mean 'console'"]),
        ("console:\n  mod: port\n", 2, ["unknown key 'console.mod'", "'console.mode'"]),
        ("\nmachine:\n  harts: many\n", 3, ["machine.harts", "'many'", "whole number"]),
        ("machine:\n  harts: 9\n", 2, ["machine.harts", "'9'", "<= 8"]),
        ("console:\n  mode: carrier-pigeon\n", 2, ["console.mode", "one of: port, serial"]),
        ("machine: 3\n", 1, ["'machine' is a group of keys", "harts"]),
        ("machine:\n  harts: [1, 2]\n", 2, ["a list", "whole number"]),
        ("tsm:\n  flags: -DX\n", 2, ["tsm.flags", "write a list"]),
        ("machine:\n  harts: 1\n  harts: 2\n", 3, ["given twice", "line 2"]),
        ("opensbi:\n  version: null\n", 2, ["opensbi.version", "null", "text"]),
        ("machine: {harts: 1\n", 2, ["not valid YAML"]),
        ("- a\n", 1, ["not a mapping"]),
    ],
)
def test_bad_input_names_file_line_and_remedy(
    tmp_path: Path, text: str, place: int, words: list[str]
) -> None:
    path = write(tmp_path, "bad.yaml", text)
    with pytest.raises(ConfigError) as caught:
        load([path])
    told = f"{caught.value.message} {caught.value.remedy}"
    assert told.startswith(f"{path}:{place}: ")
    for word in words:
        assert word in told
    assert caught.value.exit_code == 2


def test_a_version_is_text_as_it_was_written(tmp_path: Path) -> None:
    path = write(tmp_path, "v.yaml", "opensbi:\n  version: 1.10\n")
    assert load([path]).value.opensbi.version == "1.10"
    assert load([], ["opensbi.version=1.10"]).value.opensbi.version == "1.10"


def test_paths_are_taken_from_the_file_they_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "opensbi: {source: path:../sbi}\ntsm: {elf: my.elf}\nhost: {source: 'git:.@v6.12'}\n"
    path = write(tmp_path, "p.yaml", text)
    monkeypatch.chdir("/")
    config = load([path], ["tvm.source=path:x"]).value
    assert config.opensbi.source == f"path:{tmp_path.parent / 'sbi'}"
    assert config.tsm.elf == str(tmp_path / "my.elf")
    assert config.host.source == f"git:{tmp_path}@v6.12"
    assert config.tvm.source == "path:/x"


def test_a_hash_in_a_set_is_no_comment() -> None:
    url = "url:https://example.org/a.tar.gz#sha256=" + "0" * 64
    assert load([], [f"host.source={url}"]).value.host.source == url


@pytest.mark.parametrize("text", ["machine.harts", "=3", "machine..harts=3"])
def test_malformed_set(text: str) -> None:
    with pytest.raises(UsageError, match="KEY=VALUE"):
        load([], [text])


def test_a_circle_of_extends(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "extends: b\n")
    path = write(tmp_path, "b.yaml", "extends: a\n")
    with pytest.raises(ConfigError, match="extends itself"):
        load([path])


def test_a_missing_file_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        load([Path("defalt.yaml")])
    assert "did you mean 'default'" in caught.value.remedy


def test_explain_an_unknown_key() -> None:
    with pytest.raises(UsageError) as caught:
        explain_key(load(), "machine.hart")
    assert "machine.harts" in caught.value.remedy


def test_what_is_shown_can_be_loaded_again(tmp_path: Path) -> None:
    loaded = load([], ["machine.harts=5", "tsm.flags=[-DA=1]"])
    path = write(tmp_path, "again.yaml", render(loaded))
    assert load([path]).value == loaded.value


class Suite(msgspec.Struct, frozen=True):
    """A schema that has nothing to do with teecall's."""

    names: dict[str, list[int]] = {}
    steps: tuple[Config, ...] = ()


def test_the_loader_takes_any_schema(tmp_path: Path) -> None:
    path = write(tmp_path, "s.yaml", "names: {a: [1, 2]}\nsteps:\n- machine: {harts: 3}\n")
    value = load_as(Suite, [path]).value
    assert value.names == {"a": [1, 2]}
    assert value.steps[0].machine.harts == 3
    bad = write(tmp_path, "bad.yaml", "steps:\n- machine: {hart: 3}\n")
    with pytest.raises(ConfigError, match=r"bad.yaml:2: unknown key 'steps\[0\].machine.hart'"):
        load_as(Suite, [bad])


@given(st.text())
@example("\xa0")
def test_any_text_is_a_configuration_or_a_clear_error(text: str) -> None:
    try:
        load([], [f"host.cmdline={text}"])
    except ConfigError as error:
        assert error.message


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (
            "format: 2\nnewkey: 1\n",
            1,
            ["'format' 2 is from the future", "up to 1", "newer teecall"],
        ),
        ("\nformat: soon\n", 2, ["'format' cannot be 'soon'", "whole number"]),
        ("format: 0\n", 1, ["'format' cannot be '0'"]),
        ("extends: {a: b}\n", 1, ["'extends' names a file or a list of files"]),
        ("machine: {}\nextends: [quad, aai]\n", 2, ["aai: no such", "did you mean 'aia'?"]),
        ("? [a]\n: 1\n", 1, ["no key"]),
        ("machine:\n  harts: 2026-13-45\n", 2, ["'2026-13-45'", "whole number"]),
        ("machine:\n  harts: 2026-01-01\n", 2, ["'2026-01-01'", "whole number"]),
    ],
)
def test_bad_layers(tmp_path: Path, text: str, place: int, words: list[str]) -> None:
    test_bad_input_names_file_line_and_remedy(tmp_path, text, place, words)


@pytest.mark.parametrize("text", ["a: &x [*x]\n", f"a: {'[' * 3000}{']' * 3000}\n"])
def test_endless_nesting_is_an_error_of_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"deep\.yaml: nested without end"):
        load([write(tmp_path, "deep.yaml", text)])


@pytest.mark.parametrize("text", ["2026-13-45", "0b_", "2026-01-01", "1.10", "0x10", "yes"])
def test_text_that_looks_like_something_else(text: str) -> None:
    assert load([], [f"host.cmdline={text}"]).value.host.cmdline == text


def test_a_circle_names_the_line_and_the_way(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "extends: b\n")
    write(tmp_path, "b.yaml", "machine: {}\nextends: a\n")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path / "a.yaml"])
    assert caught.value.message.startswith(f"{tmp_path / 'b.yaml'}:2: 'extends': ")
    way = f"{tmp_path / 'a.yaml'} -> {tmp_path / 'b.yaml'} -> {tmp_path / 'a.yaml'}"
    assert caught.value.message.endswith(way)


def test_fragments_are_found_by_name(tmp_path: Path) -> None:
    own = write(tmp_path, "own.yaml", "extends: [opensbi-1.8.1, quad, machines/aia]\n")
    for files in ([own], [Path(name) for name in ("opensbi-1.8.1", "quad", "aia")]):
        config = load(files).value
        assert config.opensbi.version == "1.8.1"
        assert (config.machine.harts, config.machine.aia) == (4, "aplic-imsic")


def test_a_base_of_two_is_laid_once(tmp_path: Path) -> None:
    write(tmp_path, "base.yaml", "machine: {harts: 1, memory_mib: 2048}\n")
    write(tmp_path, "left.yaml", "extends: base\nmachine: {harts: 3}\n")
    write(tmp_path, "right.yaml", "extends: [base, default]\nmachine: {cpu: max}\n")
    top = write(tmp_path, "top.yaml", "extends: [left, right]\n")
    loaded = load([top])
    machine = loaded.value.machine
    assert (machine.harts, machine.cpu, machine.memory_mib) == (3, "max", 2048)
    text = "\n".join(explain_key(loaded, "machine.harts"))
    assert "left.yaml:2" in text.splitlines()[1]
    assert "base.yaml:1: 1" in text
    assert "configs/default.yaml" in text


def test_a_file_given_twice_is_laid_twice(tmp_path: Path) -> None:
    one = write(tmp_path, "one.yaml", "machine: {harts: 1}\n")
    two = write(tmp_path, "two.yaml", "machine: {harts: 3}\n")
    assert load([one, two, one]).value.machine.harts == 1


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "own.yaml", "machine: {harts: 1}\n")
    assert load([path]).value.machine.harts == 1
    write(tmp_path, "own.yaml", "machine: {harts: 3}\n")
    assert load([path]).value.machine.harts == 3


def test_json_is_shown(tmp_path: Path) -> None:
    loaded = load([], ["machine.harts=5"])
    assert msgspec.json.decode(render_json(loaded), type=Config) == loaded.value


def test_assignments_make_the_same_configuration() -> None:
    sets = [
        "machine.harts=5",
        "host.cmdline=a  b: '#c' \"d\"",
        "tsm.flags=[-DA=1, '-DB=\"x\"']",
        "memory.pool_base=0x98000000",
        "opensbi.version=1.10",
        "qemu.binary='null'",
        "tvm.payload=${artefact:guests.spin}",
        "timeouts.boot_s=1.5",
    ]
    config = load([], sets).value
    made = assignments(config)
    assert len(made) == len(sets)
    assert "memory.pool_base=0x98000000" in made
    assert load([], made).value == config
    assert assignments(Config()) == ()


@given(st.text())
@example("\xa0")
@example("null")
@example("- a")
def test_any_text_can_be_assigned_again(text: str) -> None:
    config = Config(host=Host(cmdline=text))
    assert load([], assignments(config)).value == config
