# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of the three kinds of files, for editors.

configs/schema has them, and the first line of each file says which one it follows:

    # yaml-language-server: $schema=../schema/suite.json
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from harness import resources
from harness.config.check import fields
from harness.config.explain import comments
from harness.config.formats import MatrixFile, SuiteFile
from harness.config.layers import FORMAT
from harness.config.load import DEFAULT
from harness.config.schema import Config

KINDS: dict[str, type[msgspec.Struct]] = {
    "config": Config,
    "suite": SuiteFile,
    "matrix": MatrixFile,
}
_EXTENDS = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "description": "Files laid under this one: relative paths, or names of shipped files.",
}
_FORMAT = {
    "type": "integer",
    "minimum": 1,
    "maximum": FORMAT,
    "description": "The format this file is written for.",
}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of file: config, suite or matrix."""
    struct = KINDS[kind]
    found = msgspec.json.schema(struct)
    definitions: dict[str, Any] = found["$defs"]
    _describe(definitions)
    for definition in definitions.values():
        _trim(definition["properties"])
    # What any file may have beside the keys of its schema; a part of a file may not.
    own = dict(definitions[struct.__name__])
    own["properties"] = {"extends": _EXTENDS, "format": _FORMAT, **own["properties"]}
    # What a file lacks, one that it extends may have.
    own.pop("required", None)
    rest = {name: value for name, value in definitions.items() if name != struct.__name__}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **own,
        "title": f"teecall {kind}",
        "$defs": rest,
    }


def as_text(kind: str) -> str:
    """Return a schema as it is kept in configs/schema."""
    return json.dumps(schema(kind), indent=2) + "\n"


def _trim(properties: dict[str, Any]) -> None:
    """Drop the defaults of whole groups, which repeat those of their keys."""
    for value in properties.values():
        if isinstance(value.get("default"), dict):
            del value["default"]


def _describe(definitions: dict[str, Any]) -> None:
    """Give every key of a configuration the comment it has in the shipped defaults."""
    documented = comments(resources.configs() / DEFAULT)
    for group, struct in fields(Config).items():
        properties = definitions[struct.__name__]["properties"]
        for name, value in properties.items():
            value["description"] = " ".join(documented.get(f"{group}.{name}", []))
