# SPDX-License-Identifier: Apache-2.0
"""Histories of OpenSBI 1.6 with one regression each, of the kinds that a bisection meets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.bench.history import Edit, History, Recipe, make_history
from tests.system.conftest import teecall

_ECALL = "lib/sbi/sbi_ecall.c"
_INIT = "lib/sbi/sbi_init.c"
_BASE = "lib/sbi/sbi_ecall_base.c"
_COVH = "0x434F5648"
_CALLED = "\tif (ext && ext->handle) {\n"
_BOOTED = "\twake_coldboot_harts(scratch);\n"
_IMPID = "\t\tout->value = sbi_ecall_get_impid();\n"

BREAKAGE = Edit("lib/sbi/sbi_math.c", "unsigned long log2roundup(", "unsigned lon log2roundup(")


@dataclass(frozen=True, slots=True)
class Regression:
    """What the culprit changes, and the options with which a bisection sees it."""

    edits: Sequence[Edit]
    options: Sequence[str] = ()


REGRESSIONS = {
    "hang": Regression([Edit(_INIT, _BOOTED, f'{_BOOTED}\tfor (;;)\n\t\t__asm__("wfi");\n')]),
    "value": Regression(
        [Edit(_BASE, _IMPID, "\t\tout->value = 2;\n")],
        ["--expect", "SBI implementation ID=0x1 "],
    ),
    "trap": Regression(
        [
            Edit(
                _ECALL,
                _CALLED,
                f'\tif (extension_id == {_COVH})\n\t\t__asm__ volatile("unimp");\n{_CALLED}',
            )
        ]
    ),
    "flaky": Regression(
        # The cycle counter follows the host's clock, so that a boot's draw is its own.
        [
            Edit(
                _BASE,
                _IMPID,
                "\t\tout->value = csr_read(CSR_MCYCLE) / 7 % 3 ? sbi_ecall_get_impid() : 2;\n",
            )
        ],
        ["--expect", "SBI implementation ID=0x1 "],
    ),
    "slower": Regression(
        [
            Edit(
                _ECALL,
                _CALLED,
                f"\tif (extension_id == {_COVH})\n"
                "\t\tfor (int i = 0; i < 20000; i++)\n"
                '\t\t\t__asm__ volatile("nop");\n'
                f"{_CALLED}",
            )
        ],
        ["--metric", "null_call_ticks", "--worse-by", "10%"],
    ),
}


@cache
def opensbi() -> Path:
    """Return the tree of OpenSBI 1.6, fetched."""
    done = teecall("fetch", "-q", "--path", "opensbi")
    assert done.returncode == 0, done.stdout
    return Path(done.stdout.strip().splitlines()[-1])


def history(
    folder: Path, kind: str, commits: int = 16, culprit: int = 11, unbuildable: Sequence[int] = ()
) -> History:
    """Make a history with a regression of REGRESSIONS, in a new folder `folder`/repo."""
    recipe = Recipe(
        commits,
        culprit,
        REGRESSIONS[kind].edits,
        unbuildable,
        BREAKAGE if unbuildable else None,
    )
    return make_history(opensbi(), folder / "repo", recipe)
