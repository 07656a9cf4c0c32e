# SPDX-License-Identifier: Apache-2.0
"""`${artefact:NAME}`: a configuration names a thing that teecall builds.

    tvm:
      payload: ${artefact:guests.spin}

The build makes a component because it is named here, so that a dependency is used and never
declared a second time. Names are known when the configuration is loaded; where a file is in the
store, only the build knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from harness import resources
from harness.config import kernels
from harness.errors import ConfigError

_FORM = re.compile(r"^\$\{(\w*):([^{}]*)\}$")
_GUEST_LIST = re.compile(r"^GUESTS\s*:?=\s*(.+)$", re.MULTILINE)
_GUESTS = "guests."


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file that a recipe publishes, and the key of the configuration it can stand in for."""

    recipe: str
    file: str
    key: str


# Guests are not listed: their Makefile does (`guests.hello`, ...).
ARTEFACTS = {
    "tsm.elf": Artefact("tsm", "tsm.elf", "tsm.elf"),
    "tsm2.elf": Artefact("tsm2", "tsm.elf", "tsm.second_elf"),
    "audit.tsm": Artefact("audit", "audit_tsm.elf", "tsm.elf"),
    "linux.Image": Artefact("kernel", "build/arch/riscv/boot/Image", "host.kernel"),
    "initramfs.cpio": Artefact("initramfs", "initramfs.cpio", "host.initrd"),
}
KEYS = (
    "tsm.elf",
    "tsm.second_elf",
    "host.kernel",
    "host.initrd",
    "tvm.payload",
    "tvm.kernel",
    "tvm.initrd",
)


def is_reference(value: str) -> bool:
    """Tell a reference, or an attempt at one, from a path."""
    return value.startswith("${")


def _name_of(value: str, key: str) -> str:
    """Return the name in a reference.

    Raises:
        ConfigError: it is malformed.
    """
    match = _FORM.match(value)
    if match is None or match[1] != "artefact" or not match[2]:
        raise ConfigError(f"'{key}': '{value}' is no reference", "write ${artefact:NAME}")
    return match[2]


def find(value: str, key: str, guests: tuple[str, ...] | None) -> Artefact:
    """Return the artefact that a reference means.

    Args:
        value: the reference as it is written.
        key: the key of the configuration that has it.
        guests: the guests that will be built; None when that is not known yet.

    Raises:
        ConfigError: there is no artefact of this name, or another key takes it.
    """
    name = _name_of(value, key)
    guest = name.removeprefix(_GUESTS) if name.startswith(_GUESTS) else ""
    if guest and (guests is None or guest in guests):
        found: Artefact | None = Artefact("guests", f"{guest}.elf", "tvm.payload")
    else:
        found = ARTEFACTS.get(name)
    if found is None:
        raise _unknown(name, key, guests or ())
    if found.key != key:
        raise ConfigError(
            f"'{key}' cannot be '{value}': '{name}' can stand for {found.key} only",
            f"{key} takes: {_listed(key, guests or ())}",
        )
    return found


def _names(key: str, guests: tuple[str, ...]) -> list[str]:
    names = [name for name, artefact in ARTEFACTS.items() if artefact.key == key]
    return names + [_GUESTS + guest for guest in guests] if key == "tvm.payload" else names


def _listed(key: str, guests: tuple[str, ...]) -> str:
    kernels_by_name = kernels.NAMES if key in kernels.KEYS else ()
    built = (f"${{artefact:{name}}}" for name in _names(key, guests))
    return ", ".join([*kernels_by_name, *built, "a file"])


def _unknown(name: str, key: str, guests: tuple[str, ...]) -> ConfigError:
    # Imported here: only an error needs it.
    import difflib

    close = difflib.get_close_matches(name, _names(key, guests), n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return ConfigError(
        f"'{key}': there is no artefact '{name}'", f"{hint}{key} takes: {_listed(key, guests)}"
    )


def guests_in(tree: Path) -> tuple[str, ...] | None:
    """Return the guests that a folder's Makefile lists; None when it has no such list."""
    try:
        text = (tree / "Makefile").read_text(encoding="utf-8")
    except OSError:
        return None
    match = _GUEST_LIST.search(text)
    return tuple(match[1].split()) if match else None


def own_guests(source: str | None) -> tuple[str, ...] | None:
    """Return the guests of `tvm.source`; None when only fetching it would tell."""
    if source is None:
        return guests_in(resources.guest_images() / "tvm")
    return guests_in(Path(source.removeprefix("path:"))) if source.startswith("path:") else None
