# SPDX-License-Identifier: Apache-2.0
"""Frames: spoilt output is told from whole output, and put together from what is asked for."""

from __future__ import annotations

import base64
import re
import zlib

from harness.machine import frames

OUTPUT = bytes(range(256)) * 4
NAME = "0badcafe"


def line(start: int, end: int) -> bytes:
    piece = OUTPUT[start:end]
    text = base64.b64encode(piece)
    return b"TEEDATA-%s %d %08x %s\n" % (NAME.encode(), start, zlib.crc32(piece), text)


def seal(output: bytes) -> frames.Seal:
    text = b"\nTEECALL-%s 3 %d %08x\n" % (NAME.encode(), len(output), zlib.crc32(output))
    match = re.search(frames.END % NAME.encode(), text)
    assert match is not None
    return frames.Seal.from_match(match)


def test_a_lost_or_changed_byte_is_found() -> None:
    found = seal(OUTPUT)
    assert found.status == 3
    assert found.fits(OUTPUT)
    assert not found.fits(OUTPUT[:-1])
    assert not found.fits(OUTPUT[:9] + b"!" + OUTPUT[10:])


def test_without_an_agent_nothing_can_be_told() -> None:
    match = re.search(frames.END % NAME.encode(), b"\nTEECALL-0badcafe 0\n")
    assert match is not None
    assert frames.Seal.from_match(match).fits(b"anything")


def test_spoilt_lines_are_asked_for_again() -> None:
    recovery = frames.Recovery(NAME, len(OUTPUT))
    assert recovery.missing() == (0, 1024)
    good = [line(at, at + 192) for at in range(0, 1024, 192)]
    good[1] = good[1].replace(b"A", b"B", 1) if b"A" in good[1] else b"x" + good[1]
    good[3] = good[3][:40] + b"[noise]" + good[3][40:]
    recovery.feed(b"".join(good))
    assert recovery.missing() == (192, 384)
    recovery.feed(line(192, 384))
    assert recovery.missing() == (576, 768)
    recovery.feed(b"noise in front\n" + line(576, 768))
    assert recovery.missing() is None
    assert recovery.output() == OUTPUT


def test_requests_carry_length_and_checksum() -> None:
    script = b"echo 1\necho 2"
    head, _, body = frames.request(NAME, script).partition(b"\n")
    assert body == script
    assert head == b"TEERUN 0badcafe %d %08x" % (len(script), zlib.crc32(script))
