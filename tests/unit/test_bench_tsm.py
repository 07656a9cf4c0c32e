# SPDX-License-Identifier: Apache-2.0
"""What follows from the samples of `teecall bench tsm`."""

from __future__ import annotations

import pytest

from harness.bench.memory_samples import Costs, fitted
from harness.bench.samples import Sample
from harness.bench.tsm import LIVE, PAGE_RATIO, MemoryCost, costs_of, roomy
from harness.bench.tsm_table import tsm_table
from harness.config.load import load
from harness.errors import ConfigError, MachineError

COPY, HASH, STORES, BLOCKS, BOOKKEEPING = 2500, 200_000, 1500, 200, 400
SIZES = (1, 2, 4, 8)


def sample(name: str, count: int, cost: int, number: int = 0) -> Sample:
    # The two reads of instret are one instruction apart when nothing is between them.
    return Sample(name, number, count, 1000, 1001 + cost, 0)


def recorded(
    measured: int, zero: int, search: int = 0, blocks: int | None = BLOCKS
) -> list[Sample]:
    """Return samples of a TSM that takes so much for a page of each kind.

    Args:
        measured: instructions of a measured page.
        zero: instructions of a zero page.
        search: what each live TVM adds to create_tvm.
        blocks: zeroing by cbo.zero.
    """
    parts = {"nothing": 0, "copy": COPY, "hash": HASH, "words": STORES, "blocks": blocks}
    found = [sample("nothing", 0, 0), sample("first.convert", 0, 99)]
    found += [sample(f"part.{name}", 0, cost) for name, cost in parts.items() if cost is not None]
    for kind, page in (("measured", measured), ("zero", zero)):
        for mib in SIZES:
            found.append(sample(f"{kind}.create", mib, 3000))
            found.append(sample(f"{kind}.pages", mib, mib * 256 * page))
            found.append(sample(f"{kind}.destroy", mib, mib * 256 * 30))
            found.append(sample(f"{kind}.reclaim", mib, mib * 256 * 300))
    for live in LIVE:
        found.append(sample("live.create", live, 3000 + search * live))
        found.append(sample("live.finalize", live, 16000))
        found.append(sample("live.destroy", live, 1700))
    return found


def judged(samples: list[Sample]) -> MemoryCost:
    return costs_of(Costs(samples))


GOOD = (COPY + HASH + BOOKKEEPING, BLOCKS + BOOKKEEPING)


def test_a_good_tsm_keeps_all_limits() -> None:
    cost = judged(recorded(*GOOD))
    assert cost.kept
    assert cost.measured.page == pytest.approx(COPY + HASH + BOOKKEEPING)
    assert cost.measured.part == COPY + HASH
    assert cost.zero.bookkeeping == pytest.approx(BOOKKEEPING)
    assert cost.zero.bound == pytest.approx(PAGE_RATIO * (BLOCKS + BOOKKEEPING))
    assert cost.measured.line.fixed == pytest.approx(3000)
    assert cost.measured.release[2] == 2 * 256 * 330
    assert cost.live.whole[64] == 19000
    assert not [line for line in tsm_table(cost) if line.endswith("over")]
    assert cost.as_json()["kept"] is True


def test_zeroing_by_stores_where_there_is_cbo_zero_is_over() -> None:
    cost = judged(recorded(GOOD[0], STORES + BOOKKEEPING))
    assert not cost.zero.within and not cost.kept
    assert judged(recorded(GOOD[0], STORES + BOOKKEEPING, blocks=None)).zero.within


def test_hashing_twice_is_over() -> None:
    cost = judged(recorded(GOOD[0] + HASH, GOOD[1]))
    assert not cost.measured.within and cost.measured.linear


def test_a_search_among_tvms_is_over() -> None:
    cost = judged(recorded(*GOOD, search=11))
    assert not cost.live.flat
    assert any(line.endswith("over") for line in tsm_table(cost))


def test_costs_that_bend_are_over() -> None:
    assert fitted({1: 100, 2: 200, 4: 400}).worst < 1e-9
    assert fitted({1: 100, 2: 400, 4: 1600}).worst > 0.1
    bent = [
        sample("zero.pages", mib, mib * mib * 256 * GOOD[1]) if each.name == "zero.pages" else each
        for each in recorded(*GOOD)
        for mib in (each.ranges,)
    ]
    assert not judged(bent).zero.linear


def test_rounds_that_differ_are_an_error() -> None:
    with pytest.raises(MachineError, match=r"`live.create` \(8\)"):
        Costs([*recorded(*GOOD), sample("live.create", 8, 1, 1)])


def test_what_was_not_measured_is_an_error() -> None:
    missing = [each for each in recorded(*GOOD) if each.name != "part.hash"]
    with pytest.raises(MachineError, match=r"part\.hash"):
        judged(missing)


def test_harts_without_h_are_refused() -> None:
    config = load((), ("machine.cpu=rv64,h=false",)).value
    with pytest.raises(ConfigError, match="H"):
        roomy(config, 16)
