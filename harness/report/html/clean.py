# SPDX-License-Identifier: Apache-2.0
"""Makes text that a guest, a host or a broken console has said safe to show.

Escaping for HTML is the templates' business (autoescape). What escaping leaves alone is dealt with
here: terminal sequences, control characters, and characters that reorder or hide what is around
them, with which a log could make the page say something else than it does.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

# CSI and OSC sequences and the other two-character escapes of ECMA-48.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_c])")
_PLAIN = re.compile(r"[\t\n -~]*\Z")
_NOT_IN_HTML = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
_SHORTENED = "\N{HORIZONTAL ELLIPSIS}"


def clean(text: str, limit: int | None = None) -> str:
    """Return text that is shown as what it is: what cannot be seen is spelt out.

    Args:
        text: anything.
        limit: most characters that are kept; the end is cut off.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + _SHORTENED
    if _PLAIN.match(text):
        return text
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\t\n" or " " <= character <= "~":
        return character
    if unicodedata.category(character) in _NOT_IN_HTML:
        return f"<U+{ord(character):04X}>"
    return character


def lines_of(content: bytes) -> list[str]:
    """Return the lines of a console, cleaned; bytes that are not UTF-8 become U+FFFD."""
    return clean(content.decode(errors="replace")).split("\n")


def web_link(url: str) -> str | None:
    """Return a URL if a browser may follow it (http and https), else None."""
    return url if re.match(r"https?://[^\s]+\Z", url) else None


def file_link(path: Path, page: Path) -> str:
    """Return the reference to a file, relative to the folder of the page wherever that works."""
    try:
        relative = path.resolve().relative_to(page.resolve().parent)
    except ValueError:
        return path.resolve().as_uri()
    # With ./ in front, a name with a colon is not taken for a scheme.
    return "./" + quote(relative.as_posix())
