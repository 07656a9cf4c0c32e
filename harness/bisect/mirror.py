# SPDX-License-Identifier: Apache-2.0
"""A bare copy of the user's repository in the cache: what a search reads, and the only one it uses.

The user's repository is read once, when revisions are resolved, and never written: no work tree,
no reference and no lock is made in it. So it may be rebased, cleaned up or removed while a search
runs. A copy on the same disk shares its object files by hard links.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfraError, SourceError, StoreError, ToolMissing, UsageError
from harness.files import disk_errors, locked, no_space

FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# A commit that no reference names (a detached HEAD, an id from the reflog) can be fetched too.
# What a hook's environment has: it names another repository than the folder.
_ELSEWHERE = re.compile("GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|PREFIX|NAMESPACE|.*OBJECT_DIR.*)")
_ANY_COMMIT = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"


@dataclass(frozen=True, slots=True)
class Done:
    """What a git command printed, and whether it went well."""

    status: int
    out: str
    err: str


def git(folder: Path, *arguments: str, given: str | None = None) -> Done:
    """Run git in a folder; it never writes an index, asks a question or runs a hook there.

    Args:
        folder: a repository, or a folder in one.
        arguments: of git.
        given: what it reads.

    Raises:
        ToolMissing: git is not installed.
        NoSpace: the disk is full.
    """
    clean = {k: v for k, v in os.environ.items() if not _ELSEWHERE.fullmatch(k)}
    calm = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    # A partial clone of the user's would be written to when git misses something there.
    calm["GIT_NO_LAZY_FETCH"] = "1"
    command = ["git", "-C", str(folder), "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        result = subprocess.run(
            command,
            env={**clean, **calm},
            input=given or "",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise ToolMissing("git is not installed", "apt-get install git") from None
    if "No space left on device" in result.stderr or "Disk quota" in result.stderr:
        raise no_space(folder)
    return Done(result.returncode, result.stdout, result.stderr)


def is_address(where: str) -> bool:
    """Tell whether a repository is somewhere else: `https://HOST/PATH` or, as ssh, `HOST:PATH`."""
    # As git has it: a colon behind a slash is one of a path, and so is that of a file which exists.
    before, colon, _ = where.partition(":")
    return bool(colon) and "/" not in before and not Path(where).exists()


class Mirror:
    """The copy of one repository.

    Args:
        where: a folder in a repository, or its address, as the user named it.
        cache: the cache's folder.
        offline: never touch the network.

    Attributes:
        folder: the copy, a bare repository.
        notes: what the user should know: uncommitted changes, which a search does not look at.

    Raises:
        UsageError: the folder is no repository.
        SourceError: the address cannot be cloned.
    """

    def __init__(self, where: str, cache: Path, *, offline: bool = False) -> None:
        self.where = where
        self.notes: list[str] = []
        self._here = Path(where).expanduser().absolute()
        self.local = True
        if self._here.is_dir():
            self._origin = self._common_folder()
            self._note_changes()
        elif copied := self._copied(cache):
            self._origin = copied
        elif not is_address(where):
            raise UsageError(
                f"there is no repository {where}", "name a folder with a clone, or an address"
            )
        else:
            self._origin, self.local = where, False
        # For an address this is the copy that `git:ADDRESS@REV` sources use too.
        self.folder = _place(cache / ("bisect" if self.local else "git"), self._origin)
        self._lock = self.folder.with_suffix(".lock")
        self._fill(offline)

    def _copied(self, cache: Path) -> str | None:
        """Return what a repository that is gone was copied from; None when it was not copied."""
        known = (str(self._here / ".git"), str(self._here))
        return next((o for o in known if (_place(cache / "bisect", o) / "HEAD").is_file()), None)

    def _common_folder(self) -> str:
        found = git(self._here, "rev-parse", "--path-format=absolute", "--git-common-dir")
        if found.status:
            raise UsageError(
                f"{self.where} is no git repository",
                "name the folder of a clone; a tarball has no history to search",
                details=found.err.strip().splitlines()[:3],
            )
        return found.out.rstrip("\n")

    def _note_changes(self) -> None:
        changed = git(self._here, "status", "--porcelain", "--untracked-files=no")
        count = len(changed.out.splitlines())
        if not changed.status and count:
            self.notes.append(
                f"{self.where} has {count} file(s) with uncommitted changes; only commits are "
                "searched, and the files stay as they are"
            )

    def _fill(self, offline: bool) -> None:
        with locked(self._lock), disk_errors(self.folder.parent):
            if (self.folder / "HEAD").is_file() and not self._deepened():
                self._refresh(offline)
                return
            if not self.local and offline:
                raise SourceError(
                    f"{self.where} is not in the cache, and --offline forbids the network",
                    "run once without --offline, or name a local clone",
                )
            self._clone()

    def _deepened(self) -> bool:
        """Tell whether a shallow clone has more, or less, history than when it was copied."""
        if not self.local or not Path(self._origin).is_dir():
            return False
        return _shallow(Path(self._origin)) != _shallow(self.folder)

    def _clone(self) -> None:
        from harness.files import publish, scratch

        with scratch(self.folder.parent, "clone") as temporary:
            new = temporary / "new.git"
            made = git(
                temporary,
                *("-c", "gc.auto=0", "clone", "--quiet", "--mirror"),
                # A clone that borrows objects from another one is copied with them.
                *("--dissociate", self._origin, str(new)),
            )
            if made.status:
                kind = UsageError if self.local else SourceError
                raise kind(
                    f"{self.where} cannot be cloned",
                    "run `git fsck` in it" if self.local else "check the address and the network",
                    details=made.err.strip().splitlines()[:3],
                )
            # A branch that was removed from the repository may be what is searched.
            git(new, "config", "gc.auto", "0")
            publish(new, self.folder)

    def _refresh(self, offline: bool) -> None:
        if self.local or offline:
            # Of a local repository those commits are fetched that a search names.
            return
        done = git(self.folder, "fetch", "--quiet", "--tags", "origin", "+refs/*:refs/*")
        if done.status:
            self.notes.append(f"{self.where} cannot be reached; the copy in the cache is searched")

    def resolve(self, rev: str) -> str:
        """Return the full id of the commit that a revision names, and make sure it is here.

        Raises:
            UsageError: there is no such commit, or it is ambiguous.
            InfraError: the user's repository is gone.
        """
        if FULL_ID.fullmatch(rev) and self.has(rev):
            return rev
        if self.local and not self._here.is_dir():
            raise InfraError(
                f"{self.where} is gone, so '{rev}' cannot be looked up in it",
                "restore the repository, or give full commit ids, which the copy in the cache has",
            )
        asked = self._here if self.local else self.folder
        found = git(asked, "rev-parse", "--verify", "--end-of-options", f"{rev}^{{commit}}")
        if found.status:
            raise self._no_such(rev, found.err)
        commit = found.out.split()[-1]
        self._bring(commit)
        return commit

    def has(self, commit: str) -> bool:
        """Tell whether a commit and its tree are here."""
        return git(self.folder, "cat-file", "-e", f"{commit}^{{tree}}").status == 0

    def _bring(self, commit: str) -> None:
        if self.has(commit):
            return
        place = f"+{commit}:refs/teecall/{commit}"
        with locked(self._lock), disk_errors(self.folder.parent):
            how = ["--quiet", "--no-tags", "--update-shallow", f"--upload-pack={_ANY_COMMIT}"]
            done = git(self.folder, "fetch", *how, self._origin, place)
        if done.status:
            raise SourceError(
                f"{commit} cannot be copied from {self.where}",
                "run `git fsck` in it",
                details=done.err.strip().splitlines()[:3],
            )

    def _no_such(self, rev: str, reason: str) -> UsageError:
        shallow = ", and this is a shallow clone: `git fetch --unshallow` brings the rest"
        lines = [line for line in reason.strip().splitlines() if "Needed a single" not in line]
        ambiguous = "ambiguous" in reason
        what = f"'{rev}' names more than one commit" if ambiguous else f"no commit '{rev}'"
        return UsageError(
            f"{what} in {self.where}",
            ("write more digits" if ambiguous else "check the name with `git log`")
            + (shallow if self.shallow_ends() else ""),
            details=lines[:5],
        )

    def shallow_ends(self) -> frozenset[str]:
        """Return the commits whose parents a shallow clone lacks; none in a full clone."""
        return _shallow(self.folder)

    def lacks(self, ends: Sequence[str], bases: Sequence[str]) -> bool:
        """Tell whether objects are missing that commits need, as they are in a partial clone.

        What has come to the user's clone since it was copied is copied first.

        Args:
            ends: commits, with all between them and `bases`.
            bases: their oldest ancestors that are looked at.
        """
        if not self.local or not self._partial or not self._lacks(ends, bases):
            return False
        with locked(self._lock), disk_errors(self.folder.parent):
            self._clone()
        return self._lacks(ends, bases)

    def _lacks(self, ends: Sequence[str], bases: Sequence[str]) -> bool:
        between = [*ends, *(f"^{base}" for base in bases)]
        command = ["rev-list", "--objects", "--no-object-names", "--missing=print"]
        asked = (between, ["--no-walk", *ends, *bases])
        return any("?" in self.read(*command, *words) for words in asked)

    @property
    def _partial(self) -> bool:
        found = git(self._here, "config", "--get-regexp", r"^remote\..*\.promisor$")
        return bool(found.out)

    def read(self, *arguments: str, given: str | None = None) -> str:
        """Return what git prints about the copy.

        Raises:
            StoreError: the copy is damaged.
        """
        done = git(self.folder, *arguments, given=given)
        if done.status:
            raise StoreError(
                f"git {arguments[0]} failed in {self.folder}",
                f"remove {self.folder}; it is copied anew",
                details=done.err.strip().splitlines()[:3],
            )
        return done.out

    def tree_of(self, commit: str, folder: str) -> str | None:
        """Return the id of a folder's tree in a commit; None when it has no such folder.

        Args:
            commit: a full id.
            folder: from the top of the repository; empty for the top itself.
        """
        found = git(self.folder, "rev-parse", "--verify", "--quiet", f"{commit}:{folder}")
        return found.out.strip() if not found.status else None

    def commits(self, *selection: Sequence[str] | str) -> str:
        """Return `rev-list --parents --boundary` of a selection, which `Dag` reads."""
        flat = [item for part in selection for item in ([part] if isinstance(part, str) else part)]
        return self.read("rev-list", "--parents", "--boundary", "--stdin", given="\n".join(flat))


def _place(folder: Path, origin: str) -> Path:
    return folder / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.git"


def _shallow(folder: Path) -> frozenset[str]:
    try:
        return frozenset((folder / "shallow").read_text("ascii").split())
    except OSError:
        return frozenset()
