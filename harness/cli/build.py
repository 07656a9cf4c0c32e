# SPDX-License-Identifier: Apache-2.0
"""Build firmware, kernel, driver, tool, guests and initramfs; what is built already is reused."""

from __future__ import annotations

import time

import click

from harness.build.artefacts import Artefacts
from harness.build.builder import Builder
from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options


@click.command()
@config_options
@click.option("--check", is_flag=True, help="Hash every stored file that is used; rebuild damage.")
@click.option("--paths", is_flag=True, help="Print the built files, one `name=path` a line.")
@json_option("Write what was built, its files and the seconds to FILE.")
def command(options: Options, check: bool, paths: bool, result: Result) -> None:
    """Build everything the machine boots from.

    Components are kept in a store by the hash of their inputs, so that only what changed is
    built. The log of each component is kept; an error names it.

    \b
    teecall build
    teecall build --set opensbi.version=1.8.1
    teecall build --set opensbi.source=path:../opensbi --set tsm.flags='[-DDEBUG]'
    """
    begun = time.monotonic()
    config = options.config()
    with options.ui() as ui:
        outcome = Builder(config, ui, offline=options.offline, full_check=check).run()
    seconds = time.monotonic() - begun
    files = _files(outcome.artefacts)
    result.give(
        {
            "built": outcome.built,
            "present": outcome.present,
            "duration_s": round(seconds, 3),
            "versions": dict(outcome.artefacts.versions),
            "files": files,
        }
    )
    if paths:
        for name, value in files.items():
            click.echo(f"{name}={value}")
    if options.quiet or paths:
        return
    if outcome.built:
        click.echo(f"built {', '.join(outcome.built)} in {seconds:.1f} s")
    else:
        count = len(outcome.present)
        click.echo(f"nothing to build: {count} components are up to date ({seconds:.2f} s)")


def _files(artefacts: Artefacts) -> dict[str, object]:
    """Return the built files by their names; what the configuration leaves out is not there."""
    names = (name for name in artefacts.__dataclass_fields__ if name != "versions")
    return {name: value for name in names if (value := getattr(artefacts, name)) is not None}
