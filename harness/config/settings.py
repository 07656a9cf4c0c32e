# SPDX-License-Identifier: Apache-2.0
"""A configuration as the `--set` assignments that make it from the defaults."""

from __future__ import annotations

import re
from typing import Any

from harness.config.check import dotted_keys
from harness.config.schema import Config

# Text that YAML reads back as the same text; everything else is quoted.
_PLAIN = re.compile(r"^[A-Za-z0-9_./$][\w./:+@=,%${}-]*$")
_ADDRESS = 1 << 12


def assignments(config: Config) -> tuple[str, ...]:
    """Return `KEY=VALUE` for every key that is not at its default, in the schema's order."""
    default = Config()
    return tuple(
        f"{key}={_written(value)}"
        for key in dotted_keys(Config)
        if (value := _get(config, key)) != _get(default, key)
    )


def _get(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return value if _PLAIN.match(value) and value.lower() != "null" else _quoted(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_quoted(item) for item in value)}]"
    if isinstance(value, int) and value >= _ADDRESS:
        return f"{value:#x}"
    return str(value)


def _quoted(text: str) -> str:
    """Return text in YAML's double quotes, in ASCII that can be printed."""
    written = (
        f"\\{character}"
        if character in '"\\'
        else character
        if " " <= character <= "~"
        else f"\\U{ord(character):08x}"
        for character in text
    )
    return f'"{"".join(written)}"'
