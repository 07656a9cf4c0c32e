# SPDX-License-Identifier: Apache-2.0
"""Options that verbs share.

@click.command()
@config_options
def command(options: Options) -> int:
    config = options.config()
    with options.ui() as ui:
        artefacts = build_all(config, ui, offline=options.offline)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.config.kept import load_config
from harness.config.schema import Config
from harness.ui import Ui, choose

if TYPE_CHECKING:
    from harness.config.load import Loaded


@dataclass(frozen=True, slots=True)
class Options:
    """What the shared options say."""

    files: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()
    offline: bool = False
    verbose: bool = False
    quiet: bool = False

    def load(self) -> Loaded[Config]:
        """Load the configuration these options describe, with the layers it came from."""
        from harness.config.load import load

        return load(self.files, self.sets)

    def config(self) -> Config:
        """Return the configuration these options describe."""
        return load_config(self.files, self.sets)

    @contextmanager
    def ui(self) -> Iterator[Ui]:
        """Give the progress display, and leave the terminal in order afterwards."""
        shown = choose(self.verbose, self.quiet)
        try:
            yield shown
        finally:
            shown.close()


def _keys(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """Complete a key of `--set`."""
    from harness.config.check import dotted_keys

    return [f"{key}=" for key in dotted_keys(Config) if key.startswith(incomplete)]


def complete_runs(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a run in the cache, the newest first."""
    from harness.resources import cache_dir

    runs = cache_dir() / "runs"
    names = (path.name for path in runs.iterdir()) if runs.is_dir() else ()
    return sorted((name for name in names if name.startswith(incomplete)), reverse=True)


history_option = click.option(
    "--history",
    "history_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The history [default: history.sqlite in the cache].",
)

_DECORATORS = (
    click.option(
        "-c",
        "--config",
        "files",
        multiple=True,
        metavar="FILE",
        help="Lay a YAML file over the defaults; may be repeated.",
    ),
    click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=_keys,
        help="Set one key (see `teecall config show`); may be repeated.",
    ),
    click.option("--offline", is_flag=True, help="Never touch the network."),
    click.option("-v", "--verbose", is_flag=True, help="Show all output as it comes."),
    click.option("-q", "--quiet", is_flag=True, help="Show errors and notes only."),
)


def config_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options to a verb; it gets them as one value, `options`."""

    @functools.wraps(function)
    def wrapped(
        files: tuple[str, ...],
        sets: tuple[str, ...],
        offline: bool,
        verbose: bool,
        quiet: bool,
        **rest: Any,
    ) -> Any:
        options = Options(tuple(Path(file) for file in files), sets, offline, verbose, quiet)
        return function(options=options, **rest)

    for decorator in reversed(_DECORATORS):
        wrapped = decorator(wrapped)
    return wrapped
