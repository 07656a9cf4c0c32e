# SPDX-License-Identifier: Apache-2.0
"""`--json FILE`, which every verb takes: the same result for programs.

@click.command()
@json_option("Write the times to FILE.")
def command(result: Result) -> int:
    result.give({"seconds": 1.5})
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import click

from harness.errors import OutputLost, StoreError, TeecallError, UsageError

STDOUT = Path("-")
Verb = Callable[..., Any]


class Result:
    """Where a verb's result goes as JSON: a file, standard output, or nowhere.

    Args:
        path: of `--json`; `-` is standard output, None if the option was not given.
        stdout: what `-` stands for.
    """

    def __init__(self, path: Path | None = None, stdout: TextIO | None = None) -> None:
        self.path = path
        self._stdout = stdout or sys.stdout
        self._given = False

    def give(self, value: object) -> None:
        """Write the result, a value that `json` takes; paths become text.

        Raises:
            StoreError: the file cannot be written.
        """
        if self.path is not None:
            self.give_text(json.dumps(value, indent=2, default=str) + "\n")

    def give_text(self, text: str) -> None:
        """Write a result that is JSON already.

        Raises:
            StoreError: the file cannot be written.
        """
        if self.path is None:
            return
        self._given = True
        if self.path == STDOUT:
            self._stdout.write(text)
            self._stdout.flush()
            return
        from harness.scenarios.report import write_json_text

        write_json_text(self.path, text)

    def fail(self, error: TeecallError) -> None:
        """Write an error in the result's place, unless there is a result already."""
        if self.path is None or self._given:
            return
        told = {"message": error.message, "remedy": error.remedy, "details": list(error.details)}
        try:
            self.give({"error": told, "exit_code": error.exit_code})
        except (StoreError, OutputLost) as lost:
            # The verb's own error is the one to report.
            click.echo(f"note: {lost.message}", err=True)


def json_option(what: str) -> Callable[[Verb], Verb]:
    """Add `--json` to a verb; it gets a `Result`, called `result`.

    With `--json -`, what the verb prints for people goes to standard error, so that nothing but
    the document is on standard output. A verb that ends by an error leaves
    `{"error": {"message", "remedy", "details"}, "exit_code"}`.

    Args:
        what: the help text, a sentence with FILE in it.
    """

    def decorate(function: Verb) -> Verb:
        @functools.wraps(function)
        def wrapped(json_file: Path | None, **given: Any) -> Any:
            if json_file is not None:
                check_place(json_file)
            result = Result(json_file)
            with ExitStack() as stack:
                if json_file == STDOUT:
                    stack.enter_context(redirect_stdout(sys.stderr))
                try:
                    return function(result=result, **given)
                except TeecallError as error:
                    result.fail(error)
                    raise

        return click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help=f"{what.rstrip('.')}; - is standard output.",
        )(wrapped)

    return decorate


def check_place(path: Path) -> None:
    """Check that the file of `--json` can be written, before the work that it is to tell of.

    A file with something else in it is not overwritten: `teecall parse --json boot.log x.log`
    would otherwise destroy the log.

    Raises:
        UsageError: it cannot.
    """
    if path == STDOUT:
        return
    from harness.scenarios.report import check_json_place

    check_json_place(path)
    try:
        begins = path.open("rb").read(1) if path.is_file() else b""
    except OSError:
        return
    if begins not in (b"", b"{", b"["):
        raise UsageError(
            f"--json {path}: it is there and is no JSON", "give another file, or - to print it"
        )
