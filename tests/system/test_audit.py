# SPDX-License-Identifier: Apache-2.0
"""The audit of the domain switch: it passes on every kind of hart, and it catches lost rows."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.scenarios.audit_table import HeaderRow, parse_header
from tests.system.conftest import ROOT, Scenario, SmokeResult

OVERLAY = ROOT / "firmware" / "opensbi" / "tsmd"
NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
# A machine on which every row of the switch's table can be seen. OpenSBI 1.6 keeps the host from
# Smctr and from mstateen1 to 3 where there is Smstateen.
CTR = "smctr=true,ssctr=true,smcsrind=true,sscsrind=true"
EVERYTHING = (
    "opensbi.version=1.8.1",
    f"machine.cpu=rv64,v=true,smstateen=true,sscofpmf=true,{CTR}",
    "machine.aia=aplic-imsic",
    'qemu.extra_args=["-machine","aia-guests=3"]',
)
VARIANTS = {
    "default": (),
    "opensbi-1.8.1": ("opensbi.version=1.8.1",),
    "four-harts": ("machine.harts=4",),
    "aia": ("machine.aia=aplic-imsic",),
    "vector": ("machine.cpu=rv64,v=true",),
    "ctr": (f"machine.cpu=rv64,{CTR}",),
    "everything": EVERYTHING,
}
IN_EVERY_RUN = ("default", "opensbi-1.8.1", "aia", "vector", "ctr", "everything")

ROWS = parse_header((OVERLAY / "tsmd_csrs.h").read_text())
# Rows that can go without anybody noticing, with the reason.
EQUIVALENT = {"htinst": "QEMU 10.0 keeps nothing that is written to htinst"}
# The switch names these apart from the table, so that it does not compile without their rows.
NAMED = ("scause", "stval", "hvip")
# A TSM that is not entered at its own entry finds and writes down nothing.
SAYS = {"stvec": "entered at the host's stvec .*not in tsmd_csrs.h"}
SAMPLE = ("stvec", "sscratch", "vsatp", "menvcfg")

Audit = Callable[..., SmokeResult]


@pytest.fixture
def audit(scenario: Scenario) -> Audit:
    """Function that runs ``teecall run audit`` with settings."""

    def run(*settings: str) -> SmokeResult:
        words = [word for setting in settings for word in ("--set", setting)]
        return scenario("audit", *words)

    return run


def without_row(row: HeaderRow, folder: Path) -> Path:
    """Copy the domain switch into ``folder``, without one row of its table."""
    tree = folder / "tsmd"
    shutil.copytree(OVERLAY, tree)
    header = tree / "tsmd_csrs.h"
    lines = header.read_text().splitlines(keepends=True)
    assert row.name in lines[row.line - 1]
    # The last row of a group carries no backslash: the line before it ends the macro then.
    if not lines[row.line - 1].rstrip().endswith("\\"):
        lines[row.line - 2] = lines[row.line - 2].rstrip().rstrip("\\") + "\n"
    del lines[row.line - 1]
    header.write_text("".join(lines))
    return tree


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else IN_EVERY_RUN)
def test_nothing_crosses_the_border(variant: str, audit: Audit) -> None:
    result = audit(*VARIANTS[variant])
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ROWS if n not in EQUIVALENT] if NIGHTLY else SAMPLE)
def test_a_lost_row_is_caught(name: str, audit: Audit, tmp_path: Path) -> None:
    result = audit(f"opensbi.overlay=path:{without_row(ROWS[name], tmp_path)}", *EVERYTHING)
    assert result.status == 1, result.screen
    if name in NAMED:
        assert result.failed() == ["build"], result.screen
        return
    found = SAYS.get(name, rf"finds {name} = |\[tsmd_csrs.h {name}\]")
    assert re.search(found, result.screen), result.screen
