# SPDX-License-Identifier: Apache-2.0
"""Makes calls by chance: a machine has one batch while the next is written and the last judged."""

from __future__ import annotations

from harness.conformance.bench import Bench
from harness.conformance.desk import Judged, Packed, Setting
from harness.conformance.judge import Divergence
from harness.conformance.scribe import Scribe, scribe
from harness.errors import MachineError

# Calls of a batch: what a difference has to be looked for in.
_BATCH = 10000


def run_by_chance(bench: Bench, setting: Setting, calls: int) -> Divergence | None:
    """Make so many calls, or a few more, and return the first difference.

    The machine has made one more batch by then; what that has left is in `bench.told` too.

    Args:
        bench: where they are made.
        setting: what decides which calls they are.
        calls: of the TSM and its driver; the host's own accesses come on top.

    Raises:
        MachineError: the machine has died, or hangs; with the last difference before, if any.
    """
    sizes = [min(_BATCH, calls - at) for at in range(0, calls, _BATCH)]
    with scribe(setting) as desk:
        return _Run(bench, desk, sizes).result()


class _Run:
    def __init__(self, bench: Bench, desk: Scribe, sizes: list[int]) -> None:
        self._bench, self._desk, self._sizes = bench, desk, sizes
        self._asked = self._unjudged = 0

    def result(self) -> Divergence | None:
        """Keep two batches ahead of the machine, and one that is judged behind it."""
        self._ask_next()
        self._ask_next()
        for _ in self._sizes:
            late = self._judged() if self._unjudged > 1 else None
            packed = self._desk.packed()
            if late is not None and late.found is not None:
                self._judged()
                return late.found
            self._make(packed)
        found = [self._judged().found for _ in range(self._unjudged)]
        return next((first for first in found if first is not None), None)

    def _ask_next(self) -> None:
        if self._asked < len(self._sizes):
            self._desk.ask("write", self._sizes[self._asked])
            self._asked += 1

    def _make(self, packed: Packed) -> None:
        try:
            text = self._bench.printed(packed.data, packed.lines)
        except MachineError as error:
            if self._unjudged:
                found = self._judged().found
                error.details += (f"before that, {found}",) if found is not None else ()
            raise
        self._desk.ask("judge", text)
        self._unjudged += 1
        self._ask_next()

    def _judged(self) -> Judged:
        judged = self._desk.judged()
        self._unjudged -= 1
        self._bench.told.add(judged.told)
        self._bench.scripts += judged.scripts
        return judged
