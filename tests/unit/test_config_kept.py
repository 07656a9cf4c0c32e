# SPDX-License-Identifier: Apache-2.0
"""The default configuration kept between commands: every change of what it follows from is seen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness import resources
from harness.config import kept
from harness.config.kept import load_config
from harness.config.load import load
from harness.errors import ConfigError


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped configurations, and an empty cache."""
    folder = tmp_path / "configs"
    shutil.copytree(resources.configs(), folder)
    monkeypatch.setattr(resources, "configs", lambda: folder)
    monkeypatch.setenv("TEECALL_CACHE", str(tmp_path / "cache"))
    return folder


def kept_files() -> list[Path]:
    return list((resources.cache_dir() / "stat").glob("config-*.json"))


@pytest.mark.usefixtures("configs")
def test_what_is_kept_is_what_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = load().value
    assert load_config() == wanted
    assert len(kept_files()) == 1

    def refuse(*_: object) -> None:
        raise AssertionError("the kept value was not taken")

    monkeypatch.setattr(kept, "_loaded", refuse)
    assert load_config() == wanted


def test_an_edit_of_the_defaults_is_seen(configs: Path) -> None:
    before = load_config()
    file = configs / "default.yaml"
    status = file.stat()
    text = file.read_text()
    assert "  harts: 2\n" in text
    file.write_text(text.replace("  harts: 2\n", "  harts: 3\n"))
    # The content counts, and not the time of the file or its size.
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (before.machine.harts, load_config().machine.harts) == (2, 3)
    file.write_text(text + "mahcine: {}\n")
    with pytest.raises(ConfigError, match="mahcine"):
        load_config()


@pytest.mark.usefixtures("configs")
def test_an_edit_of_the_code_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "schema.py").write_text("a = 1\n")
    monkeypatch.setattr(kept, "_CODE", code)
    load_config()
    (found,) = kept_files()
    before = found.read_bytes()
    (code / "schema.py").write_text("a = 12\n")
    load_config()
    assert found.read_bytes() != before


@pytest.mark.usefixtures("configs")
@pytest.mark.parametrize("text", ["", "{", '{"basis": "x"}', "\0"])
def test_a_damaged_file_is_not_used(text: str) -> None:
    wanted = load_config()
    (found,) = kept_files()
    found.write_text(text)
    assert load_config() == wanted


@pytest.mark.usefixtures("configs")
def test_what_depends_on_more_is_not_kept(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("machine: {harts: 1}\n")
    assert load_config([file]).machine.harts == 1
    assert load_config([], ["machine.harts=4"]).machine.harts == 4
    assert kept_files() == []
    assert load_config().machine.harts == 2


@pytest.mark.parametrize("line", ["extends: [other]\n", "tsm: {elf: tsm.elf}\n"])
def test_defaults_that_look_at_other_files_are_not_kept(configs: Path, line: str) -> None:
    (configs / "other.yaml").write_text("opensbi: {}\n")
    text = (configs / "default.yaml").read_text()
    if line.startswith("tsm"):
        text = text.replace("  elf: null\n", "  elf: tsm.elf\n")
    else:
        text = line + text
    (configs / "default.yaml").write_text(text)
    load_config()
    assert kept_files() == []
