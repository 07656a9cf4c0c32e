# SPDX-License-Identifier: Apache-2.0
"""Whether two runs of the same machine did the same: events, instructions, consoles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from harness.errors import UsageError
from harness.trace.ring import Event
from harness.trace.saved import load_trace

# What a machine says, byte for byte.
_CONSOLES = ("uart.log", "tsm.log")
# What a scenario has read from its memory, where it has: every CSR of every crossing.
_MORE = ("audit.json",)


def read_run(folder: Path) -> dict[str, object]:
    """Return run.json of a run.

    Raises:
        UsageError: the folder has none, or it is not one of teecall's.
    """
    path = folder / "run.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", "name the folder of a run that has ended"
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is damaged: {error}", "name another run") from error
    if not isinstance(found, dict) or not {"scenario", "seed", "config"} <= set(found):
        raise UsageError(f"{path} names no scenario", "it is of an older teecall: run it again")
    return found


def differences(old: Path, new: Path) -> list[str]:
    """Return where two runs part, the first difference of each record; nothing when nowhere.

    Args:
        old: folder of a run.
        new: folder of the run that repeated it.
    """
    names = [*_CONSOLES, *(name for name in _MORE if (old / name).exists())]
    found = [_first_event(old, new), *(_first_byte(old, new, name) for name in names)]
    return [line for line in found if line]


def changed_versions(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """Return a line for each thing that was of another version, from two run.json."""
    was, now = old.get("versions"), new.get("versions")
    if not isinstance(was, dict) or not isinstance(now, dict):
        return []
    names = sorted({*was, *now})
    return [
        f"{name} was {was.get(name, 'absent')}, is {now.get(name, 'absent')}"
        for name in names
        if was.get(name) != now.get(name)
    ]


def totals(folder: Path) -> str:
    """Return in words how much of a run was compared."""
    events = load_trace(folder).events
    instructions = max((event.instret for event in events), default=0)
    size = sum((folder / name).stat().st_size for name in _CONSOLES)
    return f"{len(events)} events, {instructions} instructions to the last, {size} bytes"


def _first_event(old: Path, new: Path) -> str:
    pairs = zip_longest(_events(old), _events(new))
    for number, (was, now) in enumerate(pairs):
        if was != now:
            return f"event {number}: was {_shown(was)}; is {_shown(now)}"
    return ""


def _events(folder: Path) -> list[Event]:
    """Return the events in the order of time, so that the first difference is the cause."""
    events = load_trace(folder).events
    return sorted(events, key=lambda event: (event.time, event.instret, event.hart))


def _shown(event: Event | None) -> str:
    if event is None:
        return "none"
    return (
        f"{event.name} on hart {event.hart} at time {event.time}, instruction {event.instret},"
        f" eid {event.eid:#x} fid {event.fid:#x} error {event.error}"
        f" value {event.value:#x} aux {event.aux:#x}"
    )


def _first_byte(old: Path, new: Path, name: str) -> str:
    was, now = (_content(folder / name) for folder in (old, new))
    if was == now:
        return ""
    at = next(
        (index for index, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]),
        min(len(was), len(now)),
    )
    line = was[:at].count(b"\n") + 1
    return f"{name} line {line}: was {_line(was, at)!r}; is {_line(now, at)!r}"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "the run has not come to its end") from error


def _line(data: bytes, at: int) -> str:
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    return data[start : end if end >= 0 else len(data)].decode(errors="replace").strip()
