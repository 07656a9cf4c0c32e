# SPDX-License-Identifier: Apache-2.0
"""What `teecall bench switch` makes of the payload's lines and of the event ring."""

from __future__ import annotations

import pytest

from harness.abi import Event as Kind
from harness.bench.switch import Split, context_of, cost_of, parse_samples, variants
from harness.config.load import load
from harness.errors import MachineError
from harness.trace.record import Trace
from harness.trace.ring import Ring
from tests.unit.test_trace import event


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
    ]


def lines(*rounds: list[str]) -> list[str]:
    return ["OpenSBI v1.6", *(line for each in rounds for line in each), "bench: done"]


def ring() -> Trace:
    events = tuple(
        event(kind, base + at)
        for base in (10000, 20000)
        for kind, at in ((Kind.TEECALL, 221), (Kind.TEERET, 511))
    )
    return Trace((Ring(events, "tsmd", 0, 512, len(events)),), ())


def test_costs() -> None:
    cost = cost_of("m", parse_samples(lines(round_lines(0), round_lines(1))), ring())
    assert (cost.plain, cost.null) == (300, 659)
    assert cost.split == Split(220, 290, 149)
    assert cost.null_by_ranges == (659, 659, 659)
    assert cost.convert_by_ranges == (3000, 3060)
    assert cost.reclaim_by_ranges == (4000, 5000)
    assert (cost.null_per_range, cost.convert_per_range) == (0, 60)


def test_rounds_that_differ_are_refused() -> None:
    samples = parse_samples(lines(round_lines(0), round_lines(1, null=661)))
    with pytest.raises(MachineError, match="do not cost the same"):
        cost_of("m", samples, ring())


def test_call_without_its_events_is_refused() -> None:
    samples = parse_samples(lines(round_lines(0), round_lines(1)))
    with pytest.raises(MachineError, match="event ring does not show"):
        cost_of("m", samples, Trace((), ()))


def test_call_that_is_not_answered_as_expected_is_refused() -> None:
    said = [line.replace("-2", "-1") for line in lines(round_lines(0), round_lines(1))]
    with pytest.raises(MachineError, match="`null` was answered with -1"):
        cost_of("m", parse_samples(said), ring())


def test_payload_that_dies_is_reported() -> None:
    with pytest.raises(MachineError, match="did not come to its end"):
        parse_samples([*round_lines(0), "bench: trap 5 2149580800 0"])


def test_missing_sample_is_named() -> None:
    said = [line for line in lines(round_lines(0), round_lines(1)) if "plain" not in line]
    with pytest.raises(MachineError, match="has not measured `plain`"):
        cost_of("m", parse_samples(said), ring())


def test_context() -> None:
    said = lines(
        *(
            [*round_lines(number)[:2], f"bench: context {number} 0 9000 21021 0"]
            for number in (0, 1)
        )
    )
    cost = context_of("1.6", parse_samples(said))
    assert (cost.plain, cost.round_trip) == (300, 12020)


def test_variants_are_deterministic_machines_with_one_hart() -> None:
    found = variants(load((), ("machine.harts=4",)).value)
    assert list(found) == ["rv64, aia=none", "rv64,v=true, aia=none", "rv64, aia=aplic-imsic"]
    for config in found.values():
        assert config.machine.harts == 1
        assert "-icount" in config.qemu.extra_args


def test_variants_do_not_repeat_what_is_configured() -> None:
    sets = ("machine.cpu=rv64,v=true", "machine.aia=aplic")
    assert list(variants(load((), sets).value)) == ["rv64,v=true, aia=aplic"]
