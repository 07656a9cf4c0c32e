# SPDX-License-Identifier: Apache-2.0
"""The folder of one run: everything somebody needs to understand it afterwards."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from harness.errors import NoSpace, StoreError, UsageError
from harness.resources import absolute, cache_dir

_NO_SPACE = {"ENOSPC", "EDQUOT"}
# Everything that a run may leave in its folder.
EVIDENCE = (
    *("run.json", "command.txt", "uart.log", "shell.log", "qemu.stderr", "events.json", "tsm.log"),
    "tsm2.log",
    *("events.jsonl", "conformance.calls"),
    *("interrupts.log", "interrupts-by-hand.log", "forensics.txt", "registers.txt"),
    *("initrd.cpio", "initrd-added.cpio", "machine.dtb", "audit.json", "audit_host.bin"),
    *("uart.txt", "shell.txt", "consoles.txt"),
    *("images.json", "gdb.sock", "config.yaml", "guest-console.log", "kvm-console.log"),
)
# Runs without a name of the user's: this many of the newest stay, and failed ones for two weeks.
_KEEP_RUNS = 50
_KEEP_FAILED_S = 14 * 86400
# One start removes at most this many, so that none of them is slow.
_PRUNE_AT_ONCE = 5
_RUN_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class RunDir:
    """A folder that keeps the evidence of one run.

    `lock` is an open descriptor that says, as long as this process lives, that the folder is in
    use; None where nobody else can know the folder. A machine of a `stopped` run waits for a
    debugger before its first instruction.
    """

    path: Path
    lock: int | None = None
    stopped: bool = False

    def file(self, name: str) -> Path:
        """Return the path of an evidence file."""
        return self.path / name

    def write(self, name: str, content: str | bytes) -> Path:
        """Write an evidence file and return its path.

        Raises:
            StoreError, NoSpace: it cannot be written.
        """
        path = self.path / name
        data = content.encode() if isinstance(content, str) else content
        try:
            path.write_bytes(data)
        except OSError as error:
            raise _storage_error(path, error) from error
        return path

    def copy(self, name: str, base: Path, more: bytes) -> Path:
        """Write a copy of a large file with `more` behind it, and return its path.

        The kernel copies it: through this process it takes four times as long.

        Raises:
            StoreError, NoSpace: it cannot be written.
        """
        path = self.path / name
        try:
            shutil.copyfile(base, path)
            with path.open("ab") as copy:
                copy.write(more)
        except OSError as error:
            raise _storage_error(path, error) from error
        return path

    def drop(self, name: str) -> None:
        """Remove an evidence file that is not needed any more."""
        with contextlib.suppress(OSError):
            self.file(name).unlink()

    def write_json(self, name: str, value: object) -> Path:
        """Write an evidence file in JSON and return its path."""
        # gdb's own Python reads runs too, and it has no msgspec.
        import msgspec

        # What json indents it also encodes in Python, ten times slower.
        return self.write(name, msgspec.json.format(json.dumps(value), indent=2) + "\n")


def new_run(path: Path | None = None, *, tidy: bool = True) -> RunDir:
    """Make the folder of a new run; `latest` beside it points at it.

    Args:
        path: folder to use, in which evidence of an earlier run is removed; None makes
            `runs/<timestamp>-<id>` in the cache, where old runs are removed.
        tidy: remove them now; otherwise `tidy_beside` does, when there is time.

    Raises:
        UsageError: `path` is no folder, or another run uses it.
        StoreError: it cannot be written.
    """
    if path is not None:
        folder = _made(absolute(path))
        run = RunDir(folder, _locked(folder))
        for name in EVIDENCE:
            run.drop(name)
        return run
    runs = cache_dir() / "runs"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = _made(runs / f"{stamp}-{os.urandom(3).hex()}")
    run = RunDir(folder, _locked(folder))
    point_latest(folder)
    if tidy:
        tidy_beside(run)
    return run


def tidy_beside(run: RunDir) -> None:
    """Remove old runs of the cache, where the run is one of the cache's."""
    runs = cache_dir() / "runs"
    if run.path.parent == runs:
        prune(runs, time.time())


def _locked(folder: Path) -> int:
    """Lock a folder, without a file that would have to be told from evidence."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"another run uses {folder} at this moment", "give each run a --run-dir of its own"
        ) from None
    return handle


def is_used(folder: Path) -> bool:
    """Tell whether a run goes on in a folder."""
    try:
        os.close(_locked(folder))
    except (OSError, UsageError):
        return True
    return False


def prune(runs: Path, now: float) -> None:
    """Remove a few of the oldest runs: beyond the newest 50, unless failed in the last 14 days.

    Args:
        runs: their folder; what does not look like a run stays.
        now: seconds since the epoch.
    """
    old = sorted(run for run in runs.iterdir() if _RUN_NAME.fullmatch(run.name))[:-_KEEP_RUNS]
    doomed = (run for run in old if not _is_kept(run, now))
    for run in islice(doomed, _PRUNE_AT_ONCE):
        shutil.rmtree(run, ignore_errors=True)


def _is_kept(run: Path, now: float) -> bool:
    """Tell whether an old run goes on or failed not long ago; one never judged did not."""
    if is_used(run):
        return True
    try:
        with (run / "run.json").open("rb") as report:
            head = report.read(64)
            age = now - os.fstat(report.fileno()).st_mtime
    except OSError:
        return False
    return age < _KEEP_FAILED_S and b'"verdict": "PASS"' not in head


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{path} cannot be a folder: a file is there", _remedy(path)) from error
    except OSError as error:
        raise _storage_error(path, error) from error
    return path


def point_latest(folder: Path) -> None:
    """Let `latest` in the cache be a run's folder there; one of the user's own is not."""
    runs = cache_dir() / "runs"
    if not folder.is_relative_to(runs) or not folder.is_dir():
        return
    # The link is replaced in one step: two runs may end up here at the same time.
    fresh = runs / f".latest-{os.urandom(3).hex()}"
    with contextlib.suppress(OSError):
        fresh.symlink_to(folder.relative_to(runs))
        fresh.replace(runs / "latest")


def _storage_error(path: Path, error: OSError) -> StoreError:
    if errno.errorcode.get(error.errno or 0) in _NO_SPACE:
        return NoSpace(f"no space left to write {path}", f"free some, or {_remedy(path)}")
    return StoreError(f"cannot write {path}: {error.strerror}", _remedy(path))


def _remedy(path: Path) -> str:
    """Say which setting led to a folder that will not do."""
    if path.is_relative_to(cache_dir()):
        return "choose another folder for the cache with TEECALL_CACHE=DIR, or use --run-dir"
    return "give another folder with --run-dir"
