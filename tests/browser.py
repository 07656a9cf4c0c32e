# SPDX-License-Identifier: Apache-2.0
"""A real browser for tests: Chromium without a window, spoken to over a pipe (DevTools protocol).

`--remote-debugging-pipe` needs no port and no package: messages are JSON, each ended by a zero
byte, on the browser's file descriptors 3 (to it) and 4 (from it).
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LIMIT_S = 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_KEYS = {"Enter": "\r"}


class Browser:
    """A Chromium with one page; use it in a `with` block."""

    def __init__(self, profile: Path) -> None:
        program = next((found for name in _NAMES if (found := shutil.which(name))), None)
        assert program, "there is no Chromium: run scripts/setup --test"
        read_end, self._to = os.pipe()
        self._from, write_end = os.pipe()
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                # Whatever numbers the two ends have here, the browser has to find them at 3 and 4.
                f'exec "$@" 3<&{read_end} 4>&{write_end}',
                "bash",
                program,
                "--headless",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                f"--user-data-dir={profile}",
            ],
            pass_fds=(read_end, write_end),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_end)
        os.close(write_end)
        self._received = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])
            self.events.append(answer)
        raise AssertionError(f"{method}: no answer")

    def open(self, page: Path, width: int = 1400, height: int = 900) -> float:
        """Open a file and wait until it is loaded; return how long that took, in seconds."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.events.clear()
        begin = time.monotonic()
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("Page.loadEventFired")
        # Two frames later everything that is in view has been laid out and painted.
        self.value(
            "new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))"
        )
        return time.monotonic() - begin

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the first event of a name, which may have come already."""
        for event in self.events:
            if event.get("method") == name:
                return event
        for event in self._messages():
            self.events.append(event)
            if event.get("method") == name:
                return event
        raise AssertionError(f"no {name}")

    def value(self, script: str) -> Any:
        """Return what a JavaScript expression evaluates to."""
        done = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: letters, or names as in `ArrowDown`."""
        for key in keys:
            text = _KEYS.get(key, key if len(key) == 1 else "")
            more = {"text": text} if text else {}
            code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(key, 0)
            told = {"key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", type="keyDown", **told, **more)
            self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def scheme(self, name: str) -> None:
        """Let the system prefer a colour scheme: "light" or "dark"."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write what is in view, or the whole page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def complaints(self) -> list[str]:
        """Return errors of scripts, of the console and of the security policy so far."""
        return [json.dumps(event["params"]) for event in self.events if _is_complaint(event)]

    def requests(self) -> list[str]:
        """Return the URLs that were asked for since the page was opened."""
        return [
            str(event["params"]["request"]["url"])
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def _messages(self) -> Iterator[dict[str, Any]]:
        """Give messages of the browser as they come, for a minute at most."""
        limit = time.monotonic() + LIMIT_S
        while True:
            message, zero, rest = self._received.partition(b"\0")
            if zero:
                self._received = rest
                yield json.loads(message)
                continue
            left = limit - time.monotonic()
            assert left > 0 and select.select([self._from], [], [], left)[0], "Chromium is silent"
            content = os.read(self._from, 1 << 20)
            assert content, f"Chromium has ended with status {self._process.wait()}"
            self._received += content


def _is_complaint(event: dict[str, Any]) -> bool:
    method, told = event.get("method"), event.get("params", {})
    if method == "Log.entryAdded":
        return told["entry"]["level"] in ("error", "warning")
    if method == "Runtime.consoleAPICalled":
        return told["type"] in ("error", "warning")
    return method == "Runtime.exceptionThrown"


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser whose profile is below `folder`."""
    with Browser(folder / "profile") as browser:
        yield browser
