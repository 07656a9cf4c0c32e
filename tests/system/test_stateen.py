# SPDX-License-Identifier: Apache-2.0
"""Guests on harts with Smstateen: their own state holds, all else is closed to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.test_hostile import booted
from tests.system.test_mutants import mutate

CTR = "smctr=true,ssctr=true,smcsrind=true,sscsrind=true"
# OpenSBI 1.6 does not open the control transfer records, so a TSM could not let a guest use them.
STATEEN = (
    "opensbi.version=1.8.1",
    f"machine.cpu=rv64,smstateen=true,{CTR}",
    "machine.aia=aplic-imsic",
)
PAYLOAD = "/payload/stateen.elf"


def test_a_guest_has_its_own_sstateen_and_nothing_else(tmp_path: Path) -> None:
    with booted(tmp_path, *STATEEN) as host:
        # Twice: the second must not find what the first has left.
        assert "stateen: ok" in host.run_guest(PAYLOAD, nonce=1).lines
        assert "stateen: ok" in host.run_guest(PAYLOAD, nonce=2).lines


def test_harts_without_smstateen_run_guests_too(tmp_path: Path) -> None:
    with booted(tmp_path) as host:
        assert "stateen: none" in host.run_guest(PAYLOAD).lines


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(
            "\t\tguest->sstateen0 = csr_read(CSR_SSTATEEN0);",
            "\t\tguest->sstateen0 = 0;",
            "stateen: lost in an exit",
            id="not saved",
        ),
        pytest.param(
            "(HSTATEEN0_SE0 | HSTATEEN0_ENVCFG)", "(~0UL)", "stateen: reads siselect", id="open"
        ),
    ],
)
def test_the_guest_can_tell(tmp_path: Path, old: str, new: str, says: str) -> None:
    edit = {"file": "arch/guest.c", "old": old, "new": new}
    tree = mutate({"tree": "tsm.source", "edits": [edit]}, tmp_path)
    with booted(tmp_path / "run", f"tsm.source=path:{tree}", *STATEEN) as host:
        lines = host.run_guest(PAYLOAD).lines
    assert says in lines and "stateen: bad" in lines
