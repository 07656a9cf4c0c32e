# SPDX-License-Identifier: Apache-2.0
"""The subjects that are lists: QEMU binaries, kernels of a TVM, values of a configuration key."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.bisect.dag import Dag
from harness.bisect.subject import CandidateInfo, SubjectOptions
from harness.config.check import dotted_keys
from harness.config.schema import Config
from harness.errors import SourceError, UsageError
from harness.files import sha256_of

# Components that are a list of files, and the key that takes one of them.
FILES = {"qemu": "qemu.binary", "tvm-linux": "tvm.kernel"}
_LEAST = 2


def line_subject(component: str, repo: str | None, options: SubjectOptions) -> LineSubject:
    """Return the subject of a list of values; see `subject_for`."""
    key = FILES.get(component, component)
    if key not in dotted_keys(Config):
        raise UsageError(
            f"there is no component '{component}'",
            "choose opensbi, tsm, tsm-driver, linux, tvm-linux, qemu, or a key of the "
            "configuration (`teecall config show`)",
        )
    if repo is not None:
        raise UsageError(
            f"component {component} is a list of values, it has no repository",
            "give the values, oldest first",
        )
    if options.stock:
        raise UsageError("--stock is for component opensbi", "leave it away")
    return LineSubject(component, key, options.values)


class LineSubject:
    """A list of values, oldest first; see `Subject`.

    Args:
        component: as the user named it.
        key: the key of the configuration that takes the values.
        values: oldest first.

    Raises:
        UsageError: fewer than two values, one is there twice, or is a file that does not exist.
    """

    def __init__(self, component: str, key: str, values: Sequence[str]) -> None:
        self.component = component
        self.where = ""
        self.notes: Sequence[str] = ()
        self._key = key
        files = component in FILES
        self._values = [_found(component, value) if files else value for value in values]
        self._hashes = {v: sha256_of(Path(v)) for v in self._values} if files else {}
        if len(values) < _LEAST:
            raise UsageError(
                f"component {component} needs at least two values", "give them, oldest first"
            )
        twice = next((v for v in self._values if self._values.count(v) > 1), None)
        if twice is not None:
            raise UsageError(f"{twice} is there twice", "give each value once, oldest first")

    def resolve(self, rev: str) -> str:
        """Return a value of the list, by itself or by its number from 1 (`#2`)."""
        number = rev.removeprefix("#")
        if rev.startswith("#") and number.isdecimal() and 0 < int(number) <= len(self._values):
            return self._values[int(number) - 1]
        if rev in self._values:
            return rev
        full = shutil.which(rev) if self._hashes else None
        if full in self._values:
            return full
        raise UsageError(
            f"'{rev}' is not among the values of {self.component}",
            f"choose one of {', '.join(self._values)}",
        )

    def dag(self, good: Sequence[str], bad: str) -> Dag:
        """Return the list as a history without branches."""
        for end in (*good, bad):
            self.resolve(end)
        return Dag.line(self._values)

    def settings(self, candidate: str) -> tuple[str, ...]:
        """Return the assignment of the value."""
        return (f"{self._key}={candidate}",)

    def prepare(self, candidate: str) -> None:
        """Check that a file is still what it was when the search began."""
        wanted = self._hashes.get(candidate)
        if wanted is None:
            return
        path = Path(candidate)
        if not path.is_file():
            raise SourceError(f"{candidate} is gone", "restore it")
        if sha256_of(path) != wanted:
            raise SourceError(
                f"{candidate} has changed since the search began",
                "restore it, or begin a new search",
            )

    def describe(self, candidate: str) -> CandidateInfo:
        """Return the value with its key."""
        index = self._values.index(candidate)
        before = tuple(self._values[index - 1 : index]) if index else ()
        return CandidateInfo(candidate, f"{self._key}={candidate}", parents=before)


def _found(component: str, value: str) -> str:
    """Return the path of a file; a program may be named without one."""
    path = Path(value).expanduser()
    full = str(path.absolute()) if path.is_file() else shutil.which(value)
    if full is None:
        raise UsageError(f"{component}: {value} is not there", "name a file that exists")
    return full
