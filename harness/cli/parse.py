# SPDX-License-Identifier: Apache-2.0
"""Tell what a serial log says: verdict, signature, and the lines that show it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._json import Result, json_option
from harness.ui import styled
from harness.verdict import worst

if TYPE_CHECKING:
    from harness.signature.judge import Judgement

_SHOWN_WARNINGS = 5


@click.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option(
    "--elf",
    "elves",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Name addresses by this fw_dynamic.elf, tsm.elf or vmlinux; may be repeated.",
)
@json_option("Write a value for each log to FILE")
def command(logs: tuple[str, ...], elves: tuple[Path, ...], result: Result) -> int:
    """Classify each LOG by the rules that judge a run: a file, the folder of a run, or -.

    A log from anywhere will do, with escape sequences, NULs and bytes that are no text. A death of
    OpenSBI, TSM, Linux or QEMU makes it a CRASH; without one it is a PASS if the kernel has
    switched the machine off, else a HANG. For the uart.log of a run, what the folder says beside
    it counts as well, and addresses are named by the images that ran.

    The exit code is that of the worst verdict: 0 PASS, 1 CRASH, HANG or FAIL, 77 SKIP, 99 INFRA,
    124 TIMEOUT; 2 when a log cannot be read.

    \b
    teecall parse boot.log
    teecall parse --elf fw_dynamic.elf --elf vmlinux boot.log
    teecall parse ~/.cache/teecall/runs/latest
    """
    from harness.signature.recorded import read

    found = [(log.name, log.judge(elves)) for log in map(read, logs)]
    result.give([_value(name, judged) for name, judged in found])
    for name, judged in found:
        _show(name, judged)
    return worst(judged.verdict for _, judged in found).exit_code


def _value(name: str, judged: Judgement) -> dict[str, object]:
    signature = judged.signature
    return {
        "log": name,
        "verdict": str(judged.verdict),
        "signature": signature.key if signature else None,
        "title": signature.title if signature else None,
        "component": signature.component if signature else None,
        "kind": signature.kind if signature else None,
        "function": signature.function if signature else None,
        "first_line": judged.first_line or None,
        "last_line": judged.last_line or None,
        "block": list(judged.block),
        "where": list(judged.where),
        "warnings": list(judged.warnings),
    }


def _show(name: str, judged: Judgement) -> None:
    from harness.cli._running import colour_of

    verdict = styled(f"{judged.verdict:<7}", fg=colour_of(judged.verdict), bold=True)
    click.echo(f"{verdict} {name}" + (f": {judged.signature.title}" if judged.signature else ""))
    if judged.signature is not None:
        click.echo(f"  signature: {judged.signature.key}")
    if judged.block:
        click.echo(f"  lines {judged.first_line} to {judged.last_line}:")
    for line in judged.block:
        click.echo(f"  | {line}")
    for place in judged.where:
        click.echo(f"  where: {place}")
    for warning in judged.warnings[:_SHOWN_WARNINGS]:
        click.echo(f"  also: {warning}")
