# SPDX-License-Identifier: Apache-2.0
"""The `teecall` command.

A verb is a file: `harness/cli/NAME.py` with a `click.Command` called `command`. Its one-line
help is the first line of the module's docstring, read as text, so that `teecall --help` imports
no verb. Modules whose names start with an underscore are not verbs; `_options` has the options
that verbs share.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

import click

from harness import __version__
from harness.errors import TeecallError

_FOLDER = Path(__file__).parent
_INTERRUPTED = 130
# The order of a first day's work; verbs that are not named here follow alphabetically.
_ORDER = ("doctor", "fetch", "build", "boot", "smoke", "run", "test", "bench", "config")


def _verb_files() -> dict[str, Path]:
    files = (path for path in _FOLDER.glob("*.py") if not path.name.startswith("_"))
    verbs = {path.stem.replace("_", "-"): path for path in files if path.stem != "main"}
    rank = {name: index for index, name in enumerate(_ORDER)}
    return dict(sorted(verbs.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0])))


def _summary(path: Path) -> str:
    """Return the first docstring line of a module without importing it."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('"""'):
                return line.strip().strip('"').rstrip(".")
    return ""


class VerbGroup(click.Group):
    """A group that imports a verb's module when the verb is used, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_verb_files())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _verb_files():
            return None
        module = importlib.import_module("harness.cli." + cmd_name.replace("-", "_"))
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, _summary(path)) for name, path in _verb_files().items()])


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="teecall")
def teecall() -> None:
    """Boot, drive and check confidential VMs on RISC-V (CoVE, deployment model 1).

    \b
    teecall doctor    is everything installed?
    teecall smoke     build, boot, launch a TVM, check isolation, tear down
    teecall boot      an interactive shell on the host

    Every verb takes -c FILE and --set KEY=VALUE; `teecall config show` prints all keys.

    Exit codes: 0 pass, 1 fail, 2 usage or configuration, 77 skip, 99 environment, 124 timeout.
    """


def report(error: TeecallError) -> None:
    """Print an error, the lines that show it and its remedy on stderr."""
    click.echo(f"{click.style('error', fg='red', bold=True)}: {error.message}", err=True)
    for line in error.details:
        click.echo(f"  | {line}", err=True)
    if error.remedy:
        click.echo(f"  {click.style('remedy', bold=True)}: {error.remedy}", err=True)


def run(args: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        result = teecall.main(args, prog_name="teecall", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except TeecallError as error:
        if os.environ.get("TEECALL_TRACEBACK"):
            raise
        report(error)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return _INTERRUPTED


def _terminate(number: int, _: object) -> None:
    """End as on ctrl-C, so that context managers stop tools and remove their folders."""
    sys.exit(128 + number)


def main() -> None:
    """Entry point of the `teecall` command."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(run(sys.argv[1:]))
