# SPDX-License-Identifier: Apache-2.0
"""Files from upstream's own release pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from harness.errors import SourceError

_RETRY_AFTER_S = (2.0, 5.0)
_TIMEOUT_S = 30.0
_CHUNK = 1 << 18


def fetch(url: str, into: Path, note: Callable[[str], None]) -> Path:
    """Download a URL into a folder and return the file; its content is not verified here.

    Raises:
        SourceError: the server cannot be reached or refuses.
    """
    target = into / (PurePosixPath(unquote(urlsplit(url).path)).name or "download")
    for wait in (*_RETRY_AFTER_S, None):
        problem = _attempt(url, target)
        if not problem:
            return target
        if wait is None:
            break
        note(f"{url}: {problem}; again in {wait:g} s")
        time.sleep(wait)
    raise SourceError(f"{url}: {problem}", "check the URL and the network")


def _attempt(url: str, target: Path) -> str:
    """Download once and return what went wrong; empty when nothing did.

    Raises:
        SourceError: the server refuses, which another attempt does not change.
    """
    import requests

    try:
        with requests.get(url, stream=True, timeout=_TIMEOUT_S) as response:
            if 400 <= response.status_code < 500:
                raise SourceError(f"{url}: HTTP {response.status_code}", "check the URL")
            if response.status_code != 200:
                return f"HTTP {response.status_code}"
            with target.open("wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
    except requests.exceptions.InvalidSchema as error:
        raise SourceError(f"{url}: {error}", "use http or https, or path:FILE") from None
    except requests.RequestException as error:
        return type(error).__name__
    return ""
