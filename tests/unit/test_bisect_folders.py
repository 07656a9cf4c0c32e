# SPDX-License-Identifier: Apache-2.0
"""Which bisections are kept: the last ones, and those that go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.bisect import folders
from harness.bisect.journal import Journal


def test_the_oldest_are_removed_unless_they_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "cache_dir", lambda: tmp_path)
    made = [tmp_path / "bisects" / f"20260101-0000{n:02}-abcdef" for n in range(25)]
    for folder in made:
        Journal(folder).__exit__(None, None, None)
    with Journal(made[0]):
        new = folders.new_folder()
        assert made[0].is_dir() and not made[1].exists()
    assert new.parent == made[0].parent and not new.exists()
    assert len(folders.kept()) == 20
    folders.new_folder()
    assert not made[0].exists()
