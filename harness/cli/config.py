# SPDX-License-Identifier: Apache-2.0
"""Show the configuration, and explain where a value comes from."""

from __future__ import annotations

import click

from harness.cli._options import Options, config_options


@click.group()
def command() -> None:
    """Show and explain the configuration.

    Layers, each over the one before: configs/default.yaml, -c files (with what they extend),
    --set.
    """


@command.command("show")
@config_options
def show(options: Options) -> None:
    """Print the configuration as it results from all layers, as YAML."""
    from harness.config.explain import render

    click.echo(render(options.load()), nl=False)


@command.command("explain")
@config_options
@click.argument("key")
def explain(options: Options, key: str) -> None:
    """Say what KEY means, its value, and which layer set it."""
    from harness.config.explain import explain_key

    for line in explain_key(options.load(), key):
        click.echo(line)
