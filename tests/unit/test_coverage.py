# SPDX-License-Identifier: Apache-2.0
"""The judge of the firmware's line coverage fails when lines or files are missing."""

from __future__ import annotations

import subprocess

import pytest

from harness import resources

SAID = """\
File 'firmware/tsm/call/covi.c'
Lines executed:100.00% of 90
No branches

File 'firmware/tsm/lib/lib.h'
Lines executed:0.00% of 1000

File 'firmware/tsm/call/long.c'
Lines executed:20.00% of 10

Lines executed:12.00% of 1100
"""


@pytest.mark.parametrize(
    ("files", "minimum", "said", "status", "last"),
    [
        ("call/covi.c call/long.c", 92, SAID, 0, "92.0 % of  100 lines in all"),
        ("call/covi.c call/long.c", 93, SAID, 1, "at least 93 % wanted"),
        ("call/covi.c call/none.c", 10, SAID, 1, "no coverage of call/none.c"),
        ("", 0, "", 1, ""),
    ],
)
def test_missing_lines_and_files_fail(
    files: str, minimum: int, said: str, status: int, last: str
) -> None:
    script = resources.firmware() / "tsm" / "tests" / "coverage.awk"
    done = subprocess.run(
        ["awk", "-v", f"files={files}", "-v", f"minimum={minimum}", "-f", str(script)],
        input=said,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert last in (done.stdout.splitlines() or [""])[-1]
