# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, so that nothing reaches the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TEECALL_CACHE", str(folder))
    return folder
