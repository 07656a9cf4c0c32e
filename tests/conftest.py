# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def own_history(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the runs of tests, and what they break on purpose, out of the user's history."""
    os.environ["TEECALL_HISTORY"] = str(tmp_path_factory.mktemp("history") / "history.sqlite")


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Let what the tests start be interrupted.

    A shell has what it starts in the background ignore SIGINT, and so would all that they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, so that nothing reaches the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TEECALL_CACHE", str(folder))
    return folder
