# SPDX-License-Identifier: Apache-2.0
"""Commits of git repositories, local or remote."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

from harness.errors import ConfigError, SourceError, ToolMissing
from harness.files import locked, require_space
from harness.sources.spec import Spec

# With less than this left on the disk it is what stopped git.
_LEAST_SPACE = 1 << 20
_FULL_ID = re.compile(r"[0-9a-f]{40}")


class Repository:
    """A repository that commits are taken from: the user's folder, or a mirror in the cache."""

    def __init__(self, spec: Spec, cache: Path) -> None:
        self._spec = spec
        self._local = Path(spec.location).is_dir()
        name = hashlib.sha256(spec.location.encode()).hexdigest()[:16]
        self._folder = Path(spec.location) if self._local else cache / "git" / f"{name}.git"

    def tree(self, offline: bool) -> str:
        """Return the tree id of the revision, fetching a remote repository when needed.

        Raises:
            SourceError, ConfigError: there is no such repository or revision.
        """
        if not self._local:
            self._refresh(offline)
        found = self._git("rev-parse", "--verify", "--quiet", f"{self._spec.detail}^{{tree}}")
        if found is None:
            # A remote repository may have it tomorrow, or with the network; a folder has not.
            kind = ConfigError if self._local else SourceError
            raise kind(
                f"{self._spec}: no revision '{self._spec.detail}' in {self._folder}",
                "check the repository and the revision",
            )
        return found.strip()

    def export(self, tree: str, into: Path) -> None:
        """Write a tree's files into a folder, untouched by export attributes."""
        index = into.parent / "index"
        environment = {"GIT_INDEX_FILE": str(index)}
        folder = self._git("rev-parse", "--absolute-git-dir")
        if folder is not None:
            # checkout-index wants a work tree, which a bare repository has not.
            environment |= {"GIT_DIR": folder.rstrip("\n"), "GIT_WORK_TREE": str(into)}
        if self._git("read-tree", tree, environment=environment) is None:
            raise SourceError(f"{self._spec}: tree {tree} cannot be read", "try `git fsck` in it")
        written = self._git("checkout-index", "-a", f"--prefix={into}/", environment=environment)
        if written is None:
            require_space(into, _LEAST_SPACE)
            raise SourceError(
                f"{self._spec}: tree {tree} cannot be written", "try `git fsck` in it"
            )
        index.unlink(missing_ok=True)

    def _refresh(self, offline: bool) -> None:
        """Clone or fetch; a revision that is a full id and already here needs neither."""
        if Path(self._spec.location).is_absolute():
            raise ConfigError(
                f"{self._spec}: {self._spec.location} is not there", "check the folder"
            )
        with locked(self._folder.with_suffix(".lock")):
            if not self._folder.exists():
                self._refuse(offline)
                self._clone()
            elif not _FULL_ID.fullmatch(self._spec.detail) and not offline:
                self._git("fetch", "--quiet", "--prune", "--tags", "origin", "+refs/*:refs/*")
            elif self._git("cat-file", "-e", self._spec.detail) is None and not offline:
                self._git("fetch", "--quiet", "origin", "+refs/*:refs/*")

    def _refuse(self, offline: bool) -> None:
        if offline:
            raise SourceError(
                f"{self._spec} is not in the cache, and --offline forbids the network",
                "run `teecall fetch` once without --offline",
            )

    def _clone(self) -> None:
        command = ["git", "clone", "--quiet", "--mirror", self._spec.location, str(self._folder)]
        result = _run(command)
        if result.returncode:
            raise SourceError(
                f"{self._spec}: cannot be cloned",
                "check the address and the network",
                details=result.stderr.strip().splitlines()[:3],
            )

    def _git(self, *arguments: str, environment: dict[str, str] | None = None) -> str | None:
        result = _run(["git", "-C", str(self._folder), *arguments], environment)
        return result.stdout if result.returncode == 0 else None


def _run(
    command: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    full = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(environment or {})}
    try:
        return subprocess.run(command, env=full, capture_output=True, text=True)
    except FileNotFoundError:
        raise ToolMissing("git is not installed", "apt-get install git") from None
