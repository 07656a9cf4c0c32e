# SPDX-License-Identifier: Apache-2.0
"""Reads back what a run has left in `events.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness import abi
from harness.errors import UsageError
from harness.resources import cache_dir
from harness.trace.record import Trace
from harness.trace.ring import Event, Ring

EVENTS = "events.json"
_KIND = "KIND_"


def run_folder(run: str | None) -> Path:
    """Return the folder of a run.

    Args:
        run: a folder, or the name of one in the cache; None stands for the latest.

    Raises:
        UsageError: there is no such run.
    """
    runs = cache_dir() / "runs"
    places = [runs / "latest"] if run is None else [Path(run), runs / run]
    for place in places:
        if place.is_dir():
            return place.resolve()
    raise UsageError(
        f"no run '{run}'" if run else "there is no run yet", "name a run's folder, or run one first"
    )


def load_trace(folder: Path) -> Trace:
    """Return the event rings that a run has left in its folder.

    Raises:
        UsageError: it has left none, or the file is none of teecall's.
    """
    path = folder / EVENTS
    try:
        return parse_trace(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", "a run that never booted leaves no events"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not what this teecall writes: {type(error).__name__} {error}",
            "repeat the run",
        ) from error


def parse_trace(text: str) -> Trace:
    """Do what `load_trace` does with the content of `events.json`.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    saved = json.loads(text)
    events = [_event(each) for each in saved["events"]]
    rings = tuple(
        Ring(
            tuple(one for one in events if _belongs(one, each)),
            str(each["writer"]),
            int(each["hart"]),
            int(each["capacity"]),
            int(each["head"]),
        )
        for each in saved["rings"]
    )
    if sum(len(ring.events) for ring in rings) != len(events):
        raise ValueError("events of a ring that it does not have")
    return Trace(rings, tuple(saved["problems"]))


def _belongs(event: Event, ring: Mapping[str, object]) -> bool:
    return event.writer == ring["writer"] and event.hart == ring["hart"]


def _event(saved: Mapping[str, object]) -> Event:
    def number(key: str) -> int:
        value = saved[key]
        return int(value, 16) if isinstance(value, str) else int(str(value))

    return Event(
        writer=str(saved["writer"]),
        hart=number("hart"),
        time=number("time"),
        instret=number("instret"),
        kind=_kind(str(saved["kind"])),
        sdid=number("sdid"),
        eid=number("eid"),
        fid=number("fid"),
        error=number("error"),
        value=number("value"),
        aux=number("aux"),
    )


def _kind(name: str) -> int:
    if name.startswith(_KIND):
        return int(name.removeprefix(_KIND))
    return abi.Event[name].value
