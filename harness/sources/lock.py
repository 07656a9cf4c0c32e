# SPDX-License-Identifier: Apache-2.0
"""`configs/sources.lock`: which sources are used when the user names none, pinned by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError

_HEADER = """\
# Sources pinned by content. `teecall fetch --update-lock` renews the Debian versions.
#
# tree    git tree id of the unpacked content; the same whichever origin it came from
# sha256  of the package file, for what is not pinned by tree
# series  when the mirror no longer has the version, the newest of this series is used instead
# origins tried in this order; pool: is a file of the Debian mirror, fetched without its index
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned source."""

    name: str
    version: str
    origins: tuple[str, ...]
    tree: str = ""
    sha256: str = ""
    series: str = ""

    @property
    def identity(self) -> str:
        """The content's name: what an artefact's key is made of."""
        return f"tree-{self.tree}" if self.tree else f"sha256-{self.sha256}"


def read(path: Path) -> dict[str, Pin]:
    """Read the lock.

    Raises:
        ConfigError: it is missing or damaged.
    """
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"{path}: the lock of the sources cannot be read: {error}",
            "restore it from the repository",
        ) from None
    return {name: _pin(name, entry, path) for name, entry in data.items()}


def _pin(name: str, entry: object, path: Path) -> Pin:
    try:
        if not isinstance(entry, Mapping):
            raise TypeError("not a table")
        pin = Pin(
            name=name, **{**entry, "origins": tuple(entry["origins"]), "version": entry["version"]}
        )
        if not pin.tree and not pin.sha256:
            raise TypeError("neither tree nor sha256")
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: [{name}] is not a pinned source: {error}", "restore it from the repository"
        ) from None
    return pin


def render(pins: Mapping[str, Pin]) -> str:
    """Return the lock's text."""
    return _HEADER + "".join(_section(pin) for pin in pins.values())


def _section(pin: Pin) -> str:
    name = f'"{pin.name}"' if "." in pin.name else pin.name
    lines = [f"\n[{name}]", f'version = "{pin.version}"']
    lines += [
        f'{key} = "{value}"'
        for key, value in (("tree", pin.tree), ("sha256", pin.sha256), ("series", pin.series))
        if value
    ]
    lines += ["origins = [", *(f'    "{origin}",' for origin in pin.origins), "]"]
    return "\n".join(lines) + "\n"
