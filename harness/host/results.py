# SPDX-License-Identifier: Apache-2.0
"""What the host's `tvm` tool answers, as values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness import abi

JsonObject = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tool printed: JSON objects, and lines for people (its errors) between them."""

    objects: tuple[JsonObject, ...]
    messages: tuple[str, ...]
    status: int = 0


def parse_answer(text: str, status: int = 0) -> Answer:
    """Sort the lines of the tool's output into JSON objects and messages."""
    objects: list[JsonObject] = []
    messages: list[str] = []
    for line in filter(str.strip, text.splitlines()):
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            objects.append(value)
        else:
            messages.append(line)
    return Answer(tuple(objects), tuple(messages), status)


def number(value: JsonObject, key: str) -> int:
    """Return the number under `key`; 0 when it is absent."""
    found = value.get(key, 0)
    return found if isinstance(found, int) else 0


def error_name(code: int) -> str:
    """Return the name of an SBI or CoVE error."""
    try:
        return abi.Error(code).name
    except ValueError:
        return str(code)


@dataclass(frozen=True, slots=True)
class CallResult:
    """A raw call: what came back in a0 and a1, and what it cost.

    `changed_gprs` has bit n set for each register xn that is not what it was before the call
    (a0 and a1 apart); `time` is in ticks, `instret` in instructions.
    """

    function: str
    error: int
    value: int
    scause: int
    stval: int
    changed_gprs: int
    time: int
    instret: int

    @property
    def ok(self) -> bool:
        """True when the call succeeded."""
        return self.error == 0

    @property
    def error_name(self) -> str:
        """Name of the error."""
        return error_name(self.error)

    @property
    def changed_names(self) -> list[str]:
        """Names of the registers that were changed."""
        return [name for bit, name in enumerate(REGISTERS) if self.changed_gprs >> bit & 1]

    @classmethod
    def from_json(cls, function: str, value: JsonObject) -> CallResult:
        """Take the tool's answer to `tvm call`."""
        keys = ("error", "value", "scause", "stval", "changed_gprs", "time", "instret")
        return cls(function, *(number(value, key) for key in keys))


REGISTERS = (
    *("zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"),
    *(f"a{index}" for index in range(8)),
    *(f"s{index}" for index in range(2, 12)),
    *("t3", "t4", "t5", "t6"),
)


@dataclass(frozen=True, slots=True)
class Access:
    """The host's attempt to read or write physical memory."""

    address: int
    write: bool
    fault: bool
    data: bytes = b""

    @classmethod
    def from_json(cls, value: JsonObject, *, write: bool) -> Access:
        """Take the tool's answer to `tvm peek` or `tvm poke`."""
        data = bytes.fromhex(str(value.get("data", "")))
        return cls(number(value, "addr"), write, bool(value.get("fault")), data)


@dataclass(frozen=True, slots=True)
class GuestRun:
    """What `tvm run` reported, event by event; `messages` are the tool's words for people."""

    events: tuple[JsonObject, ...]
    messages: tuple[str, ...]
    status: int

    def first(self, kind: str) -> JsonObject | None:
        """Return the first event of a kind, or None."""
        return next((event for event in self.events if event.get("event") == kind), None)

    @property
    def lines(self) -> list[str]:
        """What the guest printed, line by line."""
        return [str(event.get("text", "")) for event in self.all("console")]

    @property
    def pages(self) -> dict[int, int]:
        """Physical address of each measured page by guest physical address."""
        launch = self.first("launch") or {}
        return {number(page, "gpa"): number(page, "pa") for page in _objects(launch.get("pages"))}

    @property
    def pool(self) -> list[range]:
        """The converted ranges of physical memory."""
        launch = self.first("launch") or {}
        ranges = (
            (number(part, "base"), number(part, "pages")) for part in _objects(launch.get("pool"))
        )
        return [range(base, base + pages * 4096) for base, pages in ranges]

    @property
    def timed_out(self) -> bool:
        """True when the tool's time limit ended the guest."""
        return (self.first("exit") or {}).get("reason") == "limit"

    @property
    def error(self) -> str:
        """The first call that failed, in words; empty when none did."""
        for event in self.all("error"):
            name = error_name(number(event, "error"))
            return f"{event.get('call')} failed with {name}: {event.get('message', '')}".rstrip(
                ": "
            )
        return ""

    @property
    def trouble(self) -> str:
        """What kept the guest from ending well, in words; empty when nothing did."""
        if self.error:
            return self.error
        # The VMM with many vCPUs tells its end in an event of another name.
        end = self.first("exit") or self.first("vm")
        if end is not None and end.get("reason") != "shutdown":
            where = ", ".join(
                f"{key} {number(end, key):#x}" for key in ("scause", "stval", "htval") if key in end
            )
            return f"the guest ended by {end.get('reason')} ({where})"
        if end is None:
            said = "; ".join(self.messages) or "it did not say why"
            return f"the tvm tool failed (status {self.status}): {said}"
        return ""

    def all(self, kind: str) -> Iterable[JsonObject]:
        """Return the events of a kind."""
        return (event for event in self.events if event.get("event") == kind)


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
