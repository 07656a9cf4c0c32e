# SPDX-License-Identifier: Apache-2.0
"""What `teecall bench switch` makes of the payload's lines, and how it shows it."""

from __future__ import annotations

from functools import partial

import pytest

from harness.bench.samples import (
    ContextCost,
    HartsCost,
    MModeCost,
    agreed,
    context_cost,
    harts_cost,
    mmode_cost,
    parse_samples,
    tsm_cost,
)
from harness.bench.switch import SwitchCost, has_h, variants
from harness.bench.table import switch_table
from harness.config.load import load
from harness.errors import MachineError


def round_lines(number: int, null: int = 660) -> list[str]:
    """A round in which reading instret costs 1, a plain call 300, a null TEECALL `null` - 1."""
    base = 10000 * (number + 1)
    return [
        f"bench: nothing {number} 0 100 101 0",
        f"bench: plain {number} 0 200 501 0",
        f"bench: null {number} 0 {base} {base + null} -2",
        f"bench: convert {number} 0 40000 43001 0",
        f"bench: null {number} 1 {base + 2000} {base + 2000 + null} -2",
        f"bench: convert {number} 1 50000 53061 0",
        f"bench: null {number} 2 {base + 4000} {base + 4000 + null} -2",
        f"bench: convert {number} 2 60000 61001 -1005",
        f"bench: reclaim {number} 1 70000 75001 0",
        f"bench: reclaim {number} 0 80000 84001 0",
        f"bench: enter {number} 0 90000 90901 0",
        f"bench: exit {number} 0 90901 91702 0",
        f"bench: tick {number} 0 95000 95701 0",
        f"bench: parked_null {number} 0 96000 {96000 + null} -2",
    ]


def instant_lines(number: int) -> list[str]:
    return [
        f"bench: nothing {number} 0 100 101 0",
        f"bench: plain {number} 0 200 501 0",
        f"bench: mmode_in {number} 0 1000 1221 -2",
        f"bench: mmode_out {number} 0 1227 1377 -2",
    ]


def lines(*rounds: list[str]) -> list[str]:
    return ["OpenSBI v1.6", *(line for each in rounds for line in each), "bench: done"]


BOTH = lines(round_lines(0), round_lines(1))


def test_costs() -> None:
    cost = agreed(parse_samples(BOTH), tsm_cost)
    assert (cost.null, cost.tvm_enter, cost.tvm_exit, cost.tick) == (659, 900, 800, 700)
    assert cost.null_by_ranges == (659, 659, 659)
    assert cost.convert_by_ranges == (3000, 3060)
    assert cost.reclaim_by_ranges == (4000, 5000)
    assert (cost.null_per_range, cost.convert_per_range) == (0, 60)
    assert agreed(parse_samples(BOTH), harts_cost) == HartsCost(659, 3000)


def test_split_is_what_a_tsm_that_answers_at_once_leaves() -> None:
    mmode = agreed(parse_samples(lines(instant_lines(0), instant_lines(1))), mmode_cost)
    assert mmode == MModeCost(300, 220, 149)
    cost = SwitchCost("m", mmode, agreed(parse_samples(BOTH), tsm_cost))
    assert cost.tsm_alone == 659 - 220 - 149
    assert cost.as_json()["tsm_alone"] == cost.tsm_alone
    assert SwitchCost("no H", mmode, None).tsm_alone is None


def test_rounds_that_differ_are_refused() -> None:
    samples = parse_samples(lines(round_lines(0), round_lines(1, null=661)))
    with pytest.raises(MachineError, match="do not cost the same"):
        agreed(samples, tsm_cost)


def test_call_that_is_not_answered_as_expected_is_refused() -> None:
    said = [line.replace("-2", "-1") for line in BOTH]
    with pytest.raises(MachineError, match="`null` was answered with -1"):
        agreed(parse_samples(said), tsm_cost)


def test_payload_that_dies_is_reported() -> None:
    with pytest.raises(MachineError, match="did not come to its end"):
        parse_samples([*round_lines(0), "bench: trap 5 2149580800 0"])


def test_payload_that_gives_up_says_at_what() -> None:
    with pytest.raises(MachineError, match="gave up: create_tvm -1"):
        parse_samples([*round_lines(0), "bench: failed create_tvm -1"])


def test_missing_sample_is_named() -> None:
    said = [line for line in BOTH if "tick" not in line]
    with pytest.raises(MachineError, match="has not measured `tick`"):
        agreed(parse_samples(said), tsm_cost)


def test_context() -> None:
    said = lines(
        *(
            [*round_lines(number)[:2], f"bench: context {number} 0 9000 21021 0"]
            for number in (0, 1)
        )
    )
    cost = agreed(parse_samples(said), partial(context_cost, "1.6"))
    assert (cost.plain, cost.round_trip) == (300, 12020)


def table(context: ContextCost | None, why: str = "") -> list[str]:
    mmode = MModeCost(300, 220, 149)
    costs = [
        SwitchCost("rv64", mmode, agreed(parse_samples(BOTH), tsm_cost)),
        SwitchCost("rv64,h=false", mmode, None),
    ]
    return switch_table(costs, {1: HartsCost(659, 3000), 8: HartsCost(660, 3900)}, context, why)


def cells(found: list[str], name: str) -> list[str]:
    return next(line for line in found if line.startswith(name))[len(name) :].split()


def test_table_puts_all_machines_side_by_side() -> None:
    found = table(ContextCost("1.6", 283, 12020))
    assert cells(found, "plain SBI call") == ["300", "300", "283"]
    assert cells(found, "domain round trip") == ["659", "-", "12020"]
    assert cells(found, "  TSM") == ["290", "-", "-"]
    assert cells(found, "tick to host in a TVM") == ["700", "-", "-"]
    assert cells(found, "null, others in WFI") == ["659", "660"]


def test_table_says_why_opensbi_was_not_measured() -> None:
    found = table(None, "it hangs")
    assert cells(found, "domain round trip")[-1] == "-"
    assert any("not measured, it hangs" in line for line in found)


def test_variants_are_deterministic_machines_with_one_hart() -> None:
    found = variants(load((), ("machine.harts=4",)).value)
    assert list(found) == [
        "rv64, aia=none",
        "rv64,v=true, aia=none",
        "rv64, aia=aplic-imsic",
        "rv64,h=false, aia=none",
    ]
    for config in found.values():
        assert config.machine.harts == 1
        assert "-icount" in config.qemu.extra_args
    assert [has_h(config) for config in found.values()] == [True, True, True, False]


def test_variants_do_not_repeat_what_is_configured() -> None:
    sets = ("machine.cpu=rv64,v=true,h=true", "machine.aia=aplic")
    assert list(variants(load((), sets).value)) == ["rv64,v=true,h=true, aia=aplic"]
