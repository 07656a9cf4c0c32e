# SPDX-License-Identifier: Apache-2.0
"""The subjects that are commits: OpenSBI, Linux, and the parts of teecall's own repository.

A candidate of this repository's history brings the part that is searched *and the ABI headers of
the same commit*, because the part is compiled against them: component `tsm` is firmware/tsm with
firmware/abi, `tsm-driver` is firmware/opensbi/tsmd with firmware/abi. The other components stay as
the configuration has them, with their own headers; when the ABI itself has changed between the
two, both are searched together (`--also`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import resources
from harness.bisect.dag import Dag
from harness.bisect.mirror import Mirror, git
from harness.bisect.problems import UnrelatedHistories
from harness.bisect.subject import CandidateInfo, SubjectOptions
from harness.errors import BuildError, UsageError

# A message may have every character but NUL in it.
_FIELDS = "%H%x00%s%x00%an <%ae>%x00%cI%x00%P%x00%b"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Part:
    """Which folder of a repository goes into which key of the configuration."""

    key: str
    folder: str = ""


PARTS: Mapping[str, tuple[Part, ...]] = {
    "opensbi": (Part("opensbi.source"),),
    "linux": (Part("host.source"),),
    "tsm": (Part("tsm.source", "firmware/tsm"), Part("tsm.abi", "firmware/abi")),
    "tsm-driver": (
        Part("opensbi.overlay", "firmware/opensbi/tsmd"),
        Part("opensbi.abi", "firmware/abi"),
    ),
}
_OWN = ("tsm", "tsm-driver")


def git_subject(component: str, repo: str | None, options: SubjectOptions) -> GitSubject:
    """Return the subject of a component that has a repository; see `subject_for`."""
    if options.values:
        raise UsageError(
            f"component {component} is searched by commits, not by a list of values",
            "name its repository with --repo, or search a configuration key instead",
        )
    if options.stock and component != "opensbi":
        raise UsageError(
            f"component {component} has no --stock build", "--stock is for component opensbi"
        )
    if repo is None and component not in _OWN:
        raise UsageError(
            f"component {component} needs a repository", "name a clone of it with --repo PATH"
        )
    where = repo or str(resources.root())
    cache = options.cache or resources.cache_dir()
    mirror = Mirror(where, cache, offline=options.offline)
    extra = (f"opensbi.overlay=path:{_no_overlay(cache)}",) if options.stock else ()
    return GitSubject(component, mirror, extra)


def _no_overlay(cache: Path) -> Path:
    """Return an overlay that adds no object: OpenSBI with it has upstream's own bits."""
    from harness.files import write_atomic

    folder = cache / "bisect" / "stock"
    if not (folder / "objects.mk").is_file():
        write_atomic(folder / "objects.mk", "# Upstream's OpenSBI: no domain switch.\n")
    return folder


class GitSubject:
    """The commits of a component; see `Subject`.

    Args:
        component: one of `PARTS`.
        mirror: the copy of its repository.
        extra: assignments that every candidate has.
    """

    def __init__(self, component: str, mirror: Mirror, extra: Sequence[str] = ()) -> None:
        self.component = component
        self.where = mirror.where
        self.mirror = mirror
        self.notes: Sequence[str] = mirror.notes
        self._parts = PARTS[component]
        self._extra = tuple(extra)

    def resolve(self, rev: str) -> str:
        """Return the full id of a commit."""
        return self.mirror.resolve(rev)

    def dag(self, good: Sequence[str], bad: str) -> Dag:
        """Return the history between the ends."""
        goods = [self.resolve(rev) for rev in good]
        if not goods:
            raise UsageError("no good revision is given", "name one with --good REV")
        ends = [*goods, self.resolve(bad)]
        # Everything before the best ancestors that all ends share is of no interest.
        shared = git(self.mirror.folder, "merge-base", "--octopus", "--all", *ends[::-1])
        bases = shared.out.split()
        dag = Dag.from_rev_list(self.mirror.commits(ends, [f"^{base}" for base in bases]))
        # An end that all others contain is the boundary itself; alone it would not be printed.
        if missing := [end for end in dict.fromkeys([*ends, *bases]) if end not in dag.parents]:
            dag = Dag.of([*((end, ()) for end in missing), *dag.parents.items()])
        self._check(dag, goods, ends[-1], bases)
        return dag

    def _check(self, dag: Dag, goods: Sequence[str], bad: str, bases: Sequence[str]) -> None:
        cut = self.mirror.shallow_ends() & (set(dag.parents) - set(bases))
        if cut:
            raise UsageError(
                f"{self.where} is a shallow clone: the history between the ends is cut off at "
                f"{min(cut)[:_SHOWN]}",
                f"run `git -C {self.where} fetch --unshallow`, or choose ends it has",
            )
        if self.mirror.lacks([*goods, bad], bases):
            raise UsageError(
                f"{self.where} is a partial clone: it lacks files of commits between the ends",
                f"run `git -C {self.where} fetch --refetch --no-filter`",
            )
        for end in goods:
            if not dag.merge_bases(end, bad):
                raise UnrelatedHistories(
                    f"{end[:_SHOWN]} and {bad[:_SHOWN]} have no common ancestor in {self.where}",
                    "name two commits of one history",
                )

    def settings(self, candidate: str) -> tuple[str, ...]:
        """Return the assignments that name the candidate's trees in the copy."""
        found = []
        for part in self._parts:
            tree = self.mirror.tree_of(candidate, part.folder)
            if tree is None:
                raise BuildError(
                    f"commit {candidate[:_SHOWN]} has no {part.folder}",
                    "it cannot be tested; choose ends that have it",
                )
            # A tree's id is a revision like any other. For a whole repository the commit says more.
            rev = tree if part.folder else candidate
            found.append(f"{part.key}=git:{self.mirror.folder}@{rev}")
        return (*found, *self._extra)

    def prepare(self, candidate: str) -> None:
        """Check that the copy has the candidate, and fetch it when it has not."""
        self.mirror.resolve(candidate)

    def describe(self, candidate: str) -> CandidateInfo:
        """Return what git knows of a commit."""
        text = self.mirror.read(
            "log", "-1", "--no-show-signature", f"--format={_FIELDS}", candidate
        )
        commit, title, author, date, parents, body = text.split("\0")
        before = tuple(parents.split())
        numbers = self._numbers(commit, before[0] if before else None)
        return CandidateInfo(commit, title, author, date, before, *numbers, body=body.strip())

    def _numbers(self, candidate: str, first: str | None) -> tuple[int, int, int]:
        ends = [first, candidate] if first else ["--root", candidate]
        text = self.mirror.read("diff-tree", "-r", "--no-commit-id", "--numstat", *ends)
        rows = [line.split("\t") for line in text.splitlines()]
        # A binary file has '-' in place of numbers.
        added, removed = (sum(int(row[i]) for row in rows if row[i].isdecimal()) for i in range(2))
        return len(rows), added, removed
