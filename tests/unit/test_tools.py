# SPDX-License-Identifier: Apache-2.0
"""Programs that do not tell their version are named, and leave nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import tools
from harness.errors import ToolMissing
from harness.tools import VersionCache, version_line


def program(tmp_path: Path, content: str) -> str:
    path = tmp_path / "tool"
    path.write_text(content)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("#!/bin/sh\nexit 3\n", "exit status 3"),
        ("#!/bin/sh\n", "it says nothing"),
        ("\x7fELF garbage", "cannot be run"),
    ],
)
def test_mute_program_is_named(content: str, says: str, tmp_path: Path) -> None:
    mute = program(tmp_path, content)
    with pytest.raises(ToolMissing, match=says):
        VersionCache(tmp_path / "tools.json").line(mute)
    assert version_line(mute) == ""
    # It may be mended without its file being changed.
    assert not (tmp_path / "tools.json").exists()


def test_program_that_hangs_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "_TIMEOUT_S", 0.3)
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    hangs = program(tmp_path, f"#!/bin/sh\nsleep 60 >{alive} &\nwait\n")
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(ToolMissing, match="no answer in"):
        VersionCache(tmp_path / "tools.json").line(hangs)
    os.set_blocking(reader, True)
    # The end of the pipe is the end of the child that had it open.
    assert os.read(reader, 1) == b""
    os.close(reader)
