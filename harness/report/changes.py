# SPDX-License-Identifier: Apache-2.0
"""Where a metric has changed for good.

Metrics that are counted under `-icount` are the same in every run of the same code, so a single
run with another value is a change. Others have noise: a change is a step that is large beside the
noise on both sides of it, found by splitting the series where the two halves differ most and
splitting the halves again (binary segmentation; the noise is estimated by the median absolute
difference of neighbours, which a few outliers and the steps themselves do not move).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

# Of neighbours' differences: for normal noise the median of |a - b| is 0.954 of the deviation.
_DEVIATION = 1 / 0.954
# Steps below this many standard errors are noise. In 1000 values of noise alone the largest of
# all splits reaches about 4; see the test.
_SURE = 5.0
# A side of a step in noise has at least so many values.
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Change:
    """From the value at `index` on, the metric is `after`; before it was `before`."""

    index: int
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """Size of the step, as a part of the value before (infinite from zero)."""
        return (self.after - self.before) / abs(self.before) if self.before else float("inf")


def changes(values: Sequence[float]) -> list[Change]:
    """Return the changes of a metric, from the oldest to the newest.

    Args:
        values: from the oldest run to the newest.
    """
    noise = _noise(values)
    if noise == 0.0:
        return _steps(values)
    cuts = sorted(_cuts(values, 0, len(values), noise))
    edges = [0, *cuts, len(values)]
    levels = [fmean(values[a:b]) for a, b in itertools.pairwise(edges)]
    return [Change(cut, levels[n], levels[n + 1]) for n, cut in enumerate(cuts)]


def _noise(values: Sequence[float]) -> float:
    """Return the standard deviation of the noise; 0 when most neighbours are equal."""
    if len(values) < 2:
        return 0.0
    return _DEVIATION * median(abs(b - a) for a, b in itertools.pairwise(values))


def _steps(values: Sequence[float]) -> list[Change]:
    """Return every change of a metric without noise."""
    pairs = enumerate(itertools.pairwise(values), start=1)
    return [Change(index, before, after) for index, (before, after) in pairs if before != after]


def _cuts(values: Sequence[float], start: int, end: int, noise: float) -> list[int]:
    best, cut = 0.0, 0
    total, left = sum(values[start:end]), 0.0
    for index in range(start + 1, end):
        left += values[index - 1]
        before, after = index - start, end - index
        if min(before, after) < _FEWEST:
            continue
        difference = abs((total - left) / after - left / before)
        error: float = noise * (1 / before + 1 / after) ** 0.5
        if difference / error > best:
            best, cut = difference / error, index
    if best < _SURE:
        return []
    return [cut, *_cuts(values, start, cut, noise), *_cuts(values, cut, end, noise)]
