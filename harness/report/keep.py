# SPDX-License-Identifier: Apache-2.0
"""Keeps the record of each run: in its own folder, and in the history of all runs."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__
from harness.errors import CallerError, StoreError, TeecallError
from harness.report.record import (
    EVENTS_FILE,
    VERSION,
    BeginRecord,
    EndRecord,
    Record,
    RunRecord,
    encode,
)

# Options that say how a run is shown, kept or counted, and not what is run; with their values.
_NOT_REPEATED = {"--run-dir": 1, "--json": 1, "--seed": 1, "--repeat": 1, "--jobs": 1, "-j": 1}
_NOT_REPEATED |= {"--scheduler": 1, "--until-fail": 0, "-q": 0, "--quiet": 0}


def keep_run(run: RunRecord, folder: Path, origin: str = "teecall") -> str | None:
    """Write the record of a single run; return what kept the history from taking it, if anything.

    Args:
        run: that has ended.
        folder: its evidence.
        origin: who has made it.
    """
    problem = write_events(folder, (run,), run.exit_code, run.duration_s)
    return add_to_history(folder.name, (run,), origin) or problem


def write_events(
    folder: Path, runs: Sequence[RunRecord], exit_code: int, seconds: float
) -> str | None:
    """Write `events.jsonl` of runs that were not a night; return what is wrong, if anything."""
    now = _now()
    begin = BeginRecord(
        dt=runs[0].started if runs else now,
        version=VERSION,
        night=folder.name,
        command=shlex.join(["teecall", *sys.argv[1:]]),
        teecall={"version": __version__},
        node=platform.node(),
        cpus=os.cpu_count() or 0,
        planned=len(runs),
    )
    end = EndRecord(dt=now, exit_code=exit_code, duration_s=round(seconds, 4))
    lines: list[Record] = [begin, *runs, end]
    try:
        (folder / EVENTS_FILE).write_bytes(b"".join(map(encode, lines)))
    except OSError as error:
        return f"{folder / EVENTS_FILE} cannot be written: {error.strerror}"
    return None


def add_to_history(night: str, runs: Sequence[RunRecord], origin: str) -> str | None:
    """Add runs to the user's history; return what kept it from taking them, if anything.

    What a run has come to does not depend on it, so an error is told and not raised.
    """
    from harness.report.history import open_history

    try:
        with open_history() as history:
            history.add(night, runs, origin)
    except TeecallError as error:
        return error.message
    return None


def compared(run: RunRecord, folders: dict[str, Path]) -> list[str]:
    """Return what has changed since the run passed for the last time, and when it first failed so.

    Args:
        run: that failed.
        folders: of the sources in git work trees, by component.
    """
    from harness.report.history import open_history
    from harness.report.since import moment, since_last_pass

    try:
        with open_history() as history:
            seen = history.first_seen(run.signature) if run.signature else None
            lines = since_last_pass(run, history, folders)
            return lines + ([f"first seen: {moment(seen)} in {seen.evidence}"] if seen else [])
    except (StoreError, CallerError) as error:
        return [f"since the last pass: unknown, {error.message}"]


def repeat_command(arguments: Sequence[str], seed: str) -> str:
    """Return the command line that makes one run again with the same secrets and nonces.

    Args:
        arguments: of the `teecall` that has made it.
        seed: hexadecimal; empty when the run had none.
    """
    words, skip = [], 0
    for word in arguments:
        if skip:
            skip -= 1
            continue
        name, is_joined, _ = word.partition("=")
        if name in _NOT_REPEATED:
            skip = 0 if is_joined else _NOT_REPEATED[name]
            continue
        words.append(word)
    return shlex.join(["teecall", *words, *(["--seed", seed] if seed else [])])


def ending(run: RunRecord, folders: dict[str, Path], seed: str) -> list[str]:
    """Return the last lines about a run that failed: what changed, how to repeat, how to debug."""
    arguments = shlex.split(run.command)[1:] if run.command else []
    lines = compared(run, folders)
    if arguments:
        lines.append(f"repeat: {repeat_command(arguments, seed)}")
    if run.evidence and run.artefacts:
        lines.append(f"debug: teecall gdb {shlex.quote(run.evidence)}")
    return lines


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
