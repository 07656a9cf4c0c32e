# SPDX-License-Identifier: Apache-2.0
"""OpenSBI in a kept work tree has the bits of a clean build, and is made faster."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from harness.bisect import worktree
from harness.bisect.subject import SubjectOptions, subject_for
from harness.bisect.worktree import KeptOpenSbiRecipe
from harness.build.firmware import OpenSbiRecipe
from harness.build.jobs import Jobserver, Tools
from harness.build.recipe import Bench, Facts
from harness.config.load import load
from harness.errors import BuildError
from harness.files import locked
from harness.sources.resolve import Sources
from harness.ui import QuietUi

VERSION = "include/sbi/sbi_version.h"
MINOR = "include/sbi/teecall_minor.h"
_FILES = ("fw_dynamic.bin", "fw_dynamic.elf")
# What lib/sbi/sbi_trap.c says, which does not know the version.
WORD = b"trap handler failed"


def git(repo: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(repo), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(repo: Path, **files: str) -> str:
    for name, text in files.items():
        (repo / name.replace("__", "/")).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "change")
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The pinned OpenSBI with commits that show each way in which a result could be mixed."""
    repo = tmp_path_factory.mktemp("opensbi") / "repo"
    source = Sources(load().value, QuietUi()).materialise("opensbi")
    shutil.copytree(source, repo, symlinks=True)
    git(repo, "init", "-q")
    (repo / MINOR).write_text("#define TEECALL_MINOR 1\n")
    commits = {"base": commit(repo)}
    text = (repo / VERSION).read_text()
    text = text.replace(
        "#define __SBI_VERSION_H__", "#define __SBI_VERSION_H__\n#include <sbi/teecall_minor.h>"
    )
    old = next(
        line for line in text.splitlines() if line.startswith("#define OPENSBI_VERSION_MINOR")
    )
    (repo / VERSION).write_text(text.replace(old, "#define OPENSBI_VERSION_MINOR TEECALL_MINOR"))
    commits["includes"] = commit(repo)
    (repo / MINOR).write_text("#define TEECALL_MINOR 7\n")
    commits["header"] = commit(repo)
    makefile = repo / "lib/sbi/objects.mk"
    makefile.write_text(makefile.read_text() + "\nlibsbi-objs-y += sbi_teecall.o\n")
    (repo / "lib/sbi/sbi_teecall.c").write_text("int sbi_teecall = 1;\n")
    commits["makefile"] = commit(repo)
    commits["docs"] = commit(repo, docs__new="text\n")
    (repo / MINOR).write_text("#define TEECALL_MINOR 9\n")
    commits["later"] = commit(repo)
    return repo, commits


def build(recipe: OpenSbiRecipe, settings: tuple[str, ...], folder: Path) -> dict[str, bytes]:
    """Build with a recipe, outside the store, which would find what is equal."""
    config = load((), settings).value
    sources = Sources(config, QuietUi(), cache=folder.parent / "cache")
    recipe.inputs(Facts(config, sources, "compiler", str))
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    (folder / "work").mkdir()
    jobserver = Jobserver(2)
    try:
        recipe.build(
            Bench(
                config=config,
                sources=sources,
                needs={},
                work=folder / "work",
                out=folder / "out",
                log=folder / "log",
                tools=Tools(jobserver),
                on_line=lambda _: None,
            )
        )
    finally:
        jobserver.close()
    return {name: (folder / "out" / name).read_bytes() for name in _FILES}


def test_kept_tree_has_the_bits_of_a_clean_build(
    history: tuple[Path, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, commits = history
    subject = subject_for("opensbi", str(repo), SubjectOptions(cache=tmp_path / "cache"))
    settings = {name: subject.settings(rev) for name, rev in commits.items()}
    kept = KeptOpenSbiRecipe(tmp_path / "slots")
    seconds: dict[str, float] = {}

    def in_slot(name: str) -> dict[str, bytes]:
        begun = time.monotonic()
        result = build(kept, settings[name], tmp_path / "kept")
        seconds.setdefault(name, time.monotonic() - begun)
        return result

    def began_from_nothing() -> bool | None:
        return kept.clean

    base = in_slot("base")
    assert began_from_nothing()
    in_slot("includes")
    assert not began_from_nothing()
    begun = time.monotonic()
    clean = build(OpenSbiRecipe(), settings["header"], tmp_path / "clean")
    seconds["from nothing"] = time.monotonic() - begun
    assert in_slot("header") == clean
    assert not began_from_nothing()
    # Back to an older commit, whose files are older than the objects: also without a mix.
    assert in_slot("base") == base
    assert not began_from_nothing()

    # What the comparison is worth: make alone leaves the old number in, as its dependency files
    # do not have the header that a header has begun to include.
    with monkeypatch.context() as patch:
        patch.setattr(worktree, "forget", lambda *_, **__: None)
        in_slot("includes")
        assert in_slot("header") != clean
    made = in_slot("makefile")
    assert began_from_nothing(), "a makefile has changed"
    assert in_slot("docs") == made
    assert not began_from_nothing(), "a new text file in docs/ needs no clean build"
    assert seconds["header"] < seconds["from nothing"]
    _check_second_slot(tmp_path / "slots", settings, made, tmp_path / "kept")
    print({name: round(value, 1) for name, value in seconds.items()})


def _check_second_slot(
    slots: Path, settings: dict[str, tuple[str, ...]], before: dict[str, bytes], folder: Path
) -> None:
    """Check that a slot which was copied builds the bits of a clean build, not from nothing."""
    kept = KeptOpenSbiRecipe(slots, ready=2)
    assert build(kept, settings["docs"], folder) == before
    (first,) = (path.parent for path in slots.glob("opensbi-*/0.lock"))
    with locked(first / "0.lock"):
        second = build(kept, settings["later"], folder)
        assert not kept.clean and not kept.restored
        assert second != before
        assert second == build(OpenSbiRecipe(), settings["later"], folder)
        # What the comparison is worth: one letter of an object that the change does not touch.
        untouched = first / "1/output/lib/sbi/sbi_trap.o"
        sound = untouched.read_bytes()
        assert WORD in sound
        untouched.write_bytes(sound.replace(WORD, WORD.swapcase()))
        assert build(kept, settings["docs"], folder) != before
        untouched.write_bytes(sound)
        assert build(kept, settings["docs"], folder) == before
    assert not kept.clean


class Compiles(KeptOpenSbiRecipe):
    """Needs a file of the tree, and makes the images of nothing; `began` has all `clean`."""

    failing = 0
    began: list[bool | None]

    def build(self, bench: Bench) -> None:
        try:
            super().build(bench)
        finally:
            self.began = [*getattr(self, "began", []), self.clean]

    def compile(self, bench: Bench, tree: Path, output: Path) -> None:
        output.mkdir(exist_ok=True)
        if not (tree / "lib/sbi/sbi_trap.c").is_file():
            self.failing += 1
            raise BuildError("no rule to make target", "see the log")
        for name in _FILES:
            (bench.out / name).write_text("made")


def test_harm_to_a_kept_tree_says_nothing_about_a_commit(
    history: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    repo, commits = history
    subject = subject_for("opensbi", str(repo), SubjectOptions(cache=tmp_path / "cache"))
    kept = Compiles(tmp_path / "slots")

    def builds(recipe: Compiles, rev: str) -> None:
        build(recipe, subject.settings(subject.resolve(rev)), tmp_path / "kept")

    builds(kept, commits["header"])
    (slot,) = tmp_path.glob("slots/opensbi-*/0")
    (slot / "opensbi/lib/sbi/sbi_trap.c").unlink()
    builds(kept, commits["includes"])
    builds(kept, commits["header"])
    assert kept.began == [True, True, False] and kept.failing == 1
    # At another place the paths in dependency files are wrong.
    shutil.move(tmp_path / "slots", tmp_path / "moved")
    moved = Compiles(tmp_path / "moved")
    builds(moved, commits["includes"])
    builds(moved, commits["header"])
    # A commit that does not build does not, from nothing either.
    (repo / "lib/sbi/sbi_trap.c").unlink()
    with pytest.raises(BuildError):
        builds(moved, commit(repo))
    assert moved.began == [True, False, True] and moved.failing == 1


def test_stock_has_upstreams_bits(history: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    repo, commits = history
    options = SubjectOptions(cache=tmp_path / "cache", stock=True)
    subject = subject_for("opensbi", str(repo), options)
    kept = KeptOpenSbiRecipe(tmp_path / "slots")
    stock = build(kept, subject.settings(commits["base"]), tmp_path / "kept")
    tree, output = tmp_path / "plain", tmp_path / "plain-output"
    subprocess.run(["git", "clone", "-q", repo, tree], check=True)
    git(tree, "checkout", "-q", commits["base"])
    maps = f"-ffile-prefix-map={tree}=opensbi -ffile-prefix-map={output}=output"
    variables = [f"O={output}", "PLATFORM=generic", "BUILD_INFO=n"]
    command = ["make", "-j2", "-C", str(tree), "CROSS_COMPILE=riscv64-linux-gnu-", *variables]
    # The makefile adds to the variable, which it could not if the command line had it.
    environment = {**os.environ, "GENFLAGS": maps}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    plain = (output / "platform/generic/firmware/fw_dynamic.bin").read_bytes()
    assert stock["fw_dynamic.bin"] == plain
