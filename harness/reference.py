# SPDX-License-Identifier: Apache-2.0
"""Writes the reference: `python -m harness.reference docs/reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from harness import resources, scenarios
from harness.cli.main import summary, teecall
from harness.config.check import dotted_keys
from harness.config.explain import comments
from harness.config.load import DEFAULT
from harness.config.schema import Config
from harness.conformance.table import page as conformance_page
from harness.scenarios.session import SCENARIOS, steps_of
from harness.verdict import Verdict

_MADE = "Made by `python -m harness.reference docs/reference`; do not edit."
# The help is wrapped at this column, whatever the terminal is.
_WIDTH = 100


def pages() -> dict[str, str]:
    """Return the pages of the reference, Markdown by file name."""
    makers = {"cli.md": _cli, "config.md": _config, "scenarios.md": _scenarios}
    made = {name: "\n".join(make()) + "\n" for name, make in makers.items()}
    return {**made, "conformance.md": conformance_page()}


def _commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    """Give a command and those below it."""
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, _context(below, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {"help_option_names": ["-h", "--help"]}
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        **settings,  # type: ignore[arg-type]
    )


def _cli() -> Iterator[str]:
    yield from ("# Commands", "", _MADE)
    for context in _commands(teecall, _context(teecall, "teecall", None)):
        text = context.command.get_help(context)
        yield from ("", f"## {context.command_path}", "", "```text", text, "```")


def _config() -> Iterator[str]:
    yield from ("# Configuration keys", "", _MADE)
    said = comments(resources.configs() / DEFAULT)
    for key in dotted_keys(Config):
        value: object = Config()
        for part in key.split("."):
            value = getattr(value, part)
        plain = msgspec.json.encode(value).decode()
        yield from ("", f"## `{key}`", "", *said.get(key, ()), "", f"Default: `{plain}`")


def _scenarios() -> Iterator[str]:
    yield from ("# Scenarios, checks and verdicts", "", _MADE, "", "## Verdicts", "")
    yield from ("| verdict | exit status |", "|---|---|")
    yield from (f"| {verdict} | {verdict.exit_code} |" for verdict in Verdict)
    folder = Path(scenarios.__file__).parent
    for name in sorted(SCENARIOS):
        yield from ("", f"## {name}", "", f"{summary(folder / f'{SCENARIOS[name]}.py')}.", "")
        yield from (f"- `{step.name}`" for step in steps_of(name))


def main(arguments: list[str]) -> int:
    """Write the pages into the folder that is named."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
