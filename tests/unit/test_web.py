# SPDX-License-Identifier: Apache-2.0
"""Downloads by HTTP, from a server of the test's own."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from harness.errors import SourceError
from harness.sources import web
from harness.sources.fetch import Fetcher
from harness.sources.lock import Pin
from harness.sources.spec import parse
from harness.ui import QuietUi

CONTENT = b"content" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves /file, /flaky from the second time on, and nothing else."""

    def do_GET(self) -> None:
        """Answer by the path."""
        asked = getattr(self.server, "asked", 0)
        self.server.asked = asked + 1  # type: ignore[attr-defined]
        found = self.path.startswith(("/file", "/flaky"))
        busy = self.path == "/flaky" and asked == 0
        self.send_response(503 if busy else 200 if found else 404)
        self.end_headers()
        if found and not busy:
            self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times: list[float] = []
    monkeypatch.setattr(time, "sleep", times.append)
    return times


def test_a_file_is_fetched_and_verified(server: str, cache: Path) -> None:
    origin = parse(f"url:{server}/file.tar.gz#sha256={DIGEST}")
    file = Fetcher(cache, QuietUi(), offline=False).download(origin, DIGEST)
    assert file.name == "file.tar.gz"
    assert file.read_bytes() == CONTENT
    assert Fetcher(cache, QuietUi(), offline=True).download(origin, DIGEST) == file


def test_a_wrong_hash_leaves_nothing(server: str, cache: Path) -> None:
    pin = Pin("t", "1", (f"url:{server}/file.tar.gz",), sha256="0" * 64)
    with pytest.raises(SourceError) as caught:
        Fetcher(cache, QuietUi(), offline=False).pinned("t", pin)
    assert any(DIGEST in line for line in caught.value.details)
    assert not [path for path in (cache / "downloads").rglob("*") if path.is_file()]


def test_a_server_in_trouble_is_asked_again(
    server: str, tmp_path: Path, waits: list[float]
) -> None:
    notes: list[str] = []
    assert web.fetch(f"{server}/flaky", tmp_path, notes.append).read_bytes() == CONTENT
    assert waits == [2.0]
    assert "503" in notes[0]


def test_a_refusal_is_final(server: str, tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(SourceError, match="HTTP 404"):
        web.fetch(f"{server}/nothing", tmp_path, lambda _: None)
    assert not waits


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="ConnectionError") as caught:
        web.fetch("http://127.0.0.1:9/x", tmp_path, lambda _: None)
    assert caught.value.remedy
