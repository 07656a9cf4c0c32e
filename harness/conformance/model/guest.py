# SPDX-License-Identifier: Apache-2.0
"""The one guest of the suite: what it does, and where it leaves its hart.

It goes round in a circle: WFI, reads a page of its own and tells the host of it, fills that page,
shares two pages, writes the first of them, and takes them back.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

from harness import abi
from harness.conformance.calls import BLOCK, PAGE
from harness.conformance.model.gstage import GStage, Kind, Leaf
from harness.conformance.model.outcome import Expected, Unpredictable, success
from harness.conformance.model.pages import Pages

ENTRY = 0x80000000
OWN = ENTRY + BLOCK
LENT = ENTRY + 16 * PAGE
LENT_END = LENT + 2 * PAGE
MARK = 0x5A
# The program, RV64I.
_WORDS = (
    # loop: wfi; s1 = OWN, s2 = LENT, s3 = the end of OWN; a0 = all words of OWN
    *(0x10500073, 0x00100413, 0x01F41413, 0x00200337, 0x006404B3, 0x00010337, 0x00640933),
    *(0x00001337, 0x006489B3, 0x00048393, 0x00000513, 0x0003BE03, 0x01C56533, 0x00838393),
    *(0xFF339AE3, 0x0FF57513),
    # DBCN console_write_byte of a0
    *(0x444248B7, 0x34E8889B, 0x00200813, 0x00000073),
    # MARK into each word of OWN
    *(0x00048393, 0x05A00E13, 0x01C3B023, 0x00838393, 0xFF339CE3),
    # COVG share_memory_region of LENT; from the start when it fails; MARK into its first word
    *(0x00090513, 0x000025B7, 0x434F58B7, 0x6478889B, 0x00200813, 0x00000073, 0xF80512E3),
    0x01C93023,
    # COVG unshare_memory_region of LENT; from the start
    *(0x00090513, 0x000025B7, 0x00300813, 0x00000073, 0xF6DFF06F),
)
PROGRAM = struct.pack(f"<{len(_WORDS)}I", *_WORDS)
_ECALL, _FETCH, _LOAD, _WFI, _STORE = 10, 20, 21, 22, 23


class Phase(StrEnum):
    """What the guest does next."""

    WFI = "wfi"
    READ = "read its page"
    FILL = "fill its page"
    SHARE = "share"
    SHARING = "waits for share"
    TOUCH = "write what it shares"
    UNSHARE = "unshare"
    UNSHARING = "waits for unshare"


@dataclass
class Nacl:
    """What the host knows of a hart's NACL: a0, None when it cannot know."""

    a0: int | None = None


@dataclass
class Guest:
    """One vCPU that runs the program."""

    gstage: GStage
    pages: Pages
    phase: Phase = Phase.WFI
    dead: bool = False

    def run(self, nacl: Nacl) -> Expected:
        """Run until the guest leaves the hart."""
        self._need_program()
        waits = self.phase in (Phase.SHARING, Phase.UNSHARING)
        if waits and not self._answered(nacl):
            return Expected(frozenset({abi.Error.INVALID_ADDRESS}))
        nacl.a0 = None
        while True:
            end = self._fetch() or self._step(nacl)
            if end is not None:
                return end

    def _answered(self, nacl: Nacl) -> bool:
        if nacl.a0 is None:
            raise Unpredictable("the host has not answered a call of the guest")
        share = self.phase is Phase.SHARING
        old, new = (Kind.CONFIDENTIAL, Kind.SHARED) if share else (Kind.SHARED, Kind.CONFIDENTIAL)
        if nacl.a0:
            self.gstage.change(LENT, LENT_END, old)
            self.phase = Phase.WFI
            return True
        if not self.gstage.empty(LENT, LENT_END):
            return False
        self.gstage.change(LENT, LENT_END, new)
        self.phase = Phase.TOUCH if share else Phase.WFI
        return True

    def _mapped(self, gpa: int) -> Leaf | None:
        leaf = self.gstage.leaf_at(gpa)
        return leaf if leaf is not None and leaf.blocked is None else None

    def _physical(self, gpa: int, leaf: Leaf) -> int:
        return leaf.page + (gpa & (leaf.size - 1))

    def _fetch(self) -> Expected | None:
        return self._fault(ENTRY, _FETCH) if self._mapped(ENTRY) is None else None

    def _need_program(self) -> None:
        """Nothing has changed yet when nobody knows what the guest does."""
        leaf = self._mapped(ENTRY)
        if leaf is not None and self.pages.programs.get(self._physical(ENTRY, leaf)) is not True:
            raise Unpredictable("the guest's program is not what it begins with")

    def _fault(self, gpa: int, cause: int) -> Expected:
        if self.gstage.kind_at(gpa) is None:
            self.dead = True
            return Expected(
                frozenset({abi.Error.SUCCESS}),
                scause=cause,
                learn=lambda value: "" if value else "gives value 0 for a vCPU that has died",
            )
        return success(0, cause)

    def _step(self, nacl: Nacl) -> Expected | None:
        steps = {
            Phase.WFI: self._wfi,
            Phase.READ: self._read,
            Phase.FILL: self._fill,
            Phase.SHARE: self._share,
            Phase.TOUCH: self._touch,
            Phase.UNSHARE: self._unshare,
        }
        return steps[self.phase](nacl)

    def _wfi(self, nacl: Nacl) -> Expected:
        self.phase = Phase.READ
        return success(0, _WFI)

    def _read(self, nacl: Nacl) -> Expected:
        leaf = self._mapped(OWN)
        if leaf is None:
            return self._fault(OWN, _LOAD)
        word = self.pages.inside.get(self._physical(OWN, leaf))
        nacl.a0 = None if word is None else word & 0xFF
        self.phase = Phase.FILL
        return success(0, _ECALL)

    def _fill(self, nacl: Nacl) -> Expected | None:
        leaf = self._mapped(OWN)
        if leaf is None:
            return self._fault(OWN, _STORE)
        self.pages.inside[self._physical(OWN, leaf)] = MARK
        self.phase = Phase.SHARE
        return None

    def _share(self, nacl: Nacl) -> Expected | None:
        if not self.gstage.inside(LENT, LENT_END, frozenset({Kind.CONFIDENTIAL})):
            self.phase = Phase.WFI
            return None
        self.gstage.change(LENT, LENT_END, Kind.TO_SHARED)
        self.phase = Phase.SHARING
        nacl.a0 = LENT
        return success(0, _ECALL)

    def _touch(self, nacl: Nacl) -> Expected | None:
        leaf = self._mapped(LENT)
        if leaf is None:
            return self._fault(LENT, _STORE)
        physical = self._physical(LENT, leaf)
        self.pages.content.pop(physical, None)
        self.pages.first[physical] = MARK
        self.phase = Phase.UNSHARE
        return None

    def _unshare(self, nacl: Nacl) -> Expected | None:
        self.gstage.change(LENT, LENT_END, Kind.TO_CONFIDENTIAL)
        self.phase = Phase.UNSHARING
        nacl.a0 = LENT
        return success(0, _ECALL)
