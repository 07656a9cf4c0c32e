# SPDX-License-Identifier: Apache-2.0
"""Event rings of M-mode and the TSM, as firmware/abi/teecall.h lays them out."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from harness import abi
from harness.machine.symbols import Symbol

# CSR time of QEMU's virt machine.
TIMEBASE_HZ = 10_000_000
EVENT = struct.Struct("<QQHHIQQqQQ")
HEADER = struct.Struct("<QIIQ40x")
_NAMES = {kind.value: kind.name for kind in abi.Event}


class Memory(Protocol):
    """Physical memory that can be read."""

    def read(self, address: int, size: int) -> bytes:
        """Return `size` bytes at a physical address."""


class Symbols(Protocol):
    """Symbols of a running image, such as those of its ELF file."""

    def object(self, name: str) -> Symbol:
        """Return the object called `name` at the address where it is; ConfigError without."""


@dataclass(frozen=True, slots=True)
class Event:
    """One crossing of a domain or privilege border on one hart.

    `writer` is "tsmd" (M-mode), "tsm" or, in the second domain, "tsm2"; the other fields are those
    of struct tee_event.
    """

    writer: str
    hart: int
    time: int
    instret: int
    kind: int
    sdid: int
    eid: int
    fid: int
    error: int
    value: int
    aux: int

    @property
    def name(self) -> str:
        """Name of the kind."""
        return _NAMES.get(self.kind) or f"KIND_{self.kind}"

    @property
    def function(self) -> int:
        """The function id in `fid` (a6) without the SDID."""
        return self.fid & abi.A6_FID_MASK

    def is_call(self, eid: int, function: int) -> bool:
        """Tell whether the event belongs to a call of this function."""
        return self.eid == eid and self.function == function

    def as_json(self) -> dict[str, object]:
        """Return the event for `events.json`, addresses in hexadecimal."""
        return {
            "hart": self.hart,
            "writer": self.writer,
            "kind": self.name,
            "time": self.time,
            "instret": self.instret,
            "sdid": self.sdid,
            "eid": f"{self.eid:#x}",
            "fid": f"{self.fid:#x}",
            "error": self.error,
            "value": f"{self.value:#x}",
            "aux": f"{self.aux:#x}",
        }


@dataclass(frozen=True, slots=True)
class Ring:
    """The events that one writer has kept of one hart, oldest first.

    `capacity` is what it can keep, `head` how many were ever written.
    """

    events: tuple[Event, ...]
    writer: str
    hart: int
    capacity: int = 0
    head: int = 0

    @property
    def lost(self) -> int:
        """Number of events that later ones have overwritten."""
        return max(0, self.head - self.capacity)

    def as_json(self) -> dict[str, object]:
        """Return the ring's counts for `events.json`."""
        return {
            "writer": self.writer,
            "hart": self.hart,
            "capacity": self.capacity,
            "head": self.head,
            "lost": self.lost,
        }


def lost_events(rings: Iterable[Ring]) -> list[str]:
    """Return a line for each ring that has overwritten events."""
    return [
        f"{ring.writer} ring of hart {ring.hart}: the oldest {ring.lost} of {ring.head} events"
        f" are lost (it keeps {ring.capacity})"
        for ring in rings
        if ring.lost
    ]


def decode_ring(data: bytes, writer: str, hart: int = 0) -> Ring:
    """Decode a `struct tee_ring`; one that is not in use yet has no events.

    Args:
        data: the ring as it is in memory.
        writer: who writes it.
        hart: whose it is.

    Raises:
        ValueError: the ring has another version or is damaged.
    """
    magic, version, capacity, head = HEADER.unpack_from(data)
    if magic == 0:
        return Ring((), writer, hart)
    if magic != abi.RING_MAGIC or version != abi.ABI_VERSION:
        raise ValueError(f"event ring of {writer}: magic {magic:#x}, version {version}")
    room = (len(data) - HEADER.size) // EVENT.size
    if not 0 < capacity <= room:
        raise ValueError(f"event ring of {writer}: capacity {capacity}")
    first = max(0, head - capacity)
    offsets = (HEADER.size + (number % capacity) * EVENT.size for number in range(first, head))
    events = tuple(_event(data, offset, writer) for offset in offsets)
    return Ring(events, writer, hart, capacity, head)


def _event(data: bytes, offset: int, writer: str) -> Event:
    time, instret, kind, sdid, hart, eid, fid, error, value, aux = EVENT.unpack_from(data, offset)
    return Event(writer, hart, time, instret, kind, sdid, eid, fid, error, value, aux)


def merge(*rings: Iterable[Event]) -> list[Event]:
    """Return the events of all rings, hart by hart in the order in which they happened.

    A hart's own instret orders its events across the two writers; between harts it says nothing.
    """
    return sorted(
        (event for ring in rings for event in ring),
        key=lambda event: (event.hart, event.instret, event.time),
    )


def read_rings(
    memory: Memory, symbols: Symbols, writer: str, harts: int, name: str | None = None
) -> list[Ring]:
    """Read the rings of all harts that `writer` keeps in `<writer>_rings`, or as `name`."""
    symbol = symbols.object(name or f"{writer}_rings")
    size = symbol.size // abi.MAX_HARTS
    return [
        decode_ring(memory.read(symbol.address + hart * size, size), writer, hart)
        for hart in range(min(harts, abi.MAX_HARTS))
    ]
