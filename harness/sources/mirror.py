# SPDX-License-Identifier: Apache-2.0
"""Which Debian mirror this system uses, from its own apt configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SourceError

_NAMES = {"stable", "testing", "unstable", "sid", "bookworm", "trixie", "forky", "duke"}
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+\S")
_SIGNED_BY = re.compile(r"signed-by=(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror of the Debian archive, and the keyring the system trusts it with."""

    uri: str
    signed_by: str = ""


def find(
    etc_apt: Path = Path("/etc/apt"), os_release: Path = Path("/etc/os-release")
) -> Mirror | None:
    """Return the system's Debian mirror; None on a system that has none.

    The entry that carries the release itself is wanted: security and third-party archives have
    suites of other names, and Ubuntu's mirrors have no Debian release at all.
    """
    suites = _NAMES | _codename(os_release)
    return next((mirror for mirror, names in _entries(etc_apt) if names & suites), None)


def required() -> Mirror:
    """Return the system's Debian mirror.

    Raises:
        SourceError: this system has none.
    """
    found = find()
    if found is None:
        raise SourceError(
            "the system's apt configuration names no Debian mirror",
            "this origin needs a Debian system",
        )
    return found


def _codename(os_release: Path) -> set[str]:
    try:
        lines = os_release.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    if values.get("ID", "").strip('"') != "debian":
        return set()
    return {values.get("VERSION_CODENAME", "sid").strip('"')}


def _entries(etc_apt: Path) -> Iterator[tuple[Mirror, set[str]]]:
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if file.suffix == ".list":
            yield from _one_line(text)
        elif file.suffix == ".sources":
            yield from _deb822(text)


def _one_line(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.strip())
        if match and not match["uri"].startswith("cdrom:"):
            signed = _SIGNED_BY.search(match["options"] or "")
            yield Mirror(match["uri"], signed[1] if signed else ""), {match["suite"]}


def _deb822(text: str) -> Iterator[tuple[Mirror, set[str]]]:
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        for uri in fields.get("uris", "").split():
            signed = fields.get("signed-by", "")
            # A key may stand in the file itself; only a path can be handed on.
            signed = signed if signed.startswith("/") and "\n" not in signed else ""
            yield Mirror(uri, signed), set(fields.get("suites", "").split())


def _fields(stanza: str) -> dict[str, str]:
    """Parse a deb822 stanza; comment lines may stand between a field and its continuation."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0].isspace():
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}".strip()
            continue
        name, _, value = line.partition(":")
        name = name.strip().lower()
        fields[name] = value.strip()
    return fields
