# SPDX-License-Identifier: Apache-2.0
"""How a source is written: `apt:...`, `path:...`, `git:...@REV`, `url:...#sha256=HEX`.

The lock has `pool:...` too, a file of the Debian mirror that is fetched without its index.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from harness.errors import ConfigError

_HEX64 = re.compile(r"[0-9a-f]{64}")


class Kind(StrEnum):
    """Where a source comes from."""

    APT = "apt"
    POOL = "pool"
    PATH = "path"
    GIT = "git"
    URL = "url"


@dataclass(frozen=True, slots=True)
class Spec:
    """One origin of a source.

    `location` of a pool file is its path under the mirror's `pool/`.
    `detail` is the version of an apt package, the revision of a git repository, or the SHA-256
    of a URL's file; empty where there is none.
    """

    kind: Kind
    location: str
    detail: str = ""

    @property
    def is_source_package(self) -> bool:
        """Whether an apt origin names a source package (`apt:src:NAME=VERSION`)."""
        return self.kind is Kind.APT and self.location.startswith("src:")

    @property
    def package(self) -> str:
        """The package's name of an apt origin."""
        return self.location.removeprefix("src:")

    def __str__(self) -> str:
        joint = {Kind.APT: "=", Kind.GIT: "@", Kind.URL: "#sha256="}.get(self.kind, "")
        return f"{self.kind}:{self.location}{joint + self.detail if self.detail else ''}"


def parse(text: str) -> Spec:
    """Parse a source string.

    Raises:
        ConfigError: the kind is unknown or a part is missing.
    """
    kind, colon, rest = text.partition(":")
    if not colon or not rest or kind not in list(Kind):
        raise ConfigError(
            f"'{text}' is not a source",
            "write apt:NAME=VERSION, path:DIR, git:DIR_OR_URL@REV or url:URL#sha256=HEX",
        )
    return _PARSERS[Kind(kind)](rest, text)


def _apt(rest: str, text: str) -> Spec:
    name, _, version = rest.partition("=")
    if not version:
        raise ConfigError(f"'{text}' names no version", "write apt:NAME=VERSION")
    return Spec(Kind.APT, name, version)


def _path(rest: str, text: str) -> Spec:
    return Spec(Kind.PATH, rest)


def _git(rest: str, text: str) -> Spec:
    location, at, revision = rest.rpartition("@")
    if not at or ":" in revision:
        # The only '@' is that of user@host:repository.
        return Spec(Kind.GIT, rest, "HEAD")
    return Spec(Kind.GIT, location, revision or "HEAD")


def _url(rest: str, text: str) -> Spec:
    location, _, digest = rest.partition("#sha256=")
    if digest and not _HEX64.fullmatch(digest):
        raise ConfigError(
            f"'{text}': '{digest}' is not a SHA-256", "give 64 hexadecimal digits in lower case"
        )
    return Spec(Kind.URL, location, digest)


def _pool(rest: str, text: str) -> Spec:
    return Spec(Kind.POOL, rest)


_PARSERS = {
    Kind.APT: _apt,
    Kind.POOL: _pool,
    Kind.PATH: _path,
    Kind.GIT: _git,
    Kind.URL: _url,
}
