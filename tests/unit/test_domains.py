# SPDX-License-Identifier: Apache-2.0
"""Two TSM domains in the configuration, in memory and in the event rings."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness import abi
from harness.config.domains import domains
from harness.config.schema import Config, Machine, Memory, Tsm
from harness.config.validate import validate
from harness.errors import ConfigError
from harness.machine.layout import Image, check_layout, parse_image
from harness.scenarios.smp_checks import count_together
from harness.trace.ring import Event
from tests.unit.elf_maker import elf

ONE = Config()
TWO = Config(tsm=Tsm(domains=2))
FIRST, SECOND = ONE.memory.tsm_base, ONE.memory.tsm2_base


def image(base: int, name: str = "tsm.elf") -> Image:
    return parse_image(elf(base, bytes(64)), Path(name), "the TSM")


def test_domains_have_their_own_memory() -> None:
    assert [domain.sdid for domain in domains(ONE)] == [1]
    first, second = domains(TWO)
    assert (first.tsm_base, second.tsm_base) == (FIRST, SECOND)
    assert second.buffer == 0xB0000000 + (128 << 20) - 4096
    check_layout([], TWO, image(FIRST), image(SECOND))


def test_two_tsms_in_one_region_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"TSM segment 0 .* and second TSM segment 0 .* overlap"):
        check_layout([], TWO, image(FIRST), image(FIRST))


def test_second_tsm_outside_its_region_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not fit in second TSM region") as caught:
        check_layout([], TWO, image(FIRST), image(SECOND - 0x1000000))
    assert "memory.tsm2_base" in caught.value.remedy


def test_entry_that_is_not_loaded_is_refused() -> None:
    lost = bytearray(elf(FIRST, bytes(64)))
    struct.pack_into("<Q", lost, 24, FIRST + 64)
    with pytest.raises(ConfigError, match="has its entry at 0x8f000040"):
        check_layout([], ONE, parse_image(bytes(lost), Path("tsm.elf"), "the TSM"))


@pytest.mark.parametrize(
    ("memory", "says"),
    [
        (Memory(tsm2_base=FIRST), "memory.tsm2_base.*the second TSM's region .* overlap"),
        (Memory(pool2_base=0x98000000), "memory.pool2_base.*the second pool .* overlap"),
        (Memory(pool2_base=SECOND), "memory.pool2_base.*the TSM's region .* overlap"),
        (Memory(pool2_base=0xBF000000), "memory.pool2_base.*is not in memory"),
        (Memory(tsm2_base=SECOND + 4096), "memory.tsm2_base.*multiple of memory.tsm_size"),
        (Memory(pool2_size=4096), "memory.pool2_size.*a TVM needs at least"),
        (Memory(pool2_base=0xB0000001), "memory.pool2_base.*multiple of a page"),
    ],
)
def test_second_domain_is_checked(memory: Memory, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        validate(replace(TWO, memory=memory), lambda key: "here")


def test_places_of_a_domain_that_is_not_there_may_be_taken() -> None:
    # A second region of 64 MiB could not begin where it would by default.
    validate(Config(memory=Memory(tsm_base=0x88000000, tsm_size=64 << 20)), lambda key: "here")
    small = Config(machine=Machine(memory_mib=640))
    validate(small, lambda key: "here")
    with pytest.raises(ConfigError, match="pool2_base"):
        validate(replace(small, tsm=TWO.tsm), lambda key: "here")


def stay(hart: int, sdid: int, start: int, end: int) -> list[Event]:
    """The same TVM id in whatever domain."""
    writer = "tsm" if sdid == 1 else "tsm2"
    kinds = ((abi.Event.GUEST_ENTER, start), (abi.Event.GUEST_EXIT, end))
    return [
        Event(writer, hart, time, time, kind, sdid, 0, 0, 0, 0, 256 << 32) for kind, time in kinds
    ]


def test_tvms_of_two_domains_with_one_id_are_two() -> None:
    assert count_together([*stay(0, 1, 10, 30), *stay(1, 2, 20, 40)]) == 1
    assert count_together([*stay(0, 1, 10, 30), *stay(1, 1, 20, 40)]) == 0
    assert count_together([*stay(0, 1, 10, 30), *stay(1, 2, 30, 40)]) == 0
