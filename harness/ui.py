# SPDX-License-Identifier: Apache-2.0
"""How progress is shown: a live table on a terminal, plain lines elsewhere, or not at all."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol, TextIO

_COMPILERS = {"gcc", "cc", "g++", "clang", "ld", "ar", "as", "objcopy"}
_SOURCE = re.compile(r"^[^-].*\.(?:c|S|s|cc)$")

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


class Ui(Protocol):
    """What long work reports to. Calls come from several threads."""

    def start(self, component: str, text: str) -> None:
        """A component begins; `text` says what happens to it ("fetching", "building")."""

    def line(self, component: str, text: str) -> None:
        """A line of output of the component's tool."""

    def done(self, component: str, text: str) -> None:
        """The component is finished; `text` says how ("built", "from the mirror")."""

    def failed(self, component: str, text: str) -> None:
        """The component failed; the error itself follows as an exception."""

    def note(self, text: str) -> None:
        """A sentence that the user must see."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class QuietUi:
    """Says nothing but notes, which go to stderr."""

    def start(self, component: str, text: str) -> None:
        """Nothing is shown."""

    def line(self, component: str, text: str) -> None:
        """Nothing is shown."""

    def done(self, component: str, text: str) -> None:
        """Nothing is shown."""

    def failed(self, component: str, text: str) -> None:
        """Nothing is shown."""

    def note(self, text: str) -> None:
        """Print the sentence."""
        print(f"note: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """There is nothing to restore."""


class PlainUi(QuietUi):
    """One line when a component begins and one when it ends, for logs and pipes."""

    def __init__(self, verbose: bool = False, out: TextIO | None = None) -> None:
        self._verbose = verbose
        self._out = out or sys.stderr
        self._begun: dict[str, float] = {}

    def _print(self, text: str) -> None:
        # One write, so that lines of several threads do not run into each other.
        self._out.write(f"{text}\n")
        self._out.flush()

    def start(self, component: str, text: str) -> None:
        """Print that the component begins."""
        self._begun.setdefault(component, time.monotonic())
        self._print(f"{component:<10} {text}")

    def line(self, component: str, text: str) -> None:
        """Print the tool's line if asked to."""
        if self._verbose:
            self._print(f"{component:<10} | {text}")

    def _end(self, component: str, text: str) -> None:
        seconds = time.monotonic() - self._begun.pop(component, time.monotonic())
        self._print(f"{component:<10} {text} ({seconds:.1f} s)")

    def done(self, component: str, text: str) -> None:
        """Print how the component ended, and its time."""
        self._end(component, text)

    def failed(self, component: str, text: str) -> None:
        """Print that the component failed, and its time."""
        self._end(component, text)

    def note(self, text: str) -> None:
        """Print the sentence among the lines."""
        self._print(f"note: {text}")


class LiveUi(QuietUi):
    """A table that shows each component's last line while it is worked on."""

    def __init__(self) -> None:
        self._mutex = threading.RLock()
        self._live: Live | None = None
        self._rows: dict[str, tuple[float, int, str]] = {}

    def _open(self) -> Live:
        """Start the live display on first use: most runs have nothing to build."""
        if self._live is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self._live = Live(
                get_renderable=self._table, console=console, refresh_per_second=8, transient=True
            )
            self._live.start()
        return self._live

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        with self._mutex:
            rows = list(self._rows.items())
        for component, (begun, lines, text) in rows:
            seconds = time.monotonic() - begun
            table.add_row(
                Text(component, style="bold"),
                f"{seconds:6.1f} s",
                f"{lines:5d}" if lines else "",
                Text(text, no_wrap=True, overflow="ellipsis", style="dim"),
            )
        return table

    def start(self, component: str, text: str) -> None:
        """Add the component's row."""
        with self._mutex:
            begun, lines, _ = self._rows.get(component, (time.monotonic(), 0, ""))
            self._rows[component] = (begun, lines, text)
            self._open()

    def line(self, component: str, text: str) -> None:
        """Show the line in the component's row."""
        with self._mutex:
            begun, lines, _ = self._rows.get(component, (time.monotonic(), 0, ""))
            self._rows[component] = (begun, lines + 1, brief(text))

    def _end(self, component: str, text: str, style: str) -> None:
        from rich.text import Text

        with self._mutex:
            begun, _, _ = self._rows.pop(component, (time.monotonic(), 0, ""))
            seconds = time.monotonic() - begun
            message = Text(f"{component:<10} ", style="bold")
            message.append(f"{text} ({seconds:.1f} s)", style=style)
            self._open().console.print(message)

    def done(self, component: str, text: str) -> None:
        """Replace the row by a line that stays."""
        self._end(component, text, "green")

    def failed(self, component: str, text: str) -> None:
        """Replace the row by a line that stays."""
        self._end(component, text, "red")

    def note(self, text: str) -> None:
        """Print the sentence above the table."""
        with self._mutex:
            self._open().console.print(f"note: {text}", markup=False, style="yellow")

    def close(self) -> None:
        """Remove the table; the next component that begins brings it back."""
        with self._mutex:
            if self._live is not None:
                self._live.stop()
                self._live = None
            self._rows.clear()


def choose(verbose: bool = False, quiet: bool = False) -> Ui:
    """Return the way to show progress that fits the terminal and the user's options."""
    if quiet:
        return QuietUi()
    if verbose or not (sys.stderr.isatty() and takes_escapes()):
        return PlainUi(verbose)
    return LiveUi()


def takes_escapes() -> bool:
    """Tell whether the terminal understands escape sequences and the user wants them."""
    return os.environ.get("TERM") not in (None, "", "dumb") and not os.environ.get("NO_COLOR")


def styled(text: str, **style: Any) -> str:
    """Return text in a style of `click.style`, or plain where that is not wanted."""
    if not takes_escapes():
        return text
    import click

    return click.style(text, **style)


def brief(line: str) -> str:
    """Return a tool's line without what all of its kind begin with: compiler, flags, folders."""
    words = line.split()
    program = PurePath(words[0]).name.rpartition("-")[2] if words else ""
    made = [word for flag, word in pairwise(words) if flag == "-o"]
    files = [word for word in words[1:] if _SOURCE.search(word)] + made
    if program not in _COMPILERS or not files:
        return " ".join(words)
    return f"{program} {'/'.join(PurePath(files[0]).parts[-2:])}"
