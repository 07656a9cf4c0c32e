# SPDX-License-Identifier: Apache-2.0
"""What the TSM keeps about itself: its log and its counts, read from the machine's memory."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from harness import abi
from harness.trace.ring import Memory, Symbols

_LOG_HEADER = struct.Struct("<QQQ")
_STATS = struct.Struct(f"<Q{len(abi.PageState)}QQQ")


@dataclass(frozen=True, slots=True)
class TsmStats:
    """What the TSM counts: pages of the pool by state, TVMs and vCPUs."""

    pages: dict[str, int]
    tvms: int
    vcpus: int

    def difference(self, other: TsmStats) -> str:
        """Return what `other` has more or less, or an empty string."""
        mine, theirs = self._flat(), other._flat()
        return ", ".join(
            f"{name} {mine[name]} -> {theirs[name]}" for name in mine if mine[name] != theirs[name]
        )

    def left_behind(self, other: TsmStats) -> str:
        """Return what `other` has more in the hands of TVMs, or an empty string."""
        mine, theirs = self._flat(), other._flat()
        more = {name: theirs[name] - mine[name] for name in mine if theirs[name] > mine[name]}
        return ", ".join(f"{count} {name}" for name, count in more.items() if "TVM" in name)

    def _flat(self) -> dict[str, int]:
        return {**self.pages, "TVMs": self.tvms, "vCPUs": self.vcpus}


def decode_log(data: bytes) -> str:
    """Return the messages in a `struct tsm_log`, oldest first.

    Raises:
        ValueError: it is damaged.
    """
    magic, size, head = _LOG_HEADER.unpack_from(data)
    if magic == 0:
        return ""
    text = data[_LOG_HEADER.size :]
    if magic != abi.LOG_MAGIC or not 0 < size <= len(text):
        raise ValueError(f"tsm_log: magic {magic:#x}, size {size}")
    text = text[:size]
    if head > size:
        cut = head % size
        text = text[cut:] + text[:cut]
        # The first line kept has lost its beginning.
        text = text[text.find(b"\n") + 1 :]
    else:
        text = text[:head]
    return text.decode(errors="replace")


def decode_stats(data: bytes) -> TsmStats:
    """Return the counts in a `struct tsm_stats`.

    Raises:
        ValueError: the TSM has not filled it.
    """
    magic, *counts = _STATS.unpack_from(data)
    if magic != abi.STATS_MAGIC:
        raise ValueError(f"tsm_stats: magic {magic:#x}")
    pages = {state.name: counts[state] for state in abi.PageState}
    return TsmStats(pages, counts[-2], counts[-1])


def read_log(memory: Memory, symbols: Symbols) -> str:
    """Read the TSM's log."""
    symbol = symbols.object("tsm_log")
    return decode_log(memory.read(symbol.address, symbol.size))


def read_stats(memory: Memory, symbols: Symbols) -> TsmStats:
    """Read the TSM's counts."""
    symbol = symbols.object("tsm_stats")
    return decode_stats(memory.read(symbol.address, symbol.size))
