# SPDX-License-Identifier: Apache-2.0
"""`${artefact:NAME}`: a configuration names a thing that teecall builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.build.builder import Builder
from harness.build.referenced import file_of
from harness.config.load import load
from harness.config.references import ARTEFACTS, KEYS, guests_in
from harness.errors import ConfigError
from harness.ui import QuietUi
from tests.unit.test_build import FAKE_GCC


def planned(sets: list[str], tmp_path: Path) -> set[str]:
    for tool in ("gcc", "ld"):
        (tmp_path / f"fake-{tool}").write_text(FAKE_GCC)
        (tmp_path / f"fake-{tool}").chmod(0o755)
    config = load((), [*sets, f"build.cross_compile={tmp_path}/fake-"]).value
    return set(Builder(config, QuietUi(), offline=True).plan())


def test_a_reference_is_kept_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("tvm:\n  payload: ${artefact:guests.spin}\n")
    assert load([path]).value.tvm.payload == "${artefact:guests.spin}"


def test_a_recipe_runs_because_it_is_named(tmp_path: Path, cache: Path) -> None:
    usual = planned([], tmp_path)
    assert "audit" not in usual
    audit = planned(["tsm.elf=${artefact:audit.tsm}"], tmp_path)
    assert audit == usual - {"tsm"} | {"audit"}
    for same in (
        "tsm.elf=${artefact:tsm.elf}",
        "host.kernel=${artefact:linux.Image}",
        "host.initrd=${artefact:initramfs.cpio}",
        "tvm.payload=${artefact:guests.spin}",
    ):
        assert planned([same], tmp_path) == usual


def test_every_artefact_stands_for_a_key_and_has_a_recipe(tmp_path: Path, cache: Path) -> None:
    for name, artefact in ARTEFACTS.items():
        assert artefact.key in KEYS
        assert artefact.recipe in planned([f"{artefact.key}=${{artefact:{name}}}"], tmp_path)


def test_the_file_of_a_key(tmp_path: Path) -> None:
    for name in ("guests/spin.elf", "guests/hello.elf", "own.elf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    places = {"guests": tmp_path / "guests"}
    expected = {
        "null": "guests/hello.elf",
        "${artefact:guests.spin}": "guests/spin.elf",
        str(tmp_path / "own.elf"): "own.elf",
    }
    for value, file in expected.items():
        config = load((), [f"tvm.payload={value}"]).value
        assert file_of(config, "tvm.payload", places, "guests/hello.elf") == tmp_path / file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "tvm: {payload: '${artefact:guests.spni}'}",
            ["'guests.spni'", "did you mean 'guests.spin'"],
        ),
        ("tsm: {elf: '${artefact:tsm.el}'}", ["'tsm.el'", "did you mean 'tsm.elf'?"]),
        ("tsm: {elf: '${artefact:linux.Image}'}", ["stand for host.kernel only", "audit.tsm"]),
        ("tsm: {elf: '${artefact:guests.spin}'}", ["stand for tvm.payload only"]),
        ("tsm: {elf: '${artifact:tsm.elf}'}", ["is no reference", "${artefact:NAME}"]),
        ("tsm: {elf: '${artefact:}'}", ["is no reference"]),
        ("tsm: {elf: '${artefact:tsm.elf'}", ["is no reference"]),
    ],
)
def test_a_wrong_reference_names_line_key_and_nearest(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load([path])
    key = "tvm.payload" if text.startswith("tvm") else "tsm.elf"
    assert caught.value.message.startswith(f"{path}:2: '{key}'")
    for word in words:
        assert word in f"{caught.value.message} {caught.value.remedy}"


def test_guests_of_a_source_of_the_users(tmp_path: Path) -> None:
    own = tmp_path / "guests"
    own.mkdir()
    (own / "Makefile").write_text("GUESTS := mine other\n")
    assert guests_in(own) == ("mine", "other")
    sets = [f"tvm.source=path:{own}", "tvm.payload=${artefact:guests.mine}"]
    assert load((), sets).value.tvm.payload == "${artefact:guests.mine}"
    with pytest.raises(ConfigError, match=r"no artefact 'guests\.hello'"):
        load((), [sets[0], "tvm.payload=${artefact:guests.hello}"])


def test_a_guest_that_only_the_build_can_tell(tmp_path: Path) -> None:
    config = load((), ["tvm.source=git:/x@v1", "tvm.payload=${artefact:guests.spni}"]).value
    (tmp_path / "spin.elf").touch()
    with pytest.raises(ConfigError, match=r"makes no spni\.elf") as caught:
        file_of(config, "tvm.payload", {"guests": tmp_path}, "guests/hello.elf")
    assert "did you mean 'spin'?" in caught.value.remedy
