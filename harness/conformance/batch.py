# SPDX-License-Identifier: Apache-2.0
"""Many scripts on their way to a machine and back: how they are packed, what is counted of them."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.conformance.calls import Answer, Call, script


def pack(calls: Sequence[Call]) -> bytes:
    """Return the calls as what `zcat | tvm batch` reads."""
    return gzip.compress(script(calls).encode(), 1)


@dataclass
class Told:
    """What a machine has answered so far.

    `calls` are those of the TSM and its driver in M-mode, `lines` the host's own accesses too.
    `counts` are answers by call and error, `ids` those of all TVMs that were created, `raced` the
    calls beside which another hart really wrote their parameters, as `host raced` tells.
    """

    calls: int = 0
    lines: int = 0
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    ids: set[int] = field(default_factory=set)
    raced: int = 0

    def take(self, calls: Sequence[Call], answers: Sequence[Answer]) -> None:
        """Count calls that were made; where the machine has died, some have no answer."""
        self.lines += len(calls)
        self.calls += sum(call.extension != "host" for call in calls)
        for call, answer in zip(calls, answers, strict=False):
            self.counts[f"{call.extension} {call.function}", answer.error] += 1
            if call.function == "create_tvm" and not answer.error:
                self.ids.add(answer.value)
            if call.extension == "host" and call.function == "raced":
                self.raced += answer.value

    def add(self, other: Told) -> None:
        """Count what was answered to others too."""
        self.calls += other.calls
        self.lines += other.lines
        self.counts.update(other.counts)
        self.ids |= other.ids
        self.raced += other.raced
