# SPDX-License-Identifier: Apache-2.0
"""Fetch and verify the sources; --update-lock renews the pinned versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import click

from harness.cli._options import Options, config_options
from harness.sources.resolve import Sources
from harness.ui import Ui

_COMPONENTS = ("opensbi", "linux", "busybox", "mbedtls")


@click.command()
@config_options
@click.option("--update-lock", is_flag=True, help="Pin the newest Debian versions of each series.")
@click.option(
    "--path",
    "component",
    type=click.Choice(_COMPONENTS),
    help="Fetch one source only, and print its folder.",
)
def command(options: Options, update_lock: bool, component: str | None) -> None:
    """Bring the sources into the cache, so that later builds need no network.

    Each is verified against configs/sources.lock: OpenSBI and mbedTLS by the git tree id of
    their content, whichever origin they come from, Debian packages by SHA-256 besides the
    archive's signature.
    """
    with options.ui() as ui:
        if update_lock:
            _renew(options, ui)
        sources = Sources(options.load().value, ui, offline=options.offline)
        if component:
            click.echo(sources.materialise(component))
        else:
            _fetch(options, sources)


def _fetch(options: Options, sources: Sources) -> None:
    with ThreadPoolExecutor(len(_COMPONENTS)) as pool:
        places = list(pool.map(sources.materialise, _COMPONENTS))
    if options.quiet:
        return
    for component, place in zip(_COMPONENTS, places, strict=True):
        click.echo(f"{component:<10} {sources.identify(component).version:<32} {place}")


def _renew(options: Options, ui: Ui) -> None:
    from harness import resources
    from harness.errors import UsageError
    from harness.sources.resolve import LOCK_FILE
    from harness.sources.update import update_lock

    if options.offline:
        raise UsageError("--update-lock asks the mirror, --offline forbids it", "choose one")
    changes = update_lock(resources.configs() / LOCK_FILE, resources.cache_dir(), ui)
    for change in changes:
        click.echo(change)
    if not changes:
        click.echo("the lock is up to date")
