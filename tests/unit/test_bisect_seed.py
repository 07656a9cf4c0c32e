# SPDX-License-Identifier: Apache-2.0
"""A slot that is the copy of another, and what a change leaves of a slot's objects."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from harness.bisect.seed import seed
from harness.bisect.worktree import Item, forget, reach_made

STATE = "state.json"
OLD = 1_700_000_000


def slot(folder: Path) -> Path:
    """Make a slot with files of different times, some of which name it."""
    files = {
        "opensbi/lib/a.c": b"int a;\n",
        "output/lib/a.dep": b"%b/output/lib/a.o: %b/opensbi/lib/a.c\n",
        "output/lib/t.carray.c": b"// from %b/opensbi/lib/t.carray\n",
        "output/lib/a.o": b"\x7fELF %b/opensbi/lib/a.c",
        STATE: b'{"/": "%b", "lib/a.c": "f1"}',
    }
    for number, (name, text) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.replace(b"%b", os.fsencode(folder)))
        os.utime(path, (OLD + number, OLD + number))
    return folder


def test_a_seeded_slot_is_the_same_at_another_place(tmp_path: Path) -> None:
    source, target = slot(tmp_path / "0"), slot(tmp_path / "1")
    (target / "output/lib/left.o").write_text("of another tree")
    seed(source, target, STATE)
    names = {p.relative_to(source) for p in source.rglob("*")}
    assert {p.relative_to(target) for p in target.rglob("*")} == names
    for name in (n for n in names if (source / n).is_file() and n.name != STATE):
        assert (target / name).stat().st_mtime_ns == (source / name).stat().st_mtime_ns
        kept, was = (target / name).read_bytes(), (source / name).read_bytes()
        if name.suffix == ".o":
            # Objects have no path of a slot in them; if one had, it would not be touched.
            assert kept == was
        else:
            assert os.fsencode(f"{source}/") not in kept
            assert kept == was.replace(os.fsencode(f"{source}/"), os.fsencode(f"{target}/"))
    assert json.loads((target / STATE).read_bytes()) == {"/": str(target), "lib/a.c": "f1"}


def test_a_seed_that_is_interrupted_is_worth_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = slot(tmp_path / "0"), slot(tmp_path / "1")

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copytree", dies)
    with pytest.raises(KeyboardInterrupt):
        seed(source, target, STATE)
    assert not (target / STATE).exists()


@pytest.mark.parametrize(
    ("changed", "reaches"),
    [("lib/a.c", False), ("include/a.h", True), ("lib/b.inc.c", True), ("lib/a.S", False)],
)
def test_what_reaches_a_table_that_make_has_made(
    changed: str, reaches: bool, tmp_path: Path
) -> None:
    header = tmp_path / "a.h"
    header.write_text('#include "../lib/b.inc.c"\n')
    wanted = {"include/a.h": Item(header, "f1"), "lib/a.c": Item(tmp_path / "a.c", "f2")}
    assert reach_made([changed], wanted) is reaches


@pytest.mark.parametrize("made", [True, False])
def test_a_table_goes_only_when_it_may_have_changed(made: bool, tmp_path: Path) -> None:
    for name in ("a.o", "b.o", "t.carray.o", "lib.a", "fw.elf", "fw.bin"):
        (tmp_path / name).write_text("made")
    (tmp_path / "a.dep").write_text("a.o: lib/a.c")
    (tmp_path / "b.dep").write_text("b.o: lib/b.c")
    forget(tmp_path, ["lib/a.c"], made=made)
    left = {"b.o", "b.dep", *([] if made else ["t.carray.o"])}
    assert {path.name for path in tmp_path.iterdir()} == left


def test_a_header_beside_the_including_file_is_found_by_its_name(tmp_path: Path) -> None:
    """The compiler writes `#include "../sbi/x.h"` as it stands there, behind the folder's path."""
    (tmp_path / "a.o").write_text("made")
    (tmp_path / "a.dep").write_text(f"{tmp_path}/a.o: /s/lib/utils/a.c /s/lib/utils/../sbi/x.h")
    forget(tmp_path, ["lib/sbi/x.h"])
    assert not list(tmp_path.iterdir())
