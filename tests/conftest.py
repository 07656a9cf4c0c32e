# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_history(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the runs of tests, and what they break on purpose, out of the user's history."""
    os.environ["TEECALL_HISTORY"] = str(tmp_path_factory.mktemp("history") / "history.sqlite")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, so that nothing reaches the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TEECALL_CACHE", str(folder))
    return folder
