# SPDX-License-Identifier: Apache-2.0
"""Makes git histories from a source tree, with one regression at a known commit.

The same arguments give the same commit ids, so that what was built for one is found in the store
for the next. Some of the commits change documentation, the others a C file, as series do; a few
are merged from a side branch. What a C file gains stays in the image, so that each of these
commits makes another machine.
"""

from __future__ import annotations

import os
import random
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from harness.errors import InfraError, ToolMissing, UsageError

# 2025-01-01; the commits are an hour apart.
_EPOCH = 1_735_689_600
_APART_S = 3600
# A side branch has two commits and begins at every so many commits.
_SIDE = 2
_MERGE_EVERY = 7
_WHO = "Made History <history@example.org>"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces a text, which stands exactly once in the file, by another."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a history is like.

    Args:
        commits: so many come after the good end, merges included.
        culprit: number of the commit that brings the regression, 1 to `commits`.
        edits: the regression.
        unbuildable: numbers of commits that do not compile.
        breakage: what makes them so.
        merges: whether there are side branches; not around commits that do not compile.
        seed: chooses what the other commits change.
        notes: which part of the other commits changes documentation only, 0 to 1.
        sources: pattern of the C files that the rest of them change: files that every image has.
    """

    commits: int
    culprit: int
    edits: Sequence[Edit] = ()
    unbuildable: Sequence[int] = ()
    breakage: Edit | None = None
    merges: bool = True
    seed: int = 1
    notes: float = 0.5
    sources: str = "lib/sbi/*.c"


@dataclass(frozen=True, slots=True)
class History:
    """A repository and what is in it; `commits` are all after `good`, oldest first."""

    repo: Path
    good: str
    bad: str
    culprit: str
    commits: tuple[str, ...]


@dataclass(slots=True)
class _Line:
    """A branch while it is made: its newest commit, and files that differ from the start."""

    tip: int
    changed: dict[str, bytes] = field(default_factory=dict)


def make_history(tree: Path, repo: Path, recipe: Recipe) -> History:
    """Make a repository, with the good end checked out nowhere: it has no work tree files.

    Args:
        tree: the content of the good end; only read.
        repo: a folder that does not exist yet.
        recipe: what comes after it.

    Raises:
        UsageError: an edit does not fit the tree, or the numbers do not fit each other.
        ToolMissing, InfraError: git is missing or fails.
    """
    if not 1 <= recipe.culprit <= recipe.commits:
        raise UsageError(f"no commit {recipe.culprit} of {recipe.commits}", "choose one of them")
    marks = repo.parent / f"{repo.name}.marks"
    _git(["init", "--quiet", "--initial-branch=main", str(repo)])
    stream = b"".join(_Maker(tree, recipe).stream())
    _git(["-C", str(repo), "fast-import", "--quiet", f"--export-marks={marks}"], stream)
    lines = (line.split() for line in marks.read_text(encoding="ascii").splitlines())
    ids = {int(mark.removeprefix(":")): commit for mark, commit in lines}
    marks.unlink()
    commits = tuple(ids[number] for number in sorted(ids))
    return History(repo, commits[0], commits[-1], commits[recipe.culprit], commits[1:])


class _Maker:
    """Writes the stream of `git fast-import`; commit number n has the mark n + 1."""

    def __init__(self, tree: Path, recipe: Recipe) -> None:
        self._files = dict(_files(tree))
        self._recipe = recipe
        self._random = random.Random(recipe.seed)
        edited = {edit.file for edit in recipe.edits}
        edited |= {recipe.breakage.file} if recipe.breakage else set()
        sources = [name for name in self._files if PurePosixPath(name).match(recipe.sources)]
        self._sources = sorted(name for name in sources if name not in edited)
        if not self._sources:
            raise UsageError(f"{tree} has no {recipe.sources}", "give the tree that has them")
        self._number = 0

    def stream(self) -> Iterator[bytes]:
        """Give the parts of the stream: the good end, then every commit."""
        yield self._commit(0, "Import", self._files, ())
        main = _Line(1)
        while self._number < self._recipe.commits:
            if self._may_branch():
                yield from self._side_branch(main)
            else:
                yield from self._step(main, side=False)

    def _may_branch(self) -> bool:
        first, last = self._number + 1, self._number + _SIDE + 1
        calm = not any(first - 1 <= n <= last for n in self._recipe.unbuildable)
        fits = last < self._recipe.commits
        return self._recipe.merges and calm and fits and first % _MERGE_EVERY == 3

    def _side_branch(self, main: _Line) -> Iterator[bytes]:
        """Make two commits beside the main line, none on it, and the merge."""
        side = _Line(main.tip, dict(main.changed))
        for _ in range(_SIDE):
            yield from self._step(side, side=True)
        self._number += 1
        culprit = self._number == self._recipe.culprit
        changes = {k: v for k, v in side.changed.items() if main.changed.get(k) != v}
        if culprit:
            changes |= self._edited(side, self._recipe.edits)
        title = f"Merge a side branch at {self._number}"
        yield self._commit(self._number, title, changes, (main.tip, side.tip))
        main.changed |= changes
        main.tip = self._number + 1

    def _step(self, line: _Line, *, side: bool) -> Iterator[bytes]:
        self._number += 1
        number, recipe = self._number, self._recipe
        title, changes = self._filler(line, number)
        if recipe.breakage is not None:
            changes |= self._breakage(line, number, recipe.breakage)
        if number == recipe.culprit:
            title = f"lib: sbi: rework number {number}"
            changes |= self._edited(line, recipe.edits, changes)
        body = "on a side branch" if side else "on the main line"
        yield self._commit(number, f"{title}\n\nChange {number}, {body}.", changes, (line.tip,))
        line.changed |= changes
        line.tip = number + 1

    def _filler(self, line: _Line, number: int) -> tuple[str, dict[str, bytes]]:
        if self._random.random() < self._recipe.notes:
            name = f"docs/notes-{self._random.randrange(6)}.md"
            text = self._text(line, name) + f"Note {number}.\n".encode()
            return f"docs: note {number}", {name: text}
        name = self._random.choice(self._sources)
        # A function that nobody calls; the linker drops it unless it is told to retain it.
        kept = "__attribute__((used, retain)) "
        code = f"\nint history_step_{number}(int a);\n{kept}int history_step_{number}(int a)\n"
        code += f"{{\n\treturn a ^ {number};\n}}\n"
        text = self._text(line, name) + code.encode()
        return f"{PurePosixPath(name).stem}: step {number}", {name: text}

    def _breakage(self, line: _Line, number: int, breakage: Edit) -> dict[str, bytes]:
        broken, was = number in self._recipe.unbuildable, number - 1 in self._recipe.unbuildable
        if broken and not was:
            return self._edited(line, [breakage])
        if was and not broken:
            repair = Edit(breakage.file, breakage.new, breakage.old)
            return self._edited(line, [repair])
        return {}

    def _edited(
        self, line: _Line, edits: Sequence[Edit], before: Mapping[str, bytes] | None = None
    ) -> dict[str, bytes]:
        changes = dict(before or {})
        for edit in edits:
            text = changes.get(edit.file, self._text(line, edit.file)).decode()
            if text.count(edit.old) != 1:
                raise UsageError(
                    f"{edit.file}: {edit.old!r} does not stand there exactly once",
                    "the edit is for OpenSBI 1.6",
                )
            changes[edit.file] = text.replace(edit.old, edit.new).encode()
        return changes

    def _text(self, line: _Line, name: str) -> bytes:
        return line.changed.get(name, self._files.get(name, ("", b""))[1])

    def _commit(
        self,
        number: int,
        message: str,
        changes: Mapping[str, bytes | tuple[str, bytes]],
        parents: Sequence[int],
    ) -> bytes:
        when = f"{_EPOCH + number * _APART_S} +0000"
        told = message.encode() + b"\n"
        head = [f"commit refs/heads/main\nmark :{number + 1}\n".encode()]
        head.append(f"author {_WHO} {when}\ncommitter {_WHO} {when}\n".encode())
        head.append(b"data %d\n%s" % (len(told), told))
        words = ("from", *("merge" for _ in parents[1:]))
        head += [f"{w} :{p}\n".encode() for w, p in zip(words, parents, strict=False)]
        for name, value in sorted(changes.items()):
            mode, data = value if isinstance(value, tuple) else (self._mode(name), value)
            head.append(b"M %s inline %s\ndata %d\n" % (mode.encode(), name.encode(), len(data)))
            head.append(data + b"\n")
        return b"".join(head)

    def _mode(self, name: str) -> str:
        return self._files[name][0] if name in self._files else "100644"


def _files(tree: Path) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Give the files of a tree: the name, and mode and content as git has them."""
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            yield name, ("120000", os.fsencode(path.readlink()))
        elif stat.S_ISREG(status.st_mode) and not name.startswith(".git/"):
            mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
            yield name, (mode, path.read_bytes())


def _git(arguments: list[str], data: bytes = b"") -> None:
    try:
        done = subprocess.run(["git", *arguments], input=data, capture_output=True, check=False)
    except FileNotFoundError:
        raise ToolMissing("git is not installed", "apt-get install git") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").splitlines()[-5:]
        raise InfraError(f"git {arguments[-1]} failed", details=said)
