# SPDX-License-Identifier: Apache-2.0
"""The programs that teecall needs: found, their version, and how they are installed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ToolMissing
from harness.files import write_atomic

Version = tuple[int, ...]
_VERSION = re.compile(r"(\d+\.\d+(?:\.\d+)*)")
_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Tool:
    """A program.

    Args:
        program: its name on PATH.
        package: the Debian package that has it.
        purpose: what it is needed for.
        minimum: the oldest version that will do; empty when any will.
        version_args: how it tells its version.
        optional: whether only some uses need it.
    """

    program: str
    package: str
    purpose: str
    minimum: Version = ()
    version_args: tuple[str, ...] = ("--version",)
    optional: bool = False

    @property
    def install(self) -> str:
        """The command that installs it on Debian."""
        return f"apt-get install {self.package}"


QEMU = Tool("qemu-system-riscv64", "qemu-system-misc", "runs the machine", (9, 0))
TOOLS = (
    QEMU,
    Tool("riscv64-linux-gnu-gcc", "gcc-riscv64-linux-gnu", "builds firmware and kernel", (11, 0)),
    Tool("make", "make", "builds everything", (4, 0)),
    Tool("gcc", "gcc", "builds the kernel's own tools and the firmware's tests"),
    Tool("dtc", "device-tree-compiler", "compiles the device-tree overlay", (1, 6)),
    Tool("fdtoverlay", "device-tree-compiler", "merges the device-tree overlay", (1, 6)),
    Tool("bison", "bison", "builds the kernel's configuration"),
    Tool("flex", "flex", "builds the kernel's configuration"),
    Tool("bc", "bc", "builds the kernel"),
    Tool("awk", "mawk", "builds the tvm tool", (), ("-W", "version")),
    Tool("tar", "tar", "unpacks sources"),
    Tool("xz", "xz-utils", "unpacks sources"),
    Tool("bzip2", "bzip2", "unpacks sources"),
    Tool("git", "git", "git: sources", optional=True),
    Tool("apt-get", "apt", "Debian sources", optional=True),
    Tool("clang", "clang", "the firmware's fuzzers", optional=True),
    Tool("gdb-multiarch", "gdb-multiarch", "debugging a machine", optional=True),
)
BY_PROGRAM = {tool.program: tool for tool in TOOLS}


def parse_version(text: str) -> Version:
    """Return the first dotted number of a program's output; empty when there is none."""
    match = _VERSION.search(text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def shown(version: Version) -> str:
    """Return a version as people write it."""
    return ".".join(str(part) for part in version)


def version_line(program: str, arguments: tuple[str, ...] = ("--version",)) -> str:
    """Return the first line a program says about its version; empty when it says none."""
    try:
        return ask_version(program, arguments)
    except ToolMissing:
        return ""


def ask_version(program: str, arguments: tuple[str, ...] = ("--version",)) -> str:
    """Return the first line a program says about its version.

    Raises:
        ToolMissing: it cannot be run, fails, says nothing or does not end.
    """
    try:
        # A session of its own: a wrapper script that hangs is killed with its children.
        process = subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise _mute(program, f"it cannot be run ({error.strerror})") from error
    try:
        output = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise _mute(program, f"no answer in {_TIMEOUT_S} s") from error
    finally:
        _end(process)
    said = b"".join(output).decode(errors="replace")
    lines = [line for line in said.splitlines() if line]
    if process.returncode:
        raise _mute(program, f"exit status {process.returncode}")
    if not lines:
        raise _mute(program, "it says nothing")
    return lines[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    process.wait()


def _mute(program: str, why: str) -> ToolMissing:
    return ToolMissing(
        f"{program} does not tell its version: {why}", "try it by hand, or correct its path"
    )


def require(program: str, key: str = "") -> str:
    """Return the path of a program; `key` is what names it in the configuration.

    Raises:
        ToolMissing: it is not installed.
    """
    found = shutil.which(program)
    if found is None:
        raise _not_found(program, key)
    return found


def _not_found(program: str, key: str) -> ToolMissing:
    correct = f"correct {key}" if key else "correct its path"
    if Path(program).exists() and "/" in program:
        kind = "a folder" if Path(program).is_dir() else "not executable"
        return ToolMissing(f"{program} is {kind}", correct)
    if "/" in program:
        return ToolMissing(f"{program} is not there", correct)
    tool = BY_PROGRAM.get(program)
    how = f"{tool.install}, or run scripts/setup" if tool else f"install it, or {correct}"
    return ToolMissing(f"{program} is not installed", how)


class VersionCache:
    """Version lines of programs, asked again only when the program's file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, list[object]] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def line(self, program: str, key: str = "") -> str:
        """Return a program's version line; `key` is what names it in the configuration.

        Raises:
            ToolMissing: it is not installed, or does not tell its version.
        """
        path = Path(require(program, key)).resolve()
        status = path.stat()
        signature: list[object] = [status.st_size, status.st_mtime_ns]
        known = self._known.get(str(path))
        if known and known[:-1] == signature:
            return str(known[-1])
        line = ask_version(str(path))
        self._known[str(path)] = [*signature, line]
        write_atomic(self._path, json.dumps(self._known))
        return line
