# SPDX-License-Identifier: Apache-2.0
"""Print or write the domain switch as patches for an OpenSBI tree."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options
from harness.errors import InfraError, UsageError

if TYPE_CHECKING:
    from harness.patches import Author

_SIGNER = re.compile(r"\s*([^<>]+?)\s*<([^<>\s]+)>\s*")


@click.command()
@config_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a file for each patch into DIR, instead of printing all of them.",
)
@click.option(
    "--signoff",
    metavar="'NAME <EMAIL>'",
    help="Who signs the patches off [default: git's user.name and user.email].",
)
@json_option("Write the names of the patches, and their folder, to FILE.")
def command(options: Options, output: Path | None, signoff: str | None, result: Result) -> int:
    """Print the domain switch as a series that `git am` applies to an OpenSBI tree.

    It adds files under lib/sbi/tsmd/ and changes none. Applied to a tree, the files are those
    that teecall places in it for a build.

    \b
    teecall export-patches | git -C ~/opensbi am
    teecall export-patches -o series/
    """
    from harness.patches import overlay_files, series
    from harness.sources.resolve import Sources

    author = _author(signoff)
    with options.ui() as ui:
        sources = Sources(options.load().value, ui, offline=options.offline)
        files = overlay_files(sources.materialise("overlay"), sources.materialise("overlay-abi"))
    patches = series(files, author)
    told = {"folder": output, "patches": [patch.name for patch in patches]}
    if output is None:
        for patch in patches:
            click.echo(patch.content, nl=False)
        result.give(told)
        return 0
    output.mkdir(parents=True, exist_ok=True)
    for patch in patches:
        (output / patch.name).write_bytes(patch.content)
        click.echo(output / patch.name)
    result.give(told)
    return 0


def _author(signoff: str | None) -> Author:
    from harness.patches import Author, run_git

    if signoff is not None:
        found = _SIGNER.fullmatch(signoff)
        if found is None:
            raise UsageError(f"--signoff '{signoff}' names nobody", "write 'NAME <EMAIL>'")
        return Author(found[1], found[2])
    try:
        name, email = (run_git(["config", f"user.{key}"], Path.cwd()) for key in ("name", "email"))
    except InfraError as error:
        raise UsageError(
            "git does not know who you are", "set user.name and user.email, or use --signoff"
        ) from error
    return Author(name.strip(), email.strip())
