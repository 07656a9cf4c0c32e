# SPDX-License-Identifier: Apache-2.0
"""Files as layers: where a name is looked for, what a file extends, which format it has.

`extends: [a, b]` lays a, then b, then the file itself. A file that two others extend is laid once,
where it is met first: laid again it would undo what was laid over it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import resources
from harness.config.tree import Origin, Tree, parse_file
from harness.errors import ConfigError

FORMAT = 1
"""The newest format of configurations, suites and matrices; `format: N` says what a file needs."""
FRAGMENTS = ("", "machines", "stacks")
"""The shipped folders in which `-c NAME` and `extends: NAME` look."""
_OF_FILES = ("extends", "format")


def locate(
    name: Path,
    folders: Sequence[str] = FRAGMENTS,
    origin: Origin | None = None,
    *,
    other_kind: bool = False,
) -> Path:
    """Find a file: as given, or as a name without suffix, there or among the shipped ones.

    `aia`, `aia.yaml` and `machines/aia` all name configs/machines/aia.yaml, where no such file is
    nearer.

    Args:
        name: as it was written.
        folders: the shipped folders, below configs, in which a name without a path is looked up.
        origin: the place it was written at, whose folder a relative path is taken from; None for
            the command line.
        other_kind: the file that names it is of another kind (a matrix names a suite). What lies
            beside it under the same name is then less likely meant than what is shipped.

    Raises:
        ConfigError: there is no such file.
    """
    folder = origin.folder if origin is not None and origin.folder is not None else Path()
    places = [folder / name, resources.configs() / name]
    if name.name == str(name):
        own = [resources.configs() / each / name for each in folders]
        places = [*own, *places] if other_kind else [*places, *own]
    candidates = [
        file for place in places for file in (place, place.with_name(f"{name.name}.yaml"))
    ]
    found = next((file for file in candidates if file.is_file()), None)
    if found is None:
        raise _not_found(name, folders, origin)
    return found.resolve()


def shipped(folders: Sequence[str]) -> list[str]:
    """Return the names of the shipped files in some folders."""
    found = (path for name in folders for path in (resources.configs() / name).glob("*.yaml"))
    return sorted(path.stem for path in found)


def _not_found(name: Path, folders: Sequence[str], origin: Origin | None) -> ConfigError:
    names = shipped(folders)
    close = difflib.get_close_matches(name.stem, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    place = "" if origin is None else f"{origin}: "
    return ConfigError(
        f"{place}{name}: no such configuration file",
        f"{hint}give a path, or one of the shipped ones: {', '.join(names)}",
    )


def read_layers(
    files: Iterable[Path], folders: Sequence[str] = FRAGMENTS, below: Iterable[Path] = ()
) -> list[Tree]:
    """Return the layers of some files, each file's bases before it.

    Args:
        files: found files, each to be laid over the one before.
        folders: the shipped folders in which names are looked up.
        below: files that are laid already; who extends them gets no second layer of them.

    Raises:
        ConfigError: a file cannot be read, is of a later format or extends itself.
    """
    layers = _Layers(folders, set(below))
    for file in files:
        layers.add(file, ())
    return layers.trees


@dataclass(slots=True)
class _Layers:
    folders: Sequence[str]
    known: set[Path]
    trees: list[Tree] = field(default_factory=list)

    def add(self, file: Path, below: tuple[Path, ...]) -> None:
        tree = parse_file(file)
        assert tree.mapping is not None
        _check_format(tree)
        if "extends" in tree.mapping:
            self._add_bases(tree.mapping["extends"], (*below, file))
        own = {key: child for key, child in tree.mapping.items() if key not in _OF_FILES}
        self.known.add(file)
        self.trees.append(replace(tree, mapping=own))

    def _add_bases(self, extends: Tree, chain: tuple[Path, ...]) -> None:
        for base in base_files(extends, self.folders):
            if base in chain:
                circle = " -> ".join(str(file) for file in (*chain[chain.index(base) :], base))
                raise ConfigError(
                    f"{extends.origin}: 'extends': {base.name} extends itself: {circle}",
                    "remove one of these 'extends'",
                )
            if base not in self.known:
                self.add(base, chain)


def base_files(
    extends: Tree, folders: Sequence[str] = FRAGMENTS, *, other_kind: bool = False
) -> list[Path]:
    """Return the files that an `extends` names.

    Raises:
        ConfigError: it is no list of names, or a file is not there.
    """
    names = extends.items if extends.items is not None else (extends,)
    if extends.mapping is not None or not all(name.text for name in names):
        raise ConfigError(
            f"{extends.origin}: 'extends' names a file or a list of files",
            "for example `extends: default`",
        )
    return [locate(Path(name.text), folders, name.origin, other_kind=other_kind) for name in names]


def _check_format(tree: Tree) -> None:
    """Refuse a file that was written for a later teecall, before its unknown keys are met."""
    assert tree.mapping is not None
    wanted = tree.mapping.get("format")
    if wanted is None:
        return
    if not isinstance(wanted.scalar, int) or isinstance(wanted.scalar, bool) or wanted.scalar < 1:
        raise ConfigError(
            f"{wanted.origin}: 'format' cannot be '{wanted.text or wanted.plain}'",
            f"write a whole number, at most {FORMAT}",
        )
    if wanted.scalar > FORMAT:
        raise ConfigError(
            f"{wanted.origin}: 'format' {wanted.scalar} is from the future:"
            f" this teecall reads formats up to {FORMAT}",
            "install a newer teecall, or write the file for this format",
        )
