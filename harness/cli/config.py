# SPDX-License-Identifier: Apache-2.0
"""Show and explain the configuration, list a matrix's cells, print the schemas of the files."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options


@click.group()
def command() -> None:
    """Show and explain the configuration; list the cells of a matrix.

    Layers, each over the one before: configs/default.yaml, -c files (with what they extend),
    --set. `-c NAME` without a path also looks in configs/machines and configs/stacks.

    \b
    teecall config show -c quad -c aia
    teecall config explain machine.harts -c quad --set machine.harts=3
    teecall config cells nightly --shard 2/5
    """


@command.command("show")
@config_options
@click.option(
    "--format", "form", type=click.Choice(("yaml", "json")), default="yaml", show_default=True
)
@json_option("Write the configuration to FILE too.")
def show(options: Options, form: str, result: Result) -> None:
    """Print the configuration as it results from all layers."""
    from harness.config.explain import render, render_json

    loaded = options.load()
    result.give_text(render_json(loaded))
    click.echo(render_json(loaded) if form == "json" else render(loaded), nl=False)


@command.command("explain")
@config_options
@click.argument("key")
@json_option("Write the key and the lines about it to FILE too.")
def explain(options: Options, key: str, result: Result) -> None:
    """Say what KEY means, its value, and every layer that sets it."""
    from harness.config.explain import explain_key

    lines = explain_key(options.load(), key)
    result.give({"key": key, "lines": lines})
    for line in lines:
        click.echo(line)


@command.command("schema")
@click.option(
    "--kind",
    type=click.Choice(("config", "suite", "matrix")),
    default="config",
    show_default=True,
    help="The kind of file.",
)
@json_option("Write the schema to FILE too.")
def schema(kind: str, result: Result) -> None:
    """Print the JSON Schema of a kind of file, which an editor checks and completes by.

    configs/schema has the same; the first line of a file names it.
    """
    from harness.config.jsonschema import as_text

    result.give_text(as_text(kind))
    click.echo(as_text(kind), nl=False)


@command.command("cells")
@config_options
@click.argument("matrix")
@click.option("--shard", "part", metavar="N/M", default="1/1", help="Only the Nth of M parts.")
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@json_option("Write the cells to FILE too.")
def cells(options: Options, matrix: str, part: str, form: str, result: Result) -> None:
    """List the cells of MATRIX, a file or one of configs/matrices; or those of a suite.

    A line has the cell's id, the suite's entry, its labels and how often it runs. -c and --set
    are laid over every cell.
    """
    from harness.config.listing import as_json, as_lines, cells_of
    from harness.config.shard import parse_shard, take

    shard = parse_shard(part)
    every = cells_of(Path(matrix), options.files, options.sets)
    taken = take(every, shard, lambda cell: cell.repeats)
    result.give_text(as_json(taken) + "\n")
    if form == "json":
        click.echo(as_json(taken))
        return
    for line in as_lines(taken):
        click.echo(line)
    if not options.quiet:
        click.echo(f"{len(taken)} of {len(every)} cells, part {shard.number} of {shard.count}")
