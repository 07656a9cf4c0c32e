# SPDX-License-Identifier: Apache-2.0
"""Check a tree against a schema of msgspec structs and turn it into values.

Nothing here knows a key of teecall's: any frozen struct can be loaded, with structs nested in
structs, lists and mappings.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from harness.config.kernels import is_name
from harness.config.references import is_reference
from harness.config.tree import Origin, Tree
from harness.errors import ConfigError

_SOURCE_KINDS_WITH_PATH = ("path:", "git:")


def check(tree: Tree, wanted: Any, path: str = "") -> Any:
    """Return the tree as plain data of the wanted type.

    Args:
        tree: the merged layers.
        wanted: a struct class or any type annotation.
        path: the dotted key of the tree, for messages.

    Raises:
        ConfigError: a key is not in the schema or a value has the wrong type.
    """
    bare = _unwrap(wanted)
    if tree.is_null and _takes_null(wanted):
        return None
    if _is_struct(bare):
        return _check_struct(tree, bare, path)
    origin = get_origin(bare)
    if origin is dict:
        return _check_mapping(tree, get_args(bare)[1], path)
    if origin in (list, tuple) and tree.items is not None:
        element = get_args(bare)[0]
        return [check(item, element, f"{path}[{i}]") for i, item in enumerate(tree.items)]
    return _check_leaf(tree, wanted, path)


def _unwrap(wanted: Any) -> Any:
    """Strip `Annotated` and the None of an optional container."""
    if get_origin(wanted) is Annotated:
        return _unwrap(get_args(wanted)[0])
    if get_origin(wanted) in (Union, types.UnionType):
        members = [member for member in get_args(wanted) if member is not type(None)]
        if len(members) == 1:
            return _unwrap(members[0])
    return wanted


def _takes_null(wanted: Any) -> bool:
    return type(None) in get_args(wanted)


def _is_struct(wanted: Any) -> bool:
    return isinstance(wanted, type) and issubclass(wanted, msgspec.Struct)


@cache
def fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the keys of a struct with their annotations."""
    return get_type_hints(struct, include_extras=True)


def _check_struct(tree: Tree, struct: type[msgspec.Struct], path: str) -> dict[str, Any]:
    if tree.mapping is None:
        keys = ", ".join(fields(struct))
        raise ConfigError(
            f"{tree.origin}: '{path}' is a group of keys, not {_shown(tree)}", f"its keys: {keys}"
        )
    hints = fields(struct)
    for key, child in tree.mapping.items():
        if key not in hints:
            raise _unknown_key(child, key, path, hints)
    _check_complete(tree, struct, path)
    return {key: check(child, hints[key], _join(path, key)) for key, child in tree.mapping.items()}


def _check_complete(tree: Tree, struct: type[msgspec.Struct], path: str) -> None:
    """Name the first key without a default that nobody has set."""
    assert tree.mapping is not None
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in tree.mapping:
            where = f"'{path}'" if path else "the file"
            raise ConfigError(
                f"{tree.origin}: {where} lacks the key '{field.name}'",
                _expected(fields(struct)[field.name], ""),
            )


def _check_mapping(tree: Tree, element: Any, path: str) -> dict[str, Any]:
    if tree.mapping is None:
        raise ConfigError(
            f"{tree.origin}: '{path}' is a mapping, not {_shown(tree)}", "write `name: value`"
        )
    return {key: check(child, element, _join(path, key)) for key, child in tree.mapping.items()}


def _check_leaf(tree: Tree, wanted: Any, path: str) -> Any:
    """Convert a scalar (or a list) strictly, giving text keys the text as it was written."""
    candidates = [tree.plain]
    if not tree.is_null and not isinstance(tree.scalar, str):
        candidates.append(tree.text)
    problem = ""
    for candidate in candidates:
        try:
            value = msgspec.convert(candidate, wanted)
        except msgspec.ValidationError as error:
            problem = problem or str(error)
            continue
        return _absolute(value, wanted, tree)
    raise ConfigError(
        f"{tree.origin}: '{path}' cannot be {_shown(tree)}: {_reason(problem)}",
        _expected(wanted, tree.text),
    )


def _absolute(value: Any, wanted: Any, tree: Tree) -> Any:
    """Anchor a relative path at the folder of the file it was written in."""
    kind = path_kind(wanted)
    if not isinstance(value, str) or kind is None:
        return value
    if (kind != "source" and is_reference(value)) or (kind == "kernel" and is_name(value)):
        return value
    prefix = ""
    if kind == "source":
        prefix = next((p for p in _SOURCE_KINDS_WITH_PATH if value.startswith(p)), "")
        if not prefix or "://" in value or _looks_like_ssh(value, prefix):
            return value
    location, at, revision = value[len(prefix) :], "", ""
    if prefix == "git:" and "@" in location:
        location, at, revision = location.rpartition("@")
    anchored = _anchored(Path(location).expanduser(), tree.origin)
    return f"{prefix}{anchored}{at}{revision}"


def _anchored(path: Path, origin: Origin) -> Path:
    if path.is_absolute():
        return path.resolve()
    if origin.folder is None:
        raise ConfigError(
            f"{origin}: {path} is a relative path, and the working directory is deleted",
            "cd to a folder that exists, or write the whole path",
        )
    return (origin.folder / path).resolve()


def _looks_like_ssh(value: str, prefix: str) -> bool:
    """Tell `git:user@host:repo` from a folder."""
    return prefix == "git:" and ":" in value[len(prefix) :]


def path_kind(wanted: Any) -> str | None:
    """Return "file", "kernel" or "source" when the schema marks a key as holding a path."""
    for part in (wanted, *get_args(wanted)):
        if get_origin(part) is Annotated:
            for meta in get_args(part)[1:]:
                extra = getattr(meta, "extra", None) or {}
                if "path" in extra:
                    return str(extra["path"])
    return None


def _unknown_key(child: Tree, key: str, path: str, hints: Mapping[str, Any]) -> ConfigError:
    full = _join(path, key)
    close = difflib.get_close_matches(key, list(hints), n=1, cutoff=0.5)
    where = f"keys of '{path}'" if path else "top-level keys"
    listing = f"{where}: {', '.join(hints)}"
    remedy = f"did you mean '{_join(path, close[0])}'? {listing}" if close else listing
    return ConfigError(f"{child.origin}: unknown key '{full}'", remedy)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _shown(tree: Tree) -> str:
    if tree.mapping is not None:
        return "a mapping"
    if tree.items is not None:
        return "a list"
    return "null" if tree.scalar is None else f"'{tree.text}'"


def _reason(problem: str) -> str:
    return problem.replace("`", "")[:1].lower() + problem.replace("`", "")[1:]


def _expected(wanted: Any, given: str) -> str:
    """Say in words what a key takes; `given` is what was written in place of it."""
    bare = _unwrap(wanted)
    if get_origin(bare) is Literal:
        return "one of: " + ", ".join(str(choice) for choice in get_args(bare))
    if described := _description(wanted):
        return f"write {described}"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if get_origin(bare) in (list, tuple):
        return f"write a list: [{given}]" if given else "write a list, for example [a, b]"
    return f"write {names.get(bare, str(bare))}{_bounds(wanted)}"


def _description(wanted: Any) -> str:
    """Return what the schema says in words about a value; nothing when it says nothing."""
    for part in (wanted, *get_args(wanted)):
        if get_origin(part) is Annotated:
            for meta in get_args(part)[1:]:
                if getattr(meta, "description", None):
                    return str(meta.description)
    return ""


def _bounds(wanted: Any) -> str:
    """Say between which values a number must lie; nothing when any will do."""
    for part in (wanted, *get_args(wanted)):
        if get_origin(part) is Annotated:
            meta = next(meta for meta in get_args(part)[1:])
            if meta.ge is not None and meta.le is not None:
                return f" from {meta.ge} to {meta.le}"
            if meta.ge is not None:
                return f", {meta.ge} or more"
            if meta.gt is not None:
                return f" above {meta.gt}"
    return ""


def dotted_keys(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """Yield every dotted key of a schema that holds a value rather than a group."""
    for key, wanted in fields(struct).items():
        bare = _unwrap(wanted)
        if _is_struct(bare):
            yield from dotted_keys(bare, _join(prefix, key))
        else:
            yield _join(prefix, key)
