# SPDX-License-Identifier: Apache-2.0
"""Everything the firmware has recorded about a run, read from the machine's memory at once."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.machine.ram import RAM_BASE
from harness.machine.symbols import ElfSymbols
from harness.trace.ring import TIMEBASE_HZ, Event, Memory, Ring, merge, read_rings
from harness.trace.tsm import TsmStats, read_log, read_stats

if TYPE_CHECKING:
    # gdb's Python, which lacks what a build needs, imports this module too.
    from collections.abc import Iterator

    from harness.build.artefacts import Artefacts


# Of the TSMs' events, by SDID.
_WRITERS = ("tsm", "tsm2")


@dataclass(frozen=True, slots=True)
class Trace:
    """The event rings of all harts; the TSM's log and counts.

    `problems` says what could not be read: a dead machine may have damaged it. `second_log` is that
    of the second domain's TSM, None without one.
    """

    rings: tuple[Ring, ...]
    problems: tuple[str, ...]
    log: str = ""
    stats: TsmStats | None = None
    second_log: str | None = None

    @property
    def events(self) -> list[Event]:
        """The events of all harts, merged."""
        return merge(*(ring.events for ring in self.rings))

    @property
    def lost(self) -> int:
        """Number of events that the rings have overwritten."""
        return sum(ring.lost for ring in self.rings)

    def as_json(self) -> str:
        """Return the content of `events.json`: one ring and one event a line."""
        # gdb's own Python reads records too, and it has no msgspec.
        import msgspec

        facts = {"timebase_hz": TIMEBASE_HZ, "lost": self.lost, "problems": self.problems}
        rings = ",\n".join(json.dumps(ring.as_json()) for ring in self.rings)
        # There are thousands: this encoder takes a tenth of the time.
        encode = msgspec.json.Encoder().encode
        events = b",\n".join(encode(event.as_json()) for event in self.events).decode()
        head = json.dumps(facts)[:-1]
        return f'{head}, "rings": [\n{rings}\n], "events": [\n{events}\n]}}\n'


class Recorder:
    """Knows where the firmware of one build records, and reads it.

    Args:
        artefacts: the build.
        harts: number of harts.
    """

    def __init__(self, artefacts: Artefacts, harts: int) -> None:
        self._harts = harts
        self._firmware = ElfSymbols(artefacts.opensbi_elf, runs_at=RAM_BASE)
        self._tsms = [ElfSymbols(path) for path in artefacts.tsm_elfs]

    def prepare(self) -> None:
        """Read the symbol tables now, while there is time; a symbol that lacks shows later."""
        with contextlib.suppress(ConfigError):
            self._firmware.object("tsmd_rings")
            for tsm in self._tsms:
                tsm.object("tsm_rings")

    def rings(self, memory: Memory) -> list[Ring]:
        """Return the event rings of all harts, without those that a TSM does not keep."""
        return [
            *read_rings(memory, self._firmware, "tsmd", self._harts),
            *(ring for rings in self._tsm_rings(memory) for ring in rings),
        ]

    def _tsm_rings(self, memory: Memory) -> Iterator[list[Ring]]:
        for sdid, (tsm, writer) in enumerate(zip(self._tsms, _WRITERS, strict=False), 1):
            if self.keeps_records(sdid):
                yield read_rings(memory, tsm, writer, self._harts, "tsm_rings")

    def keeps_records(self, sdid: int = 1) -> bool:
        """Tell whether the TSM of a domain has event rings and counts: not every one needs to."""
        try:
            for name in ("tsm_rings", "tsm_stats"):
                self._tsms[sdid - 1].object(name)
        except ConfigError:
            return False
        return True

    def stats(self, memory: Memory, sdid: int = 1) -> TsmStats:
        """Return what the TSM of a domain counts."""
        return read_stats(memory, self._tsms[sdid - 1])

    def trace(self, memory: Memory) -> Trace:
        """Return all there is; what cannot be read becomes a problem, not an error."""
        problems: list[str] = []
        rings: list[Ring] = []
        log, stats = "", None
        writers = [(self._firmware, "tsmd", "tsmd_rings")]
        writers += [
            (tsm, writer, "tsm_rings") for tsm, writer in zip(self._tsms, _WRITERS, strict=False)
        ]
        for symbols, writer, name in writers:
            try:
                rings += read_rings(memory, symbols, writer, self._harts, name)
            except (ValueError, ConfigError) as error:
                problems.append(str(error))
        second_log = None
        try:
            log = read_log(memory, self._tsms[0])
            stats = read_stats(memory, self._tsms[0])
            if len(self._tsms) > 1:
                second_log = read_log(memory, self._tsms[1])
        except (ValueError, ConfigError) as error:
            problems.append(str(error))
        return Trace(tuple(rings), tuple(problems), log, stats, second_log)


def read_trace(memory: Memory, artefacts: Artefacts, harts: int) -> Trace:
    """Read everything that the firmware of this build has recorded."""
    return Recorder(artefacts, harts).trace(memory)
