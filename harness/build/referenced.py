# SPDX-License-Identifier: Apache-2.0
"""Built things that the configuration names: which recipes they ask for, and where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.build.firmware import SecondTsmRecipe, TsmRecipe
from harness.build.payload import AuditRecipe
from harness.build.recipe import Recipe
from harness.config import kernels, references
from harness.config.references import Artefact
from harness.config.schema import Config
from harness.errors import ConfigError

# Recipes that a machine whose TSM is named by `tsm.elf` does not need by itself.
_OTHERS: dict[str, type[Recipe]] = {
    recipe.name: recipe for recipe in (AuditRecipe, SecondTsmRecipe, TsmRecipe)
}


def given(config: Config, key: str) -> str | None:
    """Return the user's own file in a key; None when it has none or names a built thing."""
    value = _value(config, key)
    if value is None or references.is_reference(value):
        return None
    return None if key in kernels.KEYS and kernels.is_name(value) else value


def named_kernel(config: Config, key: str) -> str | None:
    """Return which of teecall's kernels a key means; None when it has a file of the user's."""
    if given(config, key):
        return None
    value = _value(config, key)
    return value if value in kernels.NAMES else kernels.SMALL


def referenced(config: Config, key: str) -> Artefact | None:
    """Return the built thing that a key names; None when it names none.

    Raises:
        ConfigError: there is no such thing, or it cannot stand in for what the key takes.
    """
    value = _value(config, key)
    if value is None or not references.is_reference(value):
        return None
    return references.find(value, key, references.own_guests(config.tvm.source))


def missing_recipes(config: Config, planned: Sequence[Recipe]) -> list[Recipe]:
    """Return the recipes of referenced things that the machine alone would not ask for."""
    names = {recipe.name for recipe in planned}
    found = (referenced(config, key) for key in references.KEYS)
    wanted = {artefact.recipe for artefact in found if artefact is not None}
    return [_OTHERS[name]() for name in sorted(wanted - names)]


def file_of(config: Config, key: str, places: Mapping[str, Path], default: str) -> Path:
    """Return the file of a key: the user's own, the built thing it names, or the usual one.

    Args:
        config: has the key.
        key: a dotted key that takes a file.
        places: the folder of each component by its recipe's name.
        default: `RECIPE/FILE` of what is used when the key is not set.

    Raises:
        ConfigError: the component has no such file.
    """
    if path := given(config, key):
        return Path(path)
    artefact = referenced(config, key)
    if artefact is None:
        recipe, _, file = default.partition("/")
        return places[recipe] / file
    path_in_store = places[artefact.recipe] / artefact.file
    if not path_in_store.is_file():
        raise _not_built(key, _value(config, key) or "", path_in_store)
    return path_in_store


def _not_built(key: str, value: str, wanted: Path) -> ConfigError:
    built = sorted(path.stem for path in wanted.parent.glob(f"*{wanted.suffix}"))
    # Imported here: only an error needs it.
    import difflib

    close = difflib.get_close_matches(wanted.stem, built, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return ConfigError(
        f"{key}: {value} was not built: its source makes no {wanted.name}",
        f"{hint}it makes: {', '.join(built)}",
    )


def _value(config: Config, key: str) -> str | None:
    group, name = key.split(".")
    value: str | None = getattr(getattr(config, group), name)
    return value
