# SPDX-License-Identifier: Apache-2.0
"""Measure teecall itself."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import click

from harness.build.builder import build_all
from harness.cli._options import Options, config_options

if TYPE_CHECKING:
    from harness.bench.smoke import SmokeTimes


@click.group()
def command() -> None:
    """Measure teecall itself. The numbers are printed, never judged."""


@command.command()
@config_options
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), metavar="N")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the times to FILE too.",
)
def smoke(options: Options, runs: int, json_file: Path | None) -> int:
    """Time `teecall smoke` against the bare QEMU boot to power-off of the same images.

    Both run in turns; the line at the end has the medians and their ratio.
    """
    from harness.bench.smoke import measure

    config = options.load().value
    with options.ui() as ui:
        artefacts = build_all(config, ui, offline=options.offline)
    arguments = [word for file in options.files for word in ("-c", str(file))]
    arguments += [word for setting in options.sets for word in ("--set", setting)]
    times = measure(config, artefacts, arguments, runs)
    for line in _table(times):
        click.echo(line)
    if json_file is not None:
        found = {"bare_s": times.bare_s, "smoke_s": times.smoke_s, "ratio": times.ratio}
        json_file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _table(times: SmokeTimes) -> list[str]:
    rows = [("bare boot", times.bare_s), ("teecall smoke", times.smoke_s)]
    lines = [
        f"{name:<14} {'  '.join(f'{s:.3f}' for s in found)}  median {median(found):.3f} s"
        for name, found in rows
    ]
    return [*lines, f"ratio of the medians {times.ratio:.2f}"]
