# SPDX-License-Identifier: Apache-2.0
"""The machine of the sweep: the payload's batches, one after the other, with their events."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from harness.abi import Event as Kind
from harness.config.schema import Config
from harness.errors import MachineError
from harness.machine.bare import wait_line
from harness.machine.deadline import scaled
from harness.machine.machine import Machine
from harness.scenarios.runner import CheckFailed
from harness.scenarios.sweep_checks import FENCES, Place, pending_at, place_of, problems
from harness.scenarios.sweep_memory import Arrival, Operation, Point, SweepMemory
from harness.trace.record import Recorder
from harness.trace.ring import Event, Ring, merge

_BATCH = b"sweep: batch"
_DONE = b"sweep: done"
_SHOWN = 12
# 100 ns a tick, 128 ns an instruction.
_TICK_NS, _INSTRUCTION_NS = 100, 128


def deterministic(
    config: Config, shift: int, console: Literal["port", "serial"] = "serial"
) -> Config:
    """Return the machine with time that follows from the instructions executed.

    Args:
        config: the machine.
        shift: an instruction takes 2**shift ns.
        console: how commands reach a host that takes any.
    """
    icount = ("-icount", f"shift={shift},sleep=off", "-seed", "1")
    extra = [*config.qemu.extra_args, *icount, "-rtc", "base=2026-01-01,clock=vm"]
    return msgspec.structs.replace(
        config,
        qemu=msgspec.structs.replace(config.qemu, extra_args=extra),
        console=msgspec.structs.replace(config.console, mode=console),
    )


@dataclass
class Tally:
    """What is known of the points so far.

    `places` has the distinct instructions at which the interrupt became pending, by who had the
    hart, what was done and what arrived; `outcomes` counts the calls that were interrupted.
    """

    places: dict[tuple[Operation, Arrival, Place], set[int]] = field(default_factory=dict)
    outcomes: Counter[tuple[Operation, Arrival]] = field(default_factory=Counter)
    points: int = 0
    wrong: list[str] = field(default_factory=list)
    _known: dict[tuple[int, int], Place] = field(default_factory=dict)

    def add(self, point: Point, events: list[Event]) -> None:
        """Judge a point and count it."""
        self.points += 1
        self.wrong += [f"{point.name}: {problem}" for problem in problems(point, events)]
        key = Operation(point.operation), Arrival(point.arrival)
        # Nothing of the TVM shows where a remote fence came. Up to then all is as with the IPI.
        at = point.operation, point.k
        place = self._known.get(at) if point.arrival in FENCES else None
        place = place or place_of(point, events)
        if point.arrival == Arrival.IPI:
            self._known[at] = place
        offset = (pending_at(point) - point.call) * _TICK_NS // _INSTRUCTION_NS
        self.places.setdefault((*key, place), set()).add(offset)
        self.outcomes[key] += any(
            event.kind == Kind.TEERET_INTERRUPTED
            or (event.kind == Kind.GUEST_EXIT and event.error < 0)
            for event in events
        )

    def distinct(self, *places: Place) -> int:
        """Return at how many instructions of an operation something arrived in some places."""
        found = self.places.items()
        return sum(len(offsets) for (_, _, place), offsets in found if place in places)

    def arrived(self, operation: Operation, arrival: Arrival) -> int:
        """Return at how many instructions of an operation, and around it, something arrived."""
        found = self.places.items()
        return sum(len(offsets) for key, offsets in found if key[:2] == (operation, arrival))

    def as_json(self) -> list[dict[str, object]]:
        """Return the counts as plain data."""
        return [
            {
                "operation": operation.name,
                "arrival": arrival.name,
                "pending_in": str(place),
                "instructions": len(offsets),
            }
            for (operation, arrival, place), offsets in self.places.items()
        ]


class Sweep:
    """Reads what the payload hands over, and lets it go on.

    Args:
        machine: runs the payload.
        memory: knows the payload.
        recorder: knows the firmware.

    `wrong` is set as soon as something was found: with such firmware the rest means nothing, and
    Linux may not get far.
    """

    def __init__(self, machine: Machine, memory: SweepMemory, recorder: Recorder) -> None:
        self._machine = machine
        self._memory = memory
        self._recorder = recorder
        self._position = 0
        self.wrong = False
        self._ready = False
        self._stats = ""
        self._done = False
        self._batch: list[tuple[Point, list[Event]]] = []

    def wait(self) -> bool:
        """Wait for a batch that was not read yet; False when there is none any more.

        Raises:
            CheckFailed: the payload says that something was refused.
            MachineCrash, MachineHang, DeadlineExceeded: it says nothing.
        """
        if self._done or self._ready:
            return self._ready
        machine = self._machine
        deadline = scaled("the sweep", machine.config.timeouts.stall_s)
        try:
            wait_line(machine, b"sweep: ", deadline, self._position)
            line = self._line()
        except MachineError as error:
            error.message += self._where()
            raise
        self._done = line.startswith(_DONE)
        if not self._done and not line.startswith(_BATCH):
            raise CheckFailed(line.decode(errors="replace"), "see uart.log")
        self._ready = not self._done
        return self._ready

    def _line(self) -> bytes:
        """Take the next line, which has begun."""
        deadline = scaled("the sweep", self._machine.config.timeouts.stall_s)
        wait_line(self._machine, b"\n", deadline, self._found())
        text = self._machine.uart.read(self._position)
        start = text.index(b"sweep: ")
        end = text.index(b"\n", start)
        self._position += end + 1
        return text[start:end].rstrip(b"\r")

    def _found(self) -> int:
        return self._position + self._machine.uart.read(self._position).index(b"sweep: ")

    def _where(self) -> str:
        points = self._memory.batch(self._machine.ram)
        return f"; the payload was behind {points[-2].name}" if len(points) > 1 else ""

    def points(self) -> list[tuple[Point, list[Event]]]:
        """Return the batch's points, each with the events of its call, and let the payload go on.

        Raises:
            CheckFailed: the TSM does not count what it counted before.
        """
        ram = self._machine.ram
        rings = self._recorder.rings(ram)
        found = list(_with_events(self._memory.batch(ram), rings, self._memory.hart(ram)))
        stats = str(self._recorder.stats(ram))
        if self._stats and stats != self._stats:
            raise CheckFailed(f"the TSM counted {self._stats} before, {stats} now", "see tsm.log")
        self._stats = stats
        self._ready = False
        self._memory.taken(ram)
        return found

    def _more(self, tally: Tally) -> bool:
        """Wait for a batch; what a refusal leaves of one says more than the refusal."""
        try:
            return self.wait()
        except CheckFailed:
            ram = self._machine.ram
            points = [point for point in self._memory.batch(ram) if point.end]
            rings, hart = self._recorder.rings(ram), self._memory.hart(ram)
            for point, events in _with_events(points, rings, hart):
                tally.add(point, events)
            _raise_wrong(tally)
            raise

    def take(self, arrivals: Iterable[Arrival]) -> Tally:
        """Judge points for as long as they are of these kinds.

        Args:
            arrivals: the kinds; the payload goes through them in their order.

        Raises:
            CheckFailed: something is wrong at one of them.
        """
        tally, kinds, self.wrong = Tally(), set(arrivals), True
        while self._batch or self._more(tally):
            self._batch = self._batch or self.points()
            if self._batch[0][0].arrival not in kinds:
                break
            for point, events in self._batch:
                tally.add(point, events)
            self._batch = []
            if len(tally.wrong) >= _SHOWN:
                break
        _raise_wrong(tally)
        self.wrong = False
        return tally


def _raise_wrong(tally: Tally) -> None:
    if tally.wrong:
        raise CheckFailed(
            f"{tally.wrong[0]} ({len(tally.wrong)} problems)", details=tally.wrong[:_SHOWN]
        )


def _with_events(
    points: list[Point], rings: list[Ring], hart: int
) -> Iterator[tuple[Point, list[Event]]]:
    """Yield each point with the events of its call, which `hart` made."""
    used = [ring for ring in rings if ring.hart == hart]
    events = merge(*(ring.events for ring in used))
    times = [event.time for event in events]
    oldest = max((ring.events[0].time for ring in used if ring.lost), default=0)
    for point in points:
        if point.start < oldest:
            raise CheckFailed(f"{point.name}: its events are overwritten", "make batches smaller")
        yield point, events[bisect_left(times, point.start) : bisect_right(times, point.end)]
