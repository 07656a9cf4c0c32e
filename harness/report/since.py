# SPDX-License-Identifier: Apache-2.0
"""What is not as it was when the same run passed for the last time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.report.commits import between
from harness.report.history import History, Past
from harness.report.record import RunRecord

# A version's key in the records that is a commit of a tree, and not a version by itself.
COMMIT_OF = " commit"
_TREE = re.compile(r"tree ([0-9a-f]{7,40})")
_MOST = 5
_KEY = 12


def since_last_pass(run: RunRecord, history: History, folders: Mapping[str, Path]) -> list[str]:
    """Return lines that say what has changed since a run passed.

    Args:
        run: that failed.
        history: of earlier runs.
        folders: of the sources in git work trees, by component.
    """
    started = datetime.fromisoformat(run.started).timestamp()
    past = history.last_pass(run.id, started)
    if past is not None:
        heading = f"since the last pass ({moment(past)}):"
    else:
        past = history.last_pass_of(run.scenario, started)
        if past is None:
            return [f"since the last pass: {run.scenario} has not passed here before"]
        of = f"{past.scenario} ({moment(past)})"
        heading = f"this configuration has not passed here; since the last pass of {of}:"
    found = list(differences(run, past, folders))
    if not found:
        return [f"{heading} nothing has changed in versions, configuration and artefacts"]
    return [heading, *(f"  {line}" for line in found)]


def differences(run: RunRecord, past: Past, folders: Mapping[str, Path]) -> Iterator[str]:
    """Give a line for each thing that differs from an earlier run."""
    told = set()
    for name in sorted(run.versions.keys() | past.versions.keys()):
        old, new = past.versions.get(name), run.versions.get(name)
        if _same(old, new):
            continue
        told.add(name.removesuffix(COMMIT_OF))
        if name.endswith(COMMIT_OF) and old and new:
            component = name.removesuffix(COMMIT_OF)
            yield f"{component}: commit {old[:_KEY]} -> {new[:_KEY]}"
            folder = folders.get(component)
            yield from (
                f"  {line}" for line in (between(folder, old, new, _MOST) if folder else ())
            )
        else:
            yield f"{name}: {old or 'none'} -> {new or 'none'}"
    before, after = _flat(past.settings), _flat(run.settings)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key}: {before.get(key)} -> {after.get(key)}"
    for name in sorted(run.artefacts.keys() & past.artefacts.keys()):
        old, new = past.artefacts[name], run.artefacts[name]
        if old != new and name not in told:
            yield f"{name}: built from other inputs ({old[:_KEY]} -> {new[:_KEY]})"


def _same(old: str | None, new: str | None) -> bool:
    """Tell whether versions are equal; of the same tree they are, wherever it lies."""
    if old is None or new is None:
        return old == new
    trees = _TREE.search(old), _TREE.search(new)
    if trees[0] and trees[1]:
        return trees[0][1] == trees[1][1]
    return old == new


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def moment(past: Past) -> str:
    """Return when an earlier run began, in local time."""
    started = datetime.fromtimestamp(past.started, UTC).astimezone()
    return started.strftime("%Y-%m-%d %H:%M")
