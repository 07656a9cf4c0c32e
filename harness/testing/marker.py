# SPDX-License-Identifier: Apache-2.0
"""The marker `teecall`: what a test needs, as a layered configuration."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from harness.config.load import defaults, overlays, resolve
from harness.config.schema import Config
from harness.config.schema import Machine as MachineKeys
from harness.errors import CallerError, UsageError

NAME = "teecall"
_MACHINE = tuple(field.name for field in msgspec.structs.fields(MachineKeys))
_ARGUMENTS = (*_MACHINE, "config", "set", "fresh")


Layer = tuple[tuple[Path, ...], tuple[str, ...]]
"""Files as of `-c`, and assignments as of `--set` over them."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a test needs.

    `layers` are those of the command line, then of its markers, each laid over the one before;
    `fresh` is True when the test shares its machine with no other.
    """

    layers: tuple[Layer, ...]
    fresh: bool = False

    def config(self) -> Config:
        """Return the configuration.

        Raises:
            CallerError: a file, a key or a value is wrong.
        """
        trees = [tree for files, sets in self.layers for tree in overlays(files, sets)]
        return resolve([*defaults(), *trees]).value


def need_of(item: pytest.Item) -> Need:
    """Return what a test needs: of the command line, its module, its class and its own marker.

    The marker nearest to the test is laid over the others.

    Raises:
        UsageError: a marker has an argument that does not exist or is of the wrong type.
    """
    given = item.config.getoption
    files = tuple(Path(file) for file in given("--teecall-config"))
    layers: list[Layer] = [(files, tuple(given("--teecall-set")))]
    fresh = False
    # The nearest one comes first.
    for mark in reversed(list(item.iter_markers(NAME))):
        _check(mark)
        files = tuple(_files(mark.kwargs.get("config", ()), item.path.parent))
        layers.append((files, tuple(_sets(mark.kwargs))))
        fresh = bool(mark.kwargs.get("fresh", fresh))
    return Need(tuple(layers), fresh)


def _check(mark: pytest.Mark) -> None:
    if mark.args:
        raise UsageError(
            f"the marker {NAME} takes named arguments, not {mark.args[0]!r}",
            f"for example @pytest.mark.{NAME}(harts=4)",
        )
    for name in mark.kwargs:
        if name in _ARGUMENTS:
            continue
        close = difflib.get_close_matches(name, _ARGUMENTS, n=1, cutoff=0.5)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise UsageError(
            f"the marker {NAME} has no argument '{name}'",
            f"{hint}it takes: {', '.join(_ARGUMENTS)}",
        )
    for name, kinds, what in (
        ("config", (str, Path, list, tuple), "a file or a list of files"),
        ("set", (Mapping,), "a mapping: set={'opensbi.version': '1.8.1'}"),
        ("fresh", (bool,), "True or False"),
    ):
        if name in mark.kwargs and not isinstance(mark.kwargs[name], kinds):
            raise UsageError(f"the marker {NAME}: '{name}' is {what}", "correct the marker")


def _files(given: str | Path | Sequence[str | Path], folder: Path) -> list[Path]:
    """Return the files of `config=`; those beside the test come before teecall's own."""
    names = [given] if isinstance(given, (str, Path)) else list(given)
    beside = [(folder / name, Path(name)) for name in names]
    return [here if here.is_file() else name for here, name in beside]


def _sets(arguments: Mapping[str, object]) -> list[str]:
    keys = {f"machine.{name}": arguments[name] for name in _MACHINE if name in arguments}
    given = arguments.get("set", {})
    assert isinstance(given, Mapping)
    return [f"{key}={_text(value)}" for key, value in {**given, **keys}.items()]


def _text(value: object) -> str:
    """Return a value as `--set` takes it, which is YAML; text is taken as it is."""
    if isinstance(value, (str, Path)):
        return str(value)
    return msgspec.json.encode(value).decode()


def resolved(item: pytest.Item) -> tuple[Need, Config]:
    """Return what a test needs, and the configuration that it gives.

    Raises:
        pytest.UsageError: it is wrong; names the test and the remedy.
    """
    try:
        need = need_of(item)
        return need, need.config()
    except CallerError as error:
        remedy = f"\n  remedy: {error.remedy}" if error.remedy else ""
        raise pytest.UsageError(f"{item.nodeid}: {error.message}{remedy}") from None
