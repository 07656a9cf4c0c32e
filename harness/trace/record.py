# SPDX-License-Identifier: Apache-2.0
"""Everything the firmware has recorded about a run, read from the machine's memory at once."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

from harness.build.artefacts import Artefacts
from harness.errors import ConfigError
from harness.machine.ram import RAM_BASE
from harness.machine.symbols import ElfSymbols
from harness.trace.ring import Event, Memory, Ring, merge, read_rings
from harness.trace.tsm import TsmStats, read_log, read_stats


@dataclass(frozen=True, slots=True)
class Trace:
    """The event rings of all harts, merged; the TSM's log and counts.

    `problems` says what could not be read: a dead machine may have damaged it.
    """

    events: tuple[Event, ...]
    lost: int
    log: str
    stats: TsmStats | None
    problems: tuple[str, ...]

    def as_json(self) -> str:
        """Return the content of `events.json`: one event a line."""
        lines = ",\n".join(json.dumps(event.as_json()) for event in self.events)
        head = json.dumps({"lost": self.lost, "problems": self.problems})[:-1]
        return f'{head}, "events": [\n{lines}\n]}}\n'


class Recorder:
    """Knows where the firmware of one build records, and reads it.

    Args:
        artefacts: the build.
        harts: number of harts.
    """

    def __init__(self, artefacts: Artefacts, harts: int) -> None:
        self._harts = harts
        self._firmware = ElfSymbols(artefacts.opensbi_elf, runs_at=RAM_BASE)
        self._tsm = ElfSymbols(artefacts.tsm_elf)

    def prepare(self) -> None:
        """Read the symbol tables now, while there is time; a symbol that lacks shows later."""
        with contextlib.suppress(ConfigError):
            self._firmware.object("tsmd_rings")
            self._tsm.object("tsm_rings")

    def events(self, memory: Memory) -> list[Event]:
        """Return the events of all harts, merged."""
        return merge(*(ring.events for ring in self._rings(memory)))

    def stats(self, memory: Memory) -> TsmStats:
        """Return what the TSM counts."""
        return read_stats(memory, self._tsm)

    def trace(self, memory: Memory) -> Trace:
        """Return all there is; what cannot be read becomes a problem, not an error."""
        problems: list[str] = []
        rings: list[Ring] = []
        log, stats = "", None
        for symbols, writer in ((self._firmware, "tsmd"), (self._tsm, "tsm")):
            try:
                rings += read_rings(memory, symbols, writer, self._harts)
            except (ValueError, ConfigError) as error:
                problems.append(str(error))
        try:
            log = read_log(memory, self._tsm)
            stats = read_stats(memory, self._tsm)
        except (ValueError, ConfigError) as error:
            problems.append(str(error))
        events = merge(*(ring.events for ring in rings))
        lost = sum(ring.lost for ring in rings)
        return Trace(tuple(events), lost, log, stats, tuple(problems))

    def _rings(self, memory: Memory) -> list[Ring]:
        return [
            *read_rings(memory, self._firmware, "tsmd", self._harts),
            *read_rings(memory, self._tsm, "tsm", self._harts),
        ]


def read_trace(memory: Memory, artefacts: Artefacts, harts: int) -> Trace:
    """Read everything that the firmware of this build has recorded."""
    return Recorder(artefacts, harts).trace(memory)
