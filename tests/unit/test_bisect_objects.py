# SPDX-License-Identifier: Apache-2.0
"""An object of another commit is taken only where all that it was compiled from is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bisect.objects import Objects, shape_of

TREE = {"lib/a.c": "f1", "include/a.h": "f2", "Makefile": "f3"}


def compiled(name: str) -> bool:
    return name.endswith((".c", ".h"))


def objects(top: Path, tree: dict[str, str]) -> Objects:
    return Objects(top / "objects", shape_of(tree, compiled))


def slot(top: Path, name: str, more: str = "") -> Path:
    """Make a slot in which lib/a.o has been compiled."""
    made = top / name
    (made / "output/lib").mkdir(parents=True)
    (made / "output/lib/a.o").write_text(f"object of {name}")
    own = f"{made}/opensbi"
    kconfig = f"{made}/output/platform/generic/kconfig/autoconf.h"
    text = f"{made}/output/lib/a.o: \\\n {own}/lib/a.c {kconfig} \\\n {own}/include/a.h{more}\n"
    (made / "output/lib/a.dep").write_text(text)
    return made


def emptied(top: Path, name: str) -> Path:
    made = slot(top, name)
    (made / "output/lib/a.o").unlink()
    (made / "output/lib/a.dep").unlink()
    return made


def test_an_object_comes_back_in_another_slot(tmp_path: Path) -> None:
    objects(tmp_path, TREE).save(slot(tmp_path, "one"), TREE)
    other = emptied(tmp_path, "two")
    assert objects(tmp_path, TREE).restore(other, TREE) == 1
    kept = other / "output/lib/a.o"
    assert kept.read_text() == "object of one"
    told = kept.with_suffix(".dep")
    assert str(other) in told.read_text() and str(tmp_path / "one") not in told.read_text()
    assert kept.stat().st_mtime_ns >= told.stat().st_mtime_ns


@pytest.mark.parametrize(
    "change",
    [{"lib/a.c": "f9"}, {"include/a.h": "f9"}, {"Makefile": "f9"}, {"include/new.h": "f4"}],
)
def test_what_may_differ_is_compiled(change: dict[str, str], tmp_path: Path) -> None:
    objects(tmp_path, TREE).save(slot(tmp_path, "one"), TREE)
    tree = TREE | change
    assert objects(tmp_path, tree).restore(emptied(tmp_path, "two"), tree) == 0


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    objects(tmp_path, TREE).save(slot(tmp_path, "one"), TREE)
    other = slot(tmp_path, "two")
    assert objects(tmp_path, TREE).restore(other, TREE) == 0
    assert (other / "output/lib/a.o").read_text() == "object of two"


def test_an_object_of_a_file_elsewhere_is_not_kept(tmp_path: Path) -> None:
    objects(tmp_path, TREE).save(slot(tmp_path, "one", " /usr/include/b.h"), TREE)
    assert objects(tmp_path, TREE).restore(emptied(tmp_path, "two"), TREE) == 0
