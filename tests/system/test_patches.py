# SPDX-License-Identifier: Apache-2.0
"""The exported series on the OpenSBI trees that are built from."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness import resources
from harness.config.load import load
from harness.patches import FOLDER, overlay_files, run_git
from harness.sources.resolve import Sources
from harness.ui import QuietUi
from tests.system.conftest import teecall
from tests.unit.test_patches import apply, content, identity


@pytest.mark.parametrize("version", ["1.6", "1.8.1"])
def test_series_applies_to_opensbi(version: str, tmp_path: Path) -> None:
    config = load((), (f"opensbi.version={version}",)).value
    tree = tmp_path / "opensbi"
    shutil.copytree(Sources(config, QuietUi()).materialise("opensbi"), tree, symlinks=True)
    run_git(["init", "-q"], tree)
    run_git(["add", "-Af", "."], tree)
    run_git([*identity(), "commit", "-qm", "base"], tree)

    done = teecall("export-patches", "-q", "--signoff", "A Developer <dev@example.org>")
    assert done.returncode == 0, done.stderr
    apply(tree, done.stdout.encode())

    firmware = resources.firmware()
    expected = overlay_files(firmware / "opensbi" / "tsmd", firmware / "abi")
    assert content(tree / FOLDER) == expected
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=tree, capture_output=True, check=True
    )
    assert status.stdout == b""


def test_series_has_the_headers_that_a_build_takes(tmp_path: Path) -> None:
    headers = tmp_path / "abi"
    shutil.copytree(resources.firmware() / "abi", headers)
    header = headers / "teecall.h"
    header.write_text(header.read_text() + "/* Headers of another commit. */\n")
    signer = ("-q", "--signoff", "A Developer <dev@example.org>")
    for chosen in (True, False):
        settings = ["--set", f"opensbi.abi=path:{headers}"] if chosen else []
        done = teecall("export-patches", *signer, *settings)
        assert done.returncode == 0, done.stdout
        assert ("+/* Headers of another commit. */" in done.stdout) is chosen
