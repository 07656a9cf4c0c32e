# SPDX-License-Identifier: Apache-2.0
"""Debian packages through apt with a private state folder.

No root is needed and the system's own lists are not touched: lists, cache and status live in
teecall's cache. The mirror is the system's; signatures are checked with the system's keyring.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from harness.errors import SourceError, ToolMissing
from harness.files import locked, no_space, require_space, write_atomic
from harness.sources import mirror
from harness.sources.spec import Kind, Spec

SUITES = ("trixie", "sid")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The lists of both suites, or the largest package.
_SPACE = 400 << 20
_TIMEOUT_S = 900
_RETRY_AFTER_S = (2.0, 5.0, 10.0)
_UNKNOWN = re.compile(
    r"Version '.*' for '.*' was not found|Unable to locate package|Unable to find a source package"
    r"|Can not find version|No packages found|404 +Not Found"
)
_UPDATE_REMEDY = "check the network, or name a source of your own with --set COMPONENT.source=..."


class UnknownVersion(SourceError):
    """The mirror does not have this package in this version."""


class Apt:
    """apt with its own lists.

    Args:
        state: the private folder.
        note: called with what the user should know, such as a retry.
        run: runs a command; tests give their own.
    """

    def __init__(
        self,
        state: Path,
        note: Callable[[str], None],
        run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run,
    ) -> None:
        self._state = state
        self._note = note
        self._run_command = run
        self._updated = False
        self._mutex = threading.Lock()

    @cached_property
    def _mirror(self) -> mirror.Mirror:
        if shutil.which("apt-get") is None:
            raise ToolMissing("apt-get is not installed", "this origin needs a Debian system")
        return mirror.required()

    def fetch(self, spec: Spec, into: Path) -> Path:
        """Download one package in exactly the version named, and return its file.

        Raises:
            UnknownVersion: the mirror has no such version.
            SourceError: the mirror cannot be reached or serves damaged data.
        """
        self._prepare()
        try:
            return self._download(spec, into)
        except UnknownVersion:
            # The lists may be older than the version.
            if self._updated:
                raise
            self.update()
            return self._download(spec, into)

    def newest(self, spec: Spec, series: str) -> str | None:
        """Return the newest version of a series ("6.12"), of the first suite that has one."""
        self._prepare()
        self.update()
        listing = self._run(["apt-cache", "madison", *self._names(spec, series)]).splitlines()
        wanted = "Sources" if spec.is_source_package else "Packages"
        rows = [[cell.strip() for cell in line.split("|")] for line in listing]
        for suite in SUITES:
            versions = [
                row[1]
                for row in rows
                if len(row) == 3
                and row[2].endswith(wanted)
                and f" {suite}/" in row[2]
                and in_series(row[1], series)
            ]
            if versions:
                # madison lists the newest first.
                return versions[0]
        return None

    def in_pool(self, spec: Spec) -> Spec:
        """Return where the mirror has a package's file, found in the mirror's index.

        Raises:
            UnknownVersion: the mirror has no such version.
            SourceError: the index names no file on the mirror.
        """
        self._prepare()
        printed = self._run([*_command(spec), "--print-uris", f"{spec.package}={spec.detail}"])
        found = re.search(rf"'{re.escape(self._mirror.uri.rstrip('/'))}/pool/([^']+)'", printed)
        if found is None:
            raise SourceError(f"{spec}: the mirror's index names no file of it", _UPDATE_REMEDY)
        return Spec(Kind.POOL, unquote(found[1]))

    def dependencies(self, package: str) -> list[Spec]:
        """Return a package of the first suite and all it depends on, as apt resolves it.

        Raises:
            SourceError: the mirror has no such package.
        """
        self._prepare()
        plan = ["--simulate", "--no-install-recommends", "-t", SUITES[0], "install", package]
        # Inst NAME (VERSION SUITE [ARCHITECTURE])
        found = re.findall(
            r"^Inst (\S+) \((\S+) ", self._run(["apt-get", "-q", *plan]), re.MULTILINE
        )
        return [Spec(Kind.APT, name, version) for name, version in found]

    def _names(self, spec: Spec, series: str) -> list[str]:
        """Return a package's name; those of its series, newest first, when it has a version."""
        name = spec.package
        version = upstream(spec.detail)
        if version not in name:
            return [name]
        head, _, tail = name.partition(version)
        shape = re.compile(rf"{re.escape(head)}([\d.]+){re.escape(tail)}")
        listed = self._run(["apt-cache", "pkgnames", head + series]).split()
        found = [match for match in map(shape.fullmatch, listed) if match]
        found.sort(key=lambda match: [int(part) for part in match[1].split(".")], reverse=True)
        return [match[0] for match in found] or [name]

    def update(self) -> None:
        """Renew the private lists, once in a process."""
        with self._mutex:
            if not self._updated:
                with locked(self._state / "update.lock"):
                    self._renew()
            self._updated = True

    def _renew(self) -> None:
        """Fetch the lists; when those of one suite cannot be had, the other's are enough."""
        try:
            self._run(["apt-get", "-q", "update"])
        except SourceError as error:
            if not any((self._state / "lists").glob("*_Packages*")):
                raise
            why = error.details[0] if error.details else error.message
            self._note(f"{why}; what the lists here have is used")

    def _fill_lists(self) -> None:
        """Fetch the lists unless they are here, by this process or another."""
        with self._mutex, locked(self._state / "update.lock"):
            if not any((self._state / "lists").glob("*_InRelease")):
                self._renew()
                self._updated = True

    def _prepare(self) -> None:
        for folder in ("etc", "lists/partial", "cache/archives/partial"):
            (self._state / folder).mkdir(parents=True, exist_ok=True)
        (self._state / "status").touch()
        content = self._sources()
        file = self._state / "etc/teecall.sources"
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            write_atomic(file, content)
        self._fill_lists()

    def _sources(self) -> str:
        keyring = str(_KEYRING) if _KEYRING.exists() else self._mirror.signed_by
        if not keyring:
            raise ToolMissing(
                "Debian's archive keyring is not installed",
                "apt-get install debian-archive-keyring",
            )
        return (
            f"Types: deb deb-src\nURIs: {self._mirror.uri}\nSuites: {' '.join(SUITES)}\n"
            f"Components: main\nTargets: Packages Sources\nSigned-By: {keyring}\n"
        )

    def _download(self, spec: Spec, into: Path) -> Path:
        self._run([*_command(spec), f"{spec.package}={spec.detail}"], into)
        files = [path for path in into.iterdir() if path.is_file()]
        if len(files) != 1:
            found = ", ".join(path.name for path in files) or "nothing"
            raise SourceError(f"{spec}: expected one file, apt downloaded {found}")
        return files[0]

    def _options(self) -> list[str]:
        state = self._state
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": state / "etc",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State::Lists": state / "lists",
            "Dir::State::status": state / "status",
            "Dir::Cache": state / "cache",
            # Several processes read the lists at once; none may rewrite a shared index.
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "APT::Architecture": "riscv64",
            "APT::Architectures": "riscv64",
            "APT::Sandbox::User": "root",
            "APT::Default-Release": "",
            "APT::Get::Only-Source": "true",
            "Acquire::Languages": "none",
            # A mirror that lags behind serves an expired Release file. The signature is still
            # checked, and what is downloaded is pinned by its content.
            "Acquire::Check-Valid-Until": "false",
        }
        return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]

    def _run(self, command: Sequence[str], cwd: Path | None = None) -> str:
        """Run an apt command; a fault of the mirror that passes is tried again."""
        full = [command[0], *self._options(), *command[1:]]
        environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        require_space(self._state, _SPACE)
        for wait in (*_RETRY_AFTER_S, None):
            result = self._attempt(full, cwd, environment)
            if result.returncode == 0 and "Failed to fetch" not in result.stderr:
                return result.stdout
            if _UNKNOWN.search(result.stderr + result.stdout):
                raise UnknownVersion(f"the mirror does not have {command[-1]}", _UPDATE_REMEDY)
            if "No space left" in result.stderr or "enough free space" in result.stderr:
                raise no_space(self._state)
            if wait is not None:
                self._note(f"{' '.join(command[:3])}: {_first(result.stderr)}; again in {wait:g} s")
                time.sleep(wait)
        raise SourceError(
            f"{' '.join(command)}: apt failed",
            _UPDATE_REMEDY,
            details=result.stderr.strip().splitlines()[:4],
        )

    def _attempt(
        self, command: Sequence[str], cwd: Path | None, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        try:
            return self._run_command(
                command,
                cwd=cwd,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 1, "", f"E: no end after {_TIMEOUT_S} s")


def _command(spec: Spec) -> list[str]:
    """Return the command that downloads a package's file."""
    if spec.is_source_package:
        return ["apt-get", "-q", "source", "--tar-only", "--download-only"]
    return ["apt-get", "-q", "download"]


def _first(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(("E:", "W:"))]
    return lines[0] if lines else "failed"


def upstream(version: str) -> str:
    """Return the upstream part of a Debian version: "1.37.0" of "1:1.37.0-6+b9"."""
    return version.rpartition(":")[2].partition("-")[0]


def with_version(spec: Spec, version: str) -> Spec:
    """Return a package in another version, which its name may have too."""
    name = spec.location.replace(upstream(spec.detail), upstream(version))
    return replace(spec, location=name, detail=version)


def in_series(version: str, series: str) -> bool:
    """Tell whether a Debian version ("1:1.37.0-6+b9") belongs to a series ("1.37")."""
    upstream = version.partition(":")[2] or version
    return upstream == series or re.match(rf"{re.escape(series)}[.+~-]", upstream) is not None
