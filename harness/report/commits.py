# SPDX-License-Identifier: Apache-2.0
"""Commits of the trees that a run was built from.

The commit of a folder is read from git's own files: a process for it would cost each run more
than the rest of its record.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from harness.config.schema import Config
from harness.resources import root

_GIT_S = 5
_ID = re.compile(r"[0-9a-f]{40}")
_SECTIONS = ("opensbi", "tsm", "host", "busybox", "mbedtls", "tvm")


def git_folders(config: Config) -> dict[str, Path]:
    """Return the local folders that sources come from, and teecall's own, by component."""
    folders = {"teecall": root()}
    named = {name: getattr(config, name).source for name in _SECTIONS}
    named["overlay"] = config.opensbi.overlay
    for name, source in named.items():
        kind, _, rest = (source or "").partition(":")
        # A commit of `git:FOLDER@REV` is part of the source's own name.
        if kind == "path":
            folders[name] = Path(rest)
        elif kind == "git" and rest.startswith("/"):
            folders[name] = Path(rest.rpartition("@")[0])
    return folders


def commits(config: Config) -> dict[str, str]:
    """Return the commit of each folder of `git_folders` that is in a git work tree."""
    found = {name: commit_of(path) for name, path in git_folders(config).items()}
    for name in _SECTIONS:
        source = getattr(config, name).source or ""
        if source.startswith("git:/"):
            place, _, revision = source.removeprefix("git:").rpartition("@")
            found[name] = _resolved(Path(place), revision)
    return {name: commit for name, commit in found.items() if commit}


def commit_of(folder: Path) -> str | None:
    """Return the commit that is checked out where a folder lies; None outside of git."""
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            try:
                return _head(place / ".git")
            except OSError:
                return None
    return None


def _head(git: Path) -> str | None:
    if git.is_file():
        # A work tree beside the first one: `gitdir: FOLDER`.
        git = git.parent / git.read_text(encoding="utf-8").partition(":")[2].strip()
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref: "):
        return head if _ID.fullmatch(head) else None
    name = head.removeprefix("ref: ")
    common = git
    if (git / "commondir").is_file():
        common = git / (git / "commondir").read_text(encoding="utf-8").strip()
    for place in (git, common):
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8").strip()
    packed = common / "packed-refs"
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line[:40] for line in lines if line[41:] == name), None)


def between(folder: Path, old: str, new: str, most: int) -> list[str]:
    """Return the commits that came after `old` up to `new`, a line each, the newest first.

    Args:
        folder: in the work tree.
        old: commit of the earlier run.
        new: commit of the later one.
        most: lines; one more says how many there are beside them.
    """
    text = _git(folder, "log", "--oneline", "--no-decorate", f"{old}..{new}")
    lines = text.splitlines() if text else []
    rest = len(lines) - most
    return lines[:most] + ([f"... and {rest} more"] if rest > 0 else [])


def _resolved(folder: Path, revision: str) -> str | None:
    if _ID.fullmatch(revision):
        return revision
    found = _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    return found.strip() if found else None


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_GIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
