# SPDX-License-Identifier: Apache-2.0
"""gdb on a machine with two TSMs: each has its harts, its memory, its events and its messages."""

from __future__ import annotations

import re
from pathlib import Path

from tests.system.conftest import teecall
from tests.system.test_gdb import LIMIT_S

COMMANDS = (
    # The scenario's first TVM is in domain 2, and enters it more than once.
    "hbreak arch_guest_load",
    "ignore 1 2",
    "continue",
    "echo [second]\\n",
    "info domains",
    "tee-trace 400",
    "tee-log",
    "echo [end]\\n",
    "delete",
    "detach",
)


def test_gdb_knows_both_tsms(tmp_path: Path) -> None:
    words = [word for command in COMMANDS for word in ("-ex", command)]
    run = ("--scenario", "domains", "--run-dir", str(tmp_path / "run"))
    done = teecall("gdb", *run, "--", "--batch", *words, limit_s=LIMIT_S)
    assert done.returncode == 0, done.stdout[-2000:]
    screen = done.stdout.partition("[second]\n")[2].partition("[end]\n")[0]
    where = r"hart \d: TSM domain \(SDID 2\), HS-mode at 0x8e\w+ <arch_guest_load"
    assert re.search(where, screen), screen
    memory = {1: "0x8f000000-0x90000000", 2: "0x8e000000-0x8f000000"}
    for sdid, place in memory.items():
        assert f"TSM domain (SDID {sdid}): READY, memory {place}" in screen, screen
        # What each has said itself: its SDID, and its pool.
        said = rf"TSM of SDID {sdid}:\ntsm: ABI \d+, SDID {sdid}, .* pool 0x{' 9b'[sdid]}0000000"
        assert re.search(said, screen), screen
    # Only the second TSM has run a guest so far: these events are of its rings.
    assert "GUEST_ENTER" in screen and "GUEST_EXIT" in screen, screen
