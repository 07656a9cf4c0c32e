# SPDX-License-Identifier: Apache-2.0
"""Subjects of a search, on small repositories made here."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from harness import resources
from harness.bisect.problems import UnrelatedHistories
from harness.bisect.search import Search
from harness.bisect.subject import Subject, SubjectOptions, subject_for
from harness.bisect.subject_build import identity_of
from harness.bisect.worktree import Item, forget, needs_clean
from harness.build.artefacts import Artefacts
from harness.config.load import load
from harness.errors import BuildError, InfraError, UsageError
from harness.sources.resolve import Sources
from harness.ui import QuietUi


def git(repo: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    command = ["git", "-C", str(repo), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(repo: Path, name: str, text: str) -> str:
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_text(text)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", f"{name} is {text}")
    return git(repo, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def subject_of(repo: Path | str, component: str = "opensbi") -> Subject:
    cache = Path(repo).parent / "cache"
    return subject_for(component, str(repo), SubjectOptions(cache=cache))


def snapshot(folder: Path) -> dict[str, str]:
    """All files of a repository, git's own too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): f"{path.stat().st_mtime_ns} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in files
    }


def test_history_with_merges(repo: Path) -> None:
    commit(repo, "a", "0")
    base = commit(repo, "a", "1")
    git(repo, "switch", "-qc", "side")
    side = commit(repo, "b", "1")
    git(repo, "switch", "-q", "main")
    main = commit(repo, "a", "2")
    git(repo, "merge", "-q", "--no-ff", "-m", "merge", "side")
    merge = git(repo, "rev-parse", "HEAD")
    subject = subject_of(repo)
    assert set(subject.dag([base], "main").parents) == {base, side, main, merge}
    assert subject.dag(["side"], "main").merge_bases(side, merge) == (side,)
    assert subject.dag([main, side], "main").parents[merge] == (main, side)
    # A good end on a branch of its own: its merge base is there too.
    assert subject.dag(["side"], main).merge_bases(side, main) == (base,)
    assert Search(subject.dag([base], merge), [base], merge).problem is None
    info = subject.describe(merge)
    assert (
        info.parents == (main, side)
        and info.title == "merge"
        and info.author == "Ann <ann@example.org>"
    )
    info = subject.describe(main)
    assert (info.files, info.insertions, info.deletions) == (1, 1, 1)


def test_user_repository_is_never_written(repo: Path) -> None:
    first, last = commit(repo, "a", "1"), commit(repo, "a", "2")
    (repo / "a").write_text("changed\n")
    before = snapshot(repo)
    subject = subject_of(repo)
    assert "1 file(s) with uncommitted changes" in subject.notes[0]
    subject.dag([first], "HEAD")
    settings = subject.settings(last)
    source = Sources(load((), settings).value, QuietUi(), cache=repo.parent / "cache")
    assert (source.materialise("opensbi") / "a").read_text() == "2"
    assert snapshot(repo) == before


def test_repository_may_go_in_the_middle(repo: Path) -> None:
    first, last = commit(repo, "a", "1"), commit(repo, "a", "2")
    subject = subject_of(repo)
    subject.dag([first], "HEAD")
    shutil.rmtree(repo)
    subject.prepare(first)
    assert subject.describe(last).parents == (first,)
    with pytest.raises(InfraError, match="is gone"):
        subject.resolve("main")
    with pytest.raises(InfraError, match="is gone"):
        subject.prepare("0" * 40)


def test_a_repository_that_is_gone_is_searched_in_its_copy(repo: Path) -> None:
    first, last = commit(repo, "a", "1"), commit(repo, "a", "2")
    subject_of(repo)
    shutil.rmtree(repo)
    assert set(subject_of(repo).dag([first], last).parents) == {first, last}
    with pytest.raises(InfraError, match="is gone"):
        subject_of(repo).resolve("main")


def test_what_a_clone_borrows_is_copied(repo: Path, tmp_path: Path) -> None:
    first, last = commit(repo, "a", "1"), commit(repo, "a", "2")
    git(tmp_path, "clone", "-q", "--shared", str(repo), str(tmp_path / "shared"))
    subject = subject_of(tmp_path / "shared")
    shutil.rmtree(repo)
    assert subject.describe(last).parents == (first,)


def test_partial_clone(repo: Path, tmp_path: Path) -> None:
    first = commit(repo, "a", "1")
    commit(repo, "a", "2")
    last = commit(repo, "a", "3")
    git(repo, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{repo}", str(partial))
    with pytest.raises(UsageError, match="partial clone") as caught:
        subject_of(partial).dag([first], last)
    git(partial, *caught.value.remedy.strip("`").split()[4:])
    assert len(subject_of(partial).dag([first], last).parents) == 3


def test_a_message_may_have_any_character(repo: Path) -> None:
    commit(repo, "a", "1")
    message = "one\x1ftwo\u2028three\x0c\n\nThe rest,\nin two lines.\n"
    git(repo, "commit", "-q", "--allow-empty", "-m", message)
    git(repo, "config", "log.showSignature", "true")
    info = subject_of(repo).describe(git(repo, "rev-parse", "HEAD"))
    assert info.title.startswith("one\x1ftwo\u2028three") and info.author.startswith("Ann ")
    assert info.body == "The rest,\nin two lines."


def test_commits_made_after_the_copy_are_found(repo: Path) -> None:
    commit(repo, "a", "1")
    subject_of(repo)
    later = commit(repo, "a", "2")
    git(repo, "checkout", "-q", "--detach")
    nameless = commit(repo, "a", "3")
    subject = subject_of(repo)
    assert subject.resolve("HEAD") == nameless
    assert set(subject.dag([later], "HEAD").parents) == {later, nameless}


@pytest.mark.parametrize("rev", ["nothing", "0" * 40, "--all", ""])
def test_missing_revision(repo: Path, rev: str) -> None:
    commit(repo, "a", "1")
    with pytest.raises(UsageError, match="no commit"):
        subject_of(repo).resolve(rev)


def test_unrelated_histories(repo: Path) -> None:
    one = commit(repo, "a", "1")
    git(repo, "switch", "-q", "--orphan", "other")
    other = commit(repo, "b", "1")
    with pytest.raises(UnrelatedHistories):
        subject_of(repo).dag([one], other)


def test_shallow_clone(repo: Path, tmp_path: Path) -> None:
    first = commit(repo, "a", "0")
    commits = [commit(repo, "a", str(number)) for number in range(1, 6)]
    git(repo, "switch", "-qc", "old", first)
    old = commit(repo, "c", "1")
    shallow = tmp_path / "shallow"
    source = f"file://{repo}"
    git(repo, "clone", "-q", "--no-single-branch", "--depth=3", source, str(shallow))
    subject = subject_of(shallow)
    # What it has can be searched.
    assert len(subject.dag([commits[-2]], commits[-1]).parents) == 2
    with pytest.raises(UsageError, match="no commit") as caught:
        subject.resolve(commits[0])
    assert "--unshallow" in caught.value.remedy
    git(repo, "clone", "-q", "--no-single-branch", "--depth=1", source, str(tmp_path / "s2"))
    with pytest.raises(UsageError, match="shallow clone") as caught:
        subject_of(tmp_path / "s2").dag([old], commits[-1])
    assert "--unshallow" in caught.value.remedy
    git(shallow, "fetch", "-q", "--unshallow")
    assert len(subject_of(shallow).dag([first], commits[-1]).parents) == 6


def test_no_repository(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="repository"):
            subject_of(where)


def test_parts_of_this_repository_bring_their_abi(repo: Path) -> None:
    before = commit(repo, "README", "1")
    commit(repo, "firmware/abi/cove.h", "1")
    first = commit(repo, "firmware/tsm/Makefile", "1")
    docs = commit(repo, "README", "2")
    abi = commit(repo, "firmware/abi/cove.h", "2")
    subject = subject_of(repo, "tsm")
    assert subject.settings(first) == subject.settings(docs) != subject.settings(abi)
    tree = git(repo, "rev-parse", f"{abi}:firmware/abi")
    assert any(s.startswith("tsm.abi=git:") and s.endswith(tree) for s in subject.settings(abi))
    assert load((), subject.settings(abi)).value.opensbi.abi is None
    with pytest.raises(BuildError, match="has no firmware/tsm"):
        subject.settings(before)


def test_values(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("old", "new")]
    for file in files:
        file.write_text(file.name)
    values = tuple(map(str, files))
    subject = subject_for("qemu", None, SubjectOptions(values=values))
    assert subject.resolve("#2") == values[1]
    assert subject.dag([values[0]], values[1]).parents == {values[0]: (), values[1]: values[:1]}
    assert load((), subject.settings(values[1])).value.qemu.binary == values[1]
    files[1].write_text("other")
    with pytest.raises(InfraError, match="has changed"):
        subject.prepare(values[1])
    files[1].unlink()
    with pytest.raises(InfraError, match="is gone"):
        subject.prepare(values[1])
    key = subject_for("machine.harts", None, SubjectOptions(values=("1", "2", "4")))
    assert load((), key.settings("4")).value.machine.harts == 4
    assert key.describe("4").parents == ("2",)


@pytest.mark.parametrize(
    ("component", "where", "options"),
    [
        ("opensbi", None, SubjectOptions()),
        ("opensbi", ".", SubjectOptions(values=("1", "2"))),
        ("linux", ".", SubjectOptions(stock=True)),
        ("nothing", None, SubjectOptions(values=("1", "2"))),
        ("machine.harts", ".", SubjectOptions(values=("1", "2"))),
        ("machine.harts", None, SubjectOptions(values=("1",))),
        ("machine.harts", None, SubjectOptions(values=("1", "1"))),
        ("machine.harts", None, SubjectOptions(values=("1", "2"), stock=True)),
        ("qemu", None, SubjectOptions(values=("/no/file", "/no/other"))),
    ],
)
def test_what_does_not_fit(component: str, where: str | None, options: SubjectOptions) -> None:
    with pytest.raises(UsageError) as caught:
        subject_for(component, where, options)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "before", "after", "clean"),
    [
        ("lib/a.c", "f1", "f2", False),
        ("include/a.h", "f1", "f2", False),
        ("include/a.h", None, "f2", True),
        ("include/a.h", "f1", None, True),
        ("lib/a.c", "f1", "l1", True),
        ("lib/objects.mk", "f1", "f2", True),
        ("Makefile", "f1", "f2", True),
        ("lib/Kconfig", "f1", "f2", True),
        ("firmware/fw_base.ldS", "f1", "f2", True),
        ("lib/a.carray", "f1", "f2", True),
        ("scripts/carray.sh", "x1", "x2", True),
        ("docs/new.txt", None, "f1", False),
        ("README.md", "f1", "f2", False),
    ],
)
def test_when_a_kept_tree_is_cleaned(
    name: str, before: str | None, after: str | None, clean: bool
) -> None:
    old = {"same.c": "f0"} | ({name: before} if before else {})
    new = {"same.c": "f0"} | ({name: after} if after else {})
    wanted = {path: Item(Path(path), digest) for path, digest in new.items()}
    assert needs_clean(old, wanted) is clean
    assert needs_clean({}, wanted)


def test_objects_of_a_changed_file_go(tmp_path: Path) -> None:
    for name in ("one.o", "two.o", "made.carray.o", "libsbi.a", "fw.elf", "fw.bin"):
        (tmp_path / name).write_text("")
    (tmp_path / "one.dep").write_text("one.o: /t/lib/one.c /t/include/sbi/x.h\n")
    (tmp_path / "two.dep").write_text("two.o: /t/lib/two.c\n")
    forget(tmp_path, ["include/sbi/x.h"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["two.dep", "two.o"]


def test_tree_of_a_bare_repository_is_whole(repo: Path, tmp_path: Path) -> None:
    last = commit(repo, "folder/a", "1")
    bare = tmp_path / "bare.git"
    git(repo, "clone", "-q", "--bare", str(repo), str(bare))
    config = load((), (f"opensbi.source=git:{bare}@{last}",)).value
    place = Sources(config, QuietUi(), cache=tmp_path / "cache").materialise("opensbi")
    assert (place / "folder/a").read_text() == "1"


def test_identity_is_all_that_a_run_depends_on(tmp_path: Path) -> None:
    names = [
        field.name for field in fields(Artefacts) if field.name not in ("versions", "is_payload")
    ]
    for name in names:
        (tmp_path / name).write_text(name)
    paths: dict[str, Any] = {name: tmp_path / name for name in names}
    paths["initrd_more"] = (tmp_path / "initrd_more",)
    made = Artefacts(**paths)
    kernel = tmp_path / "Image"
    guests = tmp_path / "guests"
    shutil.copytree(resources.guest_images() / "tvm", guests)
    settings = (f"tvm.kernel={kernel}", f"tvm.source=path:{guests}")

    def identity(*more: str) -> str:
        config = load((), (*settings, *more)).value
        return identity_of(config, made, Sources(config, QuietUi(), cache=tmp_path / "cache"))

    kernel.write_text("one")
    seen = [identity()]
    assert identity() == seen[0] == identity("opensbi.flags=[-O1]")
    seen += [identity("machine.harts=3"), identity("tvm.flags=[-O1]")]
    # A guest's kernel at the same path, and what scenarios build for themselves.
    kernel.write_text("two")
    seen.append(identity())
    (guests / "linux/init").write_text("#!/bin/sh\n")
    seen.append(identity())
    for name in set(names) - {"opensbi_elf", "vmlinux"}:
        (tmp_path / name).write_text("other")
        seen.append(identity())
    assert len(set(seen)) == len(seen)
    # Symbols are not the machine.
    (tmp_path / "vmlinux").write_text("other")
    assert identity() == seen[-1]
