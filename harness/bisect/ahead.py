# SPDX-License-Identifier: Apache-2.0
"""Which commits will be tested after the trials that run: to build them meanwhile."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count as numbers

from harness.bisect.belief import Belief
from harness.bisect.choose import Known, choose
from harness.bisect.oracle import Outcome

# The tree of what may happen is followed to so many places for each commit asked for.
_PLACES = 4


def likely_next(
    belief: Belief, known: Known, count: int, running: Sequence[int], slots: int = 1
) -> list[int]:
    """Return nodes that are likely to be tested next, likeliest first.

    Args:
        belief: what is known now.
        known: what is known of the nodes; those it has tested have been built and are left out.
        count: how many nodes at most.
        running: the nodes of the trials whose outcome is awaited.
        slots: how many trials the search makes at once.

    The tree of all outcomes is followed from its likeliest place on; each place adds the
    commits that the search would test there.
    """
    serial = numbers()
    places = [(-1.0, next(serial), belief, known, tuple(running))]
    found: dict[int, None] = {}
    for _ in range(count * _PLACES + 2 ** len(running)):
        if not places or len(found) >= count:
            break
        chance, _, belief, known, waiting = heapq.heappop(places)
        if waiting:
            node, waiting = waiting[0], waiting[1:]
        else:
            chosen = choose(belief, known, slots)
            if not chosen:
                continue
            node, waiting = chosen[0], tuple(chosen[1:])
            new = (n for n in chosen if n not in known.tested and n not in running)
            found |= dict.fromkeys(new)
        fails = _failing(belief, node)
        known = Known(known.tested | {node}, known.skipped)
        for outcome, share in ((Outcome.BAD, fails), (Outcome.GOOD, 1 - fails)):
            if share > 0:
                after = belief.copy()
                after.observe(node, outcome)
                heapq.heappush(places, (chance * share, next(serial), after, known, waiting))
    return list(found)[:count]


def _failing(belief: Belief, node: int) -> float:
    """Return how likely it is that a trial of the node shows the failure."""
    posterior = belief.posterior
    mask = belief.predicting(node)
    rows = zip(posterior.weights, posterior.rates, strict=True)
    return min(sum(w * rate for i, (w, rate) in enumerate(rows) if mask >> i & 1), 1.0)
