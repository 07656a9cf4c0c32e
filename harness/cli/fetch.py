# SPDX-License-Identifier: Apache-2.0
"""Fetch and verify the sources; --update-lock renews the pinned versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from msgspec.structs import replace

from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options
from harness.config.kernels import DEBIAN
from harness.config.schema import Config, Worlds
from harness.sources.resolve import Sources
from harness.ui import Ui

_COMPONENTS = ("opensbi", "linux", "busybox", "mbedtls")
# Large, and brought when the configuration names Debian's kernel for the host or a TVM.
_DEBIAN = ("debian-image", "debian-headers")


@click.command()
@config_options
@click.option("--update-lock", is_flag=True, help="Pin the newest Debian versions of each series.")
@click.option(
    "--path",
    "component",
    type=click.Choice(_COMPONENTS + _DEBIAN),
    help="Fetch one source only, and print its folder.",
)
@json_option("Write version and folder of each source to FILE.")
def command(options: Options, update_lock: bool, component: str | None, result: Result) -> None:
    """Bring the sources into the cache, so that later builds need no network.

    Each is verified against configs/sources.lock: OpenSBI and mbedTLS by the git tree id of
    their content, whichever origin they come from, Debian packages by SHA-256 besides the
    archive's signature.

    \b
    teecall fetch
    teecall fetch --path opensbi
    teecall fetch --set host.kernel=debian
    """
    with options.ui() as ui:
        if update_lock:
            _renew(options, ui)
        config = options.load().value
        sources = Sources(config, ui, offline=options.offline)
        if component:
            place = sources.materialise(component)
            result.give([_value(sources, component, place)])
            click.echo(place)
        else:
            _fetch(options, sources, result, _wanted(config))


def _value(sources: Sources, component: str, place: Path) -> dict[str, str]:
    version = sources.identify(component).version
    return {"component": component, "version": version, "folder": str(place)}


def _wanted(config: Config) -> tuple[str, ...]:
    """Return the components to bring: what is Debian's only where it is named."""
    if config.worlds.vmm == "qemu":
        from harness.build.vmm import packages

        return (*_wanted(replace(config, worlds=Worlds())), *packages())
    if config.host.kernel == DEBIAN:
        return _COMPONENTS + _DEBIAN
    return (*_COMPONENTS, _DEBIAN[0]) if config.tvm.kernel == DEBIAN else _COMPONENTS


def _fetch(options: Options, sources: Sources, result: Result, components: tuple[str, ...]) -> None:
    with ThreadPoolExecutor(len(components)) as pool:
        places = list(pool.map(sources.materialise, components))
    named = list(zip(components, places, strict=True))
    result.give([_value(sources, component, place) for component, place in named])
    if options.quiet:
        return
    for component, place in named:
        click.echo(f"{component:<14} {sources.identify(component).version:<32} {place}")


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
