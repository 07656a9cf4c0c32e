# SPDX-License-Identifier: Apache-2.0
"""The frames that the agent in the host (`tvm agent`) and the harness exchange.

A request has its length and CRC-32 in front of it. What a command prints comes as it is; the line
behind it has status, length and CRC-32, so that a byte that is lost, or a line of somebody else in
between, is found. The agent keeps the output: what did not arrive is asked for again, armoured, in
lines that have a checksum each. No command is run a second time.
"""

from __future__ import annotations

import binascii
import re
import zlib
from dataclasses import dataclass, field

BEGIN = b"TEEBEGIN-%s\n"
# The agent's two answers to a request: refused as spoilt on the way, or done.
END = rb"\nTEECALL-%s (?P<status>\d+)(?: (?P<length>\d+) (?P<crc>[0-9a-f]{8}))?\n"
REFUSED = rb"TEENAK-%s\n"
_DATA = rb"^TEEDATA-%s (\d+) ([0-9a-f]{8}) ([A-Za-z0-9+/=]+)$"


@dataclass(frozen=True, slots=True)
class Seal:
    """What the line behind an output says of it.

    `length` is in bytes; it and `crc` are None where a plain shell answers.
    """

    status: int
    length: int | None
    crc: int | None

    @classmethod
    def from_match(cls, match: re.Match[bytes]) -> Seal:
        """Read the line that `END` has found."""
        length, crc = match["length"], match["crc"]
        if length is None or crc is None:
            return cls(int(match["status"]), None, None)
        return cls(int(match["status"]), int(length), int(crc, 16))

    def fits(self, output: bytes) -> bool:
        """Tell whether `output` is what the command printed, as far as anybody can know."""
        if self.length is None:
            return True
        return len(output) == self.length and zlib.crc32(output) == self.crc


def request(name: str, script: bytes) -> bytes:
    """Return the request to run a script.

    Args:
        name: eight characters that no other request has.
        script: for the host's `sh`, of any length.
    """
    return b"TEERUN %s %d %08x\n%s" % (name.encode(), len(script), zlib.crc32(script), script)


def ask(name: str, start: int, end: int) -> bytes:
    """Return the request to send a range of an output once more."""
    return b"TEEASK %s %d %d\n" % (name.encode(), start, end)


def interrupt(name: str) -> bytes:
    """Return the request to end a command."""
    return b"TEEINT %s\n" % name.encode()


@dataclass
class Recovery:
    """Puts an output together from armoured lines, some of which may be spoilt.

    Args:
        name: of the command.
        length: bytes of the output.
    """

    name: str
    length: int
    _pieces: dict[int, bytes] = field(default_factory=dict)

    def feed(self, text: bytes) -> None:
        """Take the lines whose checksum is right."""
        for match in re.finditer(_DATA % self.name.encode(), text, re.MULTILINE):
            try:
                piece = binascii.a2b_base64(match[3], strict_mode=True)
            except binascii.Error:
                continue
            if zlib.crc32(piece) == int(match[2], 16):
                self._pieces[int(match[1])] = piece

    def missing(self) -> tuple[int, int] | None:
        """Return the first range that is not there yet, None when all is."""
        position = 0
        for start in sorted(self._pieces):
            if start > position:
                return position, start
            position = max(position, start + len(self._pieces[start]))
        return None if position >= self.length else (position, self.length)

    def output(self) -> bytes:
        """Return what has arrived, in order."""
        data = bytearray()
        for start in sorted(self._pieces):
            data[start:] = self._pieces[start]
        return bytes(data[: self.length])
