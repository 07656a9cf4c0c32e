# SPDX-License-Identifier: Apache-2.0
"""One line of a script of calls: what `tvm batch` reads, what the model predicts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.errors import UsageError

MASK = (1 << 64) - 1
PAGE = 4096
BLOCK = 2 << 20


@dataclass(frozen=True, slots=True)
class Slot:
    """The value that an earlier call of the script has saved: the id of a TVM."""

    number: int


Argument = int | Slot


@dataclass(frozen=True, slots=True)
class Call:
    """A call, or an access of the host's own (`extension` is "host").

    `cpu` is the hart it is made on, None: any. Its value is kept in the slot `save`. With `again`
    a run that ends by an interrupt of the host is made again until it ends by the guest. `flip` is
    an address and a value that another hart writes there, in turn with what was there before, while
    the call is made.
    """

    extension: str
    function: str
    args: tuple[Argument, ...] = ()
    cpu: int | None = None
    save: int | None = None
    again: bool = False
    flip: tuple[int, int] | None = None

    def line(self) -> str:
        """Return the line of the script."""
        words = [self.extension, self.function]
        words += [f"${a.number}" if isinstance(a, Slot) else f"{a & MASK:#x}" for a in self.args]
        if self.cpu is not None:
            words += ["--cpu", str(self.cpu)]
        if self.save is not None:
            words += ["--save", str(self.save)]
        if self.again:
            words.append("--again")
        if self.flip is not None:
            words += ["--flip", f"{self.flip[0]:#x}", f"{self.flip[1]:#x}"]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the machine said to one line."""

    error: int
    value: int
    scause: int


def parse_script(text: str, name: str = "script") -> list[Call]:
    """Return the calls of a script.

    Raises:
        UsageError: a line is not one; the message has its number.
    """
    calls = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            calls.append(_parse(words))
        except (ValueError, IndexError, StopIteration):
            raise UsageError(
                f"{name}:{number}: `{line.strip()}` is no call",
                "write EXTENSION FUNCTION ARGUMENT... [--cpu N] [--save N] [--again]"
                " [--flip ADDR VALUE]",
            ) from None
    return calls


def _parse(words: list[str]) -> Call:
    rest = iter(words[2:])
    args: list[Argument] = []
    cpu = save = None
    again = False
    flip = None
    for word in rest:
        if word == "--cpu":
            cpu = int(next(rest))
        elif word == "--save":
            save = int(next(rest))
        elif word == "--again":
            again = True
        elif word == "--flip":
            flip = (int(next(rest), 0), int(next(rest), 0))
        else:
            args.append(Slot(int(word[1:])) if word.startswith("$") else int(word, 0))
    return Call(words[0], words[1], tuple(args), cpu, save, again, flip)


def script(calls: Iterable[Call], remarks: Iterable[str] = ()) -> str:
    """Return the calls as a script that can be run again, remarks first."""
    lines = [f"# {remark}" for remark in remarks]
    return "\n".join([*lines, *(call.line() for call in calls), ""])


def parse_answers(text: str) -> list[Answer]:
    """Return what `tvm batch --short` has printed; lines of another form are left out."""
    answers = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3:
            try:
                answers.append(Answer(int(words[0]), int(words[1], 0), int(words[2], 0)))
            except ValueError:
                continue
    return answers
