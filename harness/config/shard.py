# SPDX-License-Identifier: Apache-2.0
"""A part of a list of work for one of several machines: `--shard 2/5` is the second of five."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from harness.errors import UsageError

T = TypeVar("T")
_FORM = re.compile(r"^(\d{1,6})/(\d{1,6})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """Which part, from 1 on, of how many."""

    number: int = 1
    count: int = 1


def parse_shard(text: str) -> Shard:
    """Read a shard as it is written on the command line.

    Raises:
        UsageError: it is not N/M with 1 <= N <= M.
    """
    match = _FORM.match(text)
    remedy = "write N/M with N from 1 to M, for example --shard 2/5"
    if match is None:
        raise UsageError(f"--shard {text}: not of the form N/M", remedy)
    shard = Shard(int(match[1]), int(match[2]))
    if not 1 <= shard.number <= shard.count:
        raise UsageError(f"--shard {text}: there is no such part of {shard.count}", remedy)
    return shard


def take(work: Sequence[T], shard: Shard, weight: Callable[[T], int]) -> tuple[T, ...]:
    """Return one shard's part of some work.

    The parts are neighbours in the list, because neighbouring cells share most of what is built.
    A part's weight differs from an equal share by less than the heaviest item. Parts are empty
    when there are more of them than items.

    Args:
        work: all of it, in the same order on every machine.
        shard: which part.
        weight: says how much one item weighs, 1 or more.
    """
    weights = [weight(item) for item in work]
    ends = list(accumulate(weights))
    total = ends[-1] if ends else 0
    # The middle of an item decides, in integers: (end - weight / 2) * count / total.
    parts = [
        (2 * end - own) * shard.count // (2 * total) for end, own in zip(ends, weights, strict=True)
    ]
    return tuple(item for item, part in zip(work, parts, strict=True) if part == shard.number - 1)
