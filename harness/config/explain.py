# SPDX-License-Identifier: Apache-2.0
"""Say what a configuration holds, and where each value comes from."""

from __future__ import annotations

import difflib
from pathlib import Path

import msgspec
import yaml

from harness import resources
from harness.config.check import dotted_keys
from harness.config.load import DEFAULT, Loaded
from harness.config.schema import Config
from harness.config.tree import Origin
from harness.errors import UsageError
from harness.sources.resolve import Sources
from harness.ui import QuietUi

# From here on a number is an address, or the size of a region of memory.
_ADDRESS = 1 << 12


class _Dumper(yaml.SafeDumper):
    """Writes addresses and sizes in hexadecimal, as they are written by hand."""


def _number(dumper: yaml.SafeDumper, value: int) -> yaml.ScalarNode:
    text = f"{value:#x}" if value >= _ADDRESS else str(value)
    return dumper.represent_scalar("tag:yaml.org,2002:int", text)


_Dumper.add_representer(int, _number)


def render(loaded: Loaded[Config]) -> str:
    """Return a configuration as YAML, in the schema's order."""
    plain = msgspec.to_builtins(loaded.value)
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=False)


def render_json(loaded: Loaded[Config]) -> str:
    """Return a configuration as JSON, in the schema's order."""
    return msgspec.json.format(msgspec.json.encode(loaded.value), indent=2).decode() + "\n"


def explain_key(loaded: Loaded[Config], key: str) -> list[str]:
    """Return lines about one key: value, layers, meaning.

    Raises:
        UsageError: there is no such key.
        ConfigError: it asks for an OpenSBI that is not pinned.
    """
    if key == "opensbi.version" and not loaded.value.opensbi.source:
        Sources(loaded.value, QuietUi(), offline=True).pin("opensbi")
    keys = list(dotted_keys(type(loaded.value)))
    if key not in keys:
        inside = [name for name in keys if name.startswith(f"{key}.")]
        if inside:
            return [f"{name} = {_value(loaded, name)}" for name in inside]
        close = difflib.get_close_matches(key, keys, n=1)
        hint = f"did you mean '{close[0]}'?" if close else "`teecall config show` prints all keys"
        raise UsageError(f"unknown key '{key}'", hint)
    return [f"{key} = {_value(loaded, key)}", *_layers(loaded, key), *_meaning(key)]


def _value(loaded: Loaded[Config], key: str) -> str:
    value: object = loaded.value
    for part in key.split("."):
        value = getattr(value, part)
    plain = msgspec.to_builtins(value)
    return yaml.dump(plain, Dumper=_Dumper, default_flow_style=True).split("\n")[0]


def _layers(loaded: Loaded[Config], key: str) -> list[str]:
    tree = loaded.find(key)
    if tree is None:
        return ["  set by  the schema's default"]
    below = [
        f"  over    {_shown(older.origin)}: {older.text or older.plain}" for older in tree.older
    ]
    return [f"  set by  {_shown(tree.origin)}", *below]


def _shown(origin: Origin) -> str:
    """Name a layer; teecall's own files by their short names."""
    text = str(origin)
    return text.replace(f"{resources.configs()}/", "configs/")


def _meaning(key: str) -> list[str]:
    comment = comments(resources.configs() / DEFAULT).get(key, [])
    return ["", *(f"  {line}" for line in comment)] if comment else []


def comments(path: Path) -> dict[str, list[str]]:
    """Return the comment lines above each key of a file of groups of keys."""
    found: dict[str, list[str]] = {}
    group, pending = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("#"):
            pending.append(text.lstrip("# "))
            continue
        name = text.partition(":")[0]
        if text and not line[0].isspace():
            group = name
            found[group] = pending
        elif text:
            found[f"{group}.{name}"] = pending
        pending = []
    return found
