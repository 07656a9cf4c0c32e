# SPDX-License-Identifier: Apache-2.0
"""The guest's secret, answer and measurement, worked out without a machine."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.machine.layout import Image, Segment, parse_image
from harness.scenarios.payload import (
    PAGE,
    make_payload,
    measure_entry,
    measure_pages,
    measured_pages,
    mix,
)
from tests.unit.elf_maker import RISCV, elf

BASE = 0x80200000


def image(*segments: Segment) -> Image:
    return Image(Path("guest.elf"), BASE, segments)


def test_pages_cover_file_bytes_and_bss() -> None:
    pages = measured_pages(image(Segment(0, BASE, BASE, 2 * PAGE + 1, True, b"ab")))
    assert list(pages) == [BASE, BASE + PAGE, BASE + 2 * PAGE]
    assert pages[BASE] == b"ab".ljust(PAGE, b"\0")
    assert pages[BASE + PAGE] == bytes(PAGE)


def test_pages_ascend_whatever_the_order_of_segments() -> None:
    high = Segment(0, BASE + PAGE, BASE + PAGE, 1, False, b"h")
    low = Segment(0, BASE, BASE, PAGE, False, b"l" * PAGE)
    assert list(measured_pages(image(high, low))) == [BASE, BASE + PAGE]


def test_segment_that_begins_inside_a_page() -> None:
    data = bytes(range(1, 11))
    pages = measured_pages(image(Segment(0, BASE + PAGE - 4, BASE + PAGE - 4, 10, False, data)))
    assert pages[BASE][-4:] == data[:4]
    assert pages[BASE + PAGE][:6] == data[4:]


def test_measurement_is_the_documented_chain() -> None:
    first, second = b"1" * PAGE, b"2" * PAGE
    one = hashlib.sha384(bytes(48) + struct.pack("<Q", BASE) + first).digest()
    two = hashlib.sha384(one + struct.pack("<Q", BASE + PAGE) + second).digest()
    assert measure_pages({BASE + PAGE: second, BASE: first}) == two


def test_nothing_measured_is_zero() -> None:
    assert measure_pages({}) == bytes(48)


def test_every_page_and_every_address_counts() -> None:
    digests = {
        measure_pages(pages)
        for pages in (
            {BASE: bytes(PAGE)},
            {BASE + PAGE: bytes(PAGE)},
            {BASE: bytes(PAGE), BASE + PAGE: bytes(PAGE)},
            {BASE: b"\1" + bytes(PAGE - 1)},
        )
    }
    assert len(digests) == 4


def test_entry_measurement_extends_pc_then_argument() -> None:
    pc = hashlib.sha384(bytes(48) + struct.pack("<Q", BASE)).digest()
    assert measure_entry(BASE, 7) == hashlib.sha384(pc + struct.pack("<Q", 7)).digest()


def test_mix_needs_every_word_and_the_nonce() -> None:
    secret = bytes(range(32))
    answers = {mix(secret, 1), mix(secret, 2)}
    answers |= {mix(secret[:at] + b"\xff" + secret[at + 1 :], 1) for at in range(0, 32, 8)}
    assert len(answers) == 6
    assert all(0 <= answer < 1 << 64 for answer in answers)


def test_mix_of_one_word_by_hand() -> None:
    product = (5 ^ 3) * 0x9E3779B97F4A7C15 % (1 << 64)
    first = product ^ product >> 29
    rest = first
    for _ in range(3):
        rest = rest * 0x9E3779B97F4A7C15 % (1 << 64)
        rest ^= rest >> 29
    assert mix(struct.pack("<4Q", 3, 0, 0, 0), 5) == rest


def test_secret_is_put_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "guest.elf"
    path.write_bytes(elf(BASE, b"code" + bytes(60), symbols={"secret": (BASE + 8, 32)}))
    payload = make_payload(path, b"s" * 32)
    assert payload.secret_gpa == BASE + 8
    assert payload.pages[BASE][:48] == b"code\0\0\0\0" + b"s" * 32 + bytes(8)
    assert parse_image(payload.file, path, "x").segments[0].data[8:40] == b"s" * 32


def test_guest_without_secret_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "guest.elf"
    path.write_bytes(elf(BASE, b"code"))
    payload = make_payload(path, b"s" * 32)
    assert payload.secret_gpa is None
    assert payload.file == path.read_bytes()


def test_secret_without_bytes_in_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "guest.elf"
    path.write_bytes(elf(BASE, b"code", symbols={"secret": (BASE + 0x800, 32)}))
    with pytest.raises(ConfigError, match="secret"):
        make_payload(path, b"s" * 32)


def test_guest_of_another_machine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "guest.elf"
    path.write_bytes(elf(BASE, b"code", machine=RISCV - 1))
    with pytest.raises(ConfigError, match="another machine"):
        make_payload(path, b"s" * 32)
