# SPDX-License-Identifier: Apache-2.0
"""The `teecall` command.

A verb is a file: `harness/cli/NAME.py` with a `click.Command` called `command`. Its one-line
help is the first line of the module's docstring, read as text, so that `teecall --help` imports
no verb. Modules whose names start with an underscore are not verbs; `_options` has the options
that verbs share.
"""

from __future__ import annotations

import gc
import importlib
import os
import re
import signal
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from harness import __version__
from harness.cli import _streams
from harness.cli._exits import exit_codes
from harness.errors import (
    Interrupted,
    OutputLost,
    TeecallError,
    interrupted_code,
    own_error,
)
from harness.ui import styled

_FOLDER = Path(__file__).parent
_ENDING = (signal.SIGTERM, signal.SIGHUP)
# The order of a first day's work; verbs that are not named here follow alphabetically.
_ORDER = (
    *("doctor", "fetch", "build", "boot", "smoke", "run", "nightly", "report", "history"),
    *("parse", "replay", "gdb", "test", "bench", "config"),
)


def _verb_files() -> dict[str, Path]:
    files = (path for path in _FOLDER.glob("*.py") if not path.name.startswith("_"))
    verbs = {path.stem.replace("_", "-"): path for path in files if path.stem != "main"}
    rank = {name: index for index, name in enumerate(_ORDER)}
    return dict(sorted(verbs.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0])))


def summary(path: Path) -> str:
    """Return the first docstring line of a module without importing it."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('"""'):
                return line.strip().strip('"').rstrip(".")
    return ""


_CODES = re.compile(r"[Ee]xit code[^.]*\d")


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
        # Some tell more of them than fits into a line.
        if not _CODES.search(command.help or ""):
            command.epilog = exit_codes(cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs without importing them: completion has to be instant."""
        verbs = [
            CompletionItem(name, help=summary(path))
            for name, path in _verb_files().items()
            if name.startswith(incomplete)
        ]
        return verbs or click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, summary(path)) for name, path in _verb_files().items()])


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="teecall")
def teecall() -> None:
    """Boot, drive and check confidential VMs on RISC-V (CoVE, deployment model 1).

    \b
    teecall doctor    is everything installed?
    teecall smoke     build, boot, launch a TVM, check isolation, tear down
    teecall boot      an interactive shell on the host

    Verbs that build or boot take -c FILE and --set KEY=VALUE; `teecall config show` prints all
    keys. Every verb takes --json FILE, where - is standard output.

    \b
    Exit codes:
      0    PASS
      1    FAIL, CRASH or HANG: what is under test is at fault
      2    the command line, the configuration or a file it names must be corrected;
           a run that finds this ends without a verdict ("verdict": null in its JSON)
      77   SKIP
      99   INFRA: the environment stands in the way
      124  TIMEOUT
      129, 130, 143  ended by SIGHUP, ctrl-C, SIGTERM; a run is stored as INFRA

    \b
    Environment:
      TEECALL_CACHE      sources, builds, runs and nights [default: ~/.cache/teecall]
      TEECALL_HISTORY    the history's file [default: history.sqlite in the cache]
      TEECALL_STORE      where artefacts are shared: file:///DIR, s3://BUCKET/DIR
      TEECALL_OFFLINE    if set, nothing is fetched
      TEECALL_NIGHTLY    if set, scenarios and tests take their larger parameters
      TEECALL_TRACEBACK  if set, an error shows its Python traceback
      NO_COLOR           if set, no colours and no live display; so does TERM=dumb
    """


def report(error: TeecallError) -> None:
    """Print an error, the lines that show it and its remedy on stderr."""
    click.echo(f"{styled('error', fg='red', bold=True)}: {error.message}", err=True)
    for line in error.details:
        click.echo(f"  | {line}", err=True)
    if error.remedy:
        click.echo(f"  {styled('remedy', bold=True)}: {error.remedy}", err=True)


def run(args: list[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        result = teecall.main(args, prog_name="teecall", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("interrupted", err=True)
        # click wraps an interruption in an error of its own.
        return interrupted_code(error.__cause__ or error)
    except Exception as error:
        if os.environ.get("TEECALL_TRACEBACK"):
            raise
        known = own_error(error)
        report(known)
        return known.exit_code


def _end(number: int, _: object) -> None:
    """End as on ctrl-C, so that context managers stop tools and remove their folders."""
    if number == signal.SIGHUP:
        _streams.hang_up()
    raise Interrupted(number)


def _listen_to_signals() -> None:
    """Take every way to be asked to end; what the caller ignores (nohup) stays ignored."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _speak_utf8() -> None:
    """Start again in UTF-8 mode where Python would take all text for ASCII.

    Paths that are not ASCII could be read there, but not written to a log or a report.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def main() -> None:
    """Entry point of the `teecall` command."""
    _speak_utf8()
    _streams.prepare()
    _listen_to_signals()
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OutputLost as error:
        report(error)
        code = error.exit_code
    # The interpreter's last look for garbage, in all that was ever loaded, takes longer than all
    # else it does at its end; what files and locks need is done by their own context managers.
    gc.freeze()
    sys.exit(code)
