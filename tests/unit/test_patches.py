# SPDX-License-Identifier: Apache-2.0
"""The domain switch as a series of patches: how it is cut, and that git takes it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness import resources
from harness.cli.main import run
from harness.errors import InfraError
from harness.patches import (
    FOLDER,
    MAKEFILE,
    Author,
    makefile_for,
    overlay_files,
    run_git,
    series,
    staged,
)
from harness.sources.gittree import SKIPPED

AUTHOR = Author("A Developer", "dev@example.org")


def overlay() -> dict[str, bytes]:
    return overlay_files(resources.firmware() / "opensbi" / "tsmd", resources.firmware() / "abi")


def repository(folder: Path) -> Path:
    """A tree as small as one of OpenSBI can be, in a repository."""
    (folder / "lib" / "sbi").mkdir(parents=True)
    (folder / "lib" / "sbi" / "objects.mk").write_text("libsbi-objs-y += sbi_init.o\n")
    run_git(["init", "-q"], folder)
    run_git(["add", "-A"], folder)
    run_git([*identity(), "commit", "-qm", "base"], folder)
    return folder


def identity() -> list[str]:
    return ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]


def apply(tree: Path, mails: bytes) -> None:
    command = ["git", "-c", "core.hooksPath=/dev/null", *identity(), "am", "-q"]
    done = subprocess.run(command, cwd=tree, input=mails, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_series_brings_exactly_what_a_build_places(tmp_path: Path) -> None:
    tree = repository(tmp_path / "tree")
    apply(tree, b"".join(patch.content for patch in series(overlay(), AUTHOR)))
    assert content(tree / FOLDER) == overlay()
    changed = run_git(["diff", "--name-only", "--diff-filter=a", "HEAD~6"], tree)
    assert changed == ""


def test_overlay_is_what_the_recipe_copies() -> None:
    """The recipe copies the folder of the switch, and the headers of the ABI into it."""
    folder = resources.firmware() / "opensbi" / "tsmd"
    assert [
        path.name for path in folder.iterdir() if path.is_dir() and path.name not in SKIPPED
    ] == []
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert set(overlay()) == names | {"cove.h", "teecall.h"}


def test_series_is_the_same_each_time() -> None:
    assert series(overlay(), AUTHOR) == series(overlay(), AUTHOR)


def test_user_configuration_has_no_influence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = series(overlay(), AUTHOR)
    configuration = tmp_path / "config"
    configuration.write_text("[diff]\n\tnoprefix = true\n[format]\n\tsignature = x\n\tattach\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    assert series(overlay(), AUTHOR) == plain


def test_messages_are_in_the_style_of_opensbi() -> None:
    patches = series(overlay(), AUTHOR)
    assert 4 <= len(patches) <= 7
    for patch in patches:
        text = patch.content.decode()
        head, body = text.split("\n\n", 1)
        assert re.search(r"^Subject: \[PATCH \d/\d\] lib: sbi: tsmd: [A-Z]", head, re.MULTILINE)
        message = body.split("\n---\n")[0].splitlines()
        assert message[-1] == "Signed-off-by: A Developer <dev@example.org>"
        assert len(message) > 3
        assert max(len(line) for line in message) <= 75
        assert "From: A Developer <dev@example.org>\n" in text


def test_makefile_never_names_what_is_not_there() -> None:
    present: dict[str, bytes] = {}
    for stage, new in staged(overlay()):
        present |= new
        makefile = present.get(MAKEFILE, b"").decode()
        for name in re.findall(r"tsmd/(\w+)\.o", makefile):
            assert f"{name}.c" in present or f"{name}.S" in present, stage.subject
        sources = b"".join(present.values()).decode()
        for symbol in re.findall(r"--wrap=(\w+)", makefile):
            assert f"__wrap_{symbol}" in sources, stage.subject
    assert present == overlay()


def test_included_headers_come_no_later_than_their_includers() -> None:
    present: set[str] = set()
    for stage, new in staged(overlay()):
        present |= set(new)
        for name, text in new.items():
            for header in re.findall(rb'^#include "([^"]+)"', text, re.MULTILINE):
                assert header.decode() in present, f"{stage.subject}: {name}"


def test_new_files_find_a_place() -> None:
    files = overlay() | {
        "tsmd_new.c": b"int tsmd_new;\n",
        "tsmd_new.h": b"\n",
        "README.md": b"# tsmd\n",
    }
    files[MAKEFILE] = files[MAKEFILE].rstrip() + b"\nlibsbi-objs-y += tsmd/tsmd_new.o\n"
    places = {name: stage.subject for stage, new in staged(files) for name in new}
    assert places["tsmd_new.c"] == "Switch between host and TSM"
    assert places["tsmd_new.h"] == places["tsmd.h"]
    assert places["README.md"] == "Document the TSM-driver"


def test_makefile_that_names_a_missing_file_is_refused() -> None:
    files = overlay()
    files[MAKEFILE] += b"libsbi-objs-y += tsmd/tsmd_lost.o\n"
    with pytest.raises(InfraError, match="in none of its files"):
        staged(files)


def test_makefile_keeps_lines_of_other_kinds() -> None:
    text = b"# comment\n\nlibsbi-objs-y += tsmd/a.o\n\nfirmware-cflags-y += -DX\n"
    assert makefile_for(text, {}) == b"# comment\n\nfirmware-cflags-y += -DX\n"
    assert makefile_for(text, {"a.S": b""}) == text


def test_command_writes_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "series"
    arguments = ["export-patches", "-q", "--signoff", str(AUTHOR)]
    assert run([*arguments, "-o", str(out)]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert written == sorted(out.iterdir())
    assert run(arguments) == 0
    assert capsys.readouterr().out.encode() == b"".join(path.read_bytes() for path in written)


def test_signer_without_address_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export-patches", "-q", "--signoff", "Nobody"]) == 2
    assert "write 'NAME <EMAIL>'" in capsys.readouterr().err
