# SPDX-License-Identifier: Apache-2.0
"""What a search goes through: the commits of a component's repository, or a list of values.

    subject = subject_for("opensbi", "../opensbi", SubjectOptions())
    good, bad = [subject.resolve(rev) for rev in goods], subject.resolve("master")
    search = Search(subject.dag(good, bad), good, bad)
    ...
    subject.prepare(candidate)
    config = load(files, [*sets, *subject.settings(candidate)]).value
    built = build(config, ui)

The candidates that a subject gives are full ids of commits, or the values as they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.bisect.dag import Dag


@dataclass(frozen=True, slots=True)
class CandidateInfo:
    """What a report says of a candidate.

    Attributes:
        candidate: the full id of a commit, or the value.
        title: the subject line of the commit; for a value the value with its key.
        author: `Name <address>`; empty for a value.
        date: the committer's date, ISO 8601 with its zone; empty for a value.
        parents: the ids of its parents, first parent first.
        files: how many files it changes against its first parent, in the whole repository.
        insertions: how many lines it adds.
        deletions: how many lines it removes.
        body: the rest of the commit's message; empty for a value.
    """

    candidate: str
    title: str
    author: str = ""
    date: str = ""
    parents: tuple[str, ...] = ()
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    body: str = ""


class Subject(Protocol):
    """One tree, or one value, of the machine, in all the states that a search may try.

    Attributes:
        component: `opensbi`, `tsm`, `tsm-driver`, `linux`, `tvm-linux`, `qemu`, or a key of the
            configuration.
        where: the repository as the user named it; empty for a list of values.
        notes: what the user should know before the search, such as uncommitted changes that are
            not looked at.
    """

    @property
    def component(self) -> str: ...

    @property
    def where(self) -> str: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def resolve(self, rev: str) -> str:
        """Return the candidate that a revision names: a full id, or the value itself.

        Raises:
            UsageError: there is no such revision or value; the remedy says which there are.
        """

    def dag(self, good: Sequence[str], bad: str) -> Dag:
        """Return the history between the ends, with their merge bases.

        It has all parents, also for a search along first parents (`Options.first_parent`), which
        must know what the good ends contain.

        Args:
            good: older ends, resolved or not.
            bad: the newer end, resolved or not.

        Raises:
            UsageError: an end does not exist, or a shallow clone lacks what is between them.
            UnrelatedHistories: they have no common ancestor.
        """

    def settings(self, candidate: str) -> tuple[str, ...]:
        """Return the `--set` assignments that make a configuration use a candidate.

        Raises:
            BuildError: the candidate lacks the component, so that it cannot be tested.
        """

    def describe(self, candidate: str) -> CandidateInfo:
        """Return what a report says of a candidate."""

    def prepare(self, candidate: str) -> None:
        """Make sure that a candidate can be built without the user's repository.

        Raises:
            InfraError: the repository is gone, or the disk is full.
        """


@dataclass(frozen=True, slots=True)
class SubjectOptions:
    """How a subject is made.

    Args:
        values: the candidates, oldest first, of a component that has no repository (QEMU
            binaries, files of a TVM's kernel, values of a key).
        stock: build OpenSBI without the domain switch, as it comes from upstream.
        cache: the cache's folder; None for the usual one.
        offline: never touch the network.
    """

    values: tuple[str, ...] = ()
    stock: bool = False
    cache: Path | None = None
    offline: bool = False


def subject_for(
    component: str,
    repo: str | None,
    options: SubjectOptions = SubjectOptions(),
) -> Subject:
    """Return the subject of a component.

    Args:
        component: see `Subject.component`.
        repo: a folder or an address; None for teecall's own repository (tsm, tsm-driver) and for
            a list of values.
        options: see there.

    Raises:
        UsageError: there is no such component or repository, or values and repository do not fit.
        SourceError: the repository cannot be cloned.
        InfraError: git is missing, or the disk is full.
    """
    from harness.bisect.subject_git import PARTS, git_subject
    from harness.bisect.subject_line import line_subject

    if component in PARTS:
        return git_subject(component, repo, options)
    return line_subject(component, repo, options)
