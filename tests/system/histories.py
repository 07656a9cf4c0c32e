# SPDX-License-Identifier: Apache-2.0
"""Histories with one regression each, of the kinds that a bisection meets.

They are of OpenSBI 1.6, or of this repository's firmware.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.bench.history import Edit, History, Recipe, make_history
from tests.system.conftest import ROOT, teecall

_INIT = "lib/sbi/sbi_init.c"
_BASE = "lib/sbi/sbi_ecall_base.c"
_BASE_S = "firmware/fw_base.S"
_LIB_ECALL = "lib/sbi/sbi_ecall.c"
_ECALL = "\text = sbi_ecall_find_extension(extension_id);\n"
_RANGE = "\tunsigned long max = addr + size;\n"
_BOOTED = "\twake_coldboot_harts(scratch);\n"
_VECTOR = "\n_trap_handler_hyp:\n"
# SBI probe_extension; 0x48534D is HSM, by which Linux starts the other harts.
_PROBE = "\t\tret = sbi_ecall_base_probe(regs->a0, &out->value);\n"
_HSM = "regs->a0 == 0x48534D"
_FAST = "firmware/opensbi/tsmd/tsmd_fast.c"
_INTO_TSM = "\ttsmd_switch_to_tsm(hart);\n"
_INFO = "firmware/tsm/call/info.c"
_READY = ".state = COVE_TSM_STATE_READY,"
# What `teecall run switch` says of a machine with the defaults.
NULL_CALL = 541
_SLOWER = f'{_INTO_TSM}\t__asm__ volatile(".rept {NULL_CALL // 10}; nop; .endr");\n'

BREAKAGE = Edit("lib/sbi/sbi_math.c", "unsigned long log2roundup(", "unsigned lon log2roundup(")


@dataclass(frozen=True, slots=True)
class Regression:
    """What the culprit changes, and the options with which a bisection sees it.

    `component` is what the history is of, and `sources` what its other commits change.
    """

    edits: Sequence[Edit]
    options: Sequence[str] = ()
    component: str = "opensbi"
    sources: str = "lib/sbi/*.c"


REGRESSIONS = {
    "hang": Regression(
        [Edit(_INIT, _BOOTED, f'{_BOOTED}\tfor (;;)\n\t\t__asm__("wfi");\n')],
        # A machine that says nothing for so long has stopped.
        ["--set", "timeouts.stall_s=2"],
    ),
    # Linux starts no other hart.
    "value": Regression([Edit(_BASE, _PROBE, f"{_PROBE}\t\tif ({_HSM})\n\t\t\tout->value = 0;\n")]),
    # The domain switch asks this of the TSM's memory when it starts.
    "trap": Regression([Edit("lib/sbi/sbi_domain.c", _RANGE, f'{_RANGE}\t__asm__("unimp");\n')]),
    "flaky": Regression(
        # The cycle counter follows the workstation's clock, so that a boot's draw is its own.
        [
            Edit(
                _BASE,
                _PROBE,
                f"{_PROBE}\t\tstatic int draw = -1;\n\t\tif (draw < 0)\n"
                "\t\t\tdraw = csr_read(CSR_MCYCLE) / 7 % 3;\n"
                f"\t\tif (!draw && {_HSM})\n\t\t\tout->value = 0;\n",
            )
        ],
        ["--failure-rate", "33%"],
    ),
    # An SBI call goes through here, which takes 365 instructions.
    "call": Regression(
        [Edit(_LIB_ECALL, _ECALL, f'{_ECALL}\t__asm__ volatile(".rept 37; nop; .endr");\n')],
        ["--scenario", "switch", "--metric", "sbi_call_instructions", "--worse-by", "10%"],
    ),
    # The driver's fast vector goes in front of this one only while it begins as it knows it, so a
    # TEECALL takes the long way through sbi_trap_handler().
    "cost": Regression(
        [Edit(_BASE_S, _VECTOR, f"{_VECTOR}\tnop\n")],
        ["--scenario", "switch", "--metric", "null_call_instructions", "--worse-by", "10%"],
    ),
    # The driver's own way of a TEECALL, of NULL_CALL instructions: a tenth more of them.
    "driver": Regression(
        [Edit(_FAST, _INTO_TSM, _SLOWER)],
        ["--scenario", "switch", "--metric", "null_call_instructions", "--worse-by", "5%"],
        "tsm-driver",
        "firmware/opensbi/tsmd/*.c",
    ),
    # get_tsm_info says that the TSM is not ready.
    "tsm": Regression(
        [Edit(_INFO, _READY, ".state = COVE_TSM_STATE_READY - 1,")],
        component="tsm",
        sources="firmware/tsm/call/*.c",
    ),
}


@cache
def opensbi() -> Path:
    """Return the tree of OpenSBI 1.6, fetched."""
    done = teecall("fetch", "-q", "--path", "opensbi")
    assert done.returncode == 0, done.stdout
    return Path(done.stdout.strip().splitlines()[-1])


def firmware(folder: Path) -> Path:
    """Return a new tree `folder`/own with the firmware of this repository."""
    tree = folder / "own"
    for name in ("abi", "opensbi", "tsm"):
        shutil.copytree(ROOT / "firmware" / name, tree / "firmware" / name)
    return tree


def history(
    folder: Path,
    kind: str,
    commits: int = 16,
    culprit: int = 11,
    unbuildable: Sequence[int] = (),
    notes: float = 0,
) -> History:
    """Make a history with a regression of REGRESSIONS, in a new folder `folder`/repo.

    Each commit is another machine, but for the part `notes` that changes documentation only.
    """
    regression = REGRESSIONS[kind]
    recipe = Recipe(
        commits,
        culprit,
        regression.edits,
        unbuildable,
        BREAKAGE if unbuildable else None,
        seed=2,
        notes=notes,
        sources=regression.sources,
    )
    tree = opensbi() if regression.component == "opensbi" else firmware(folder)
    return make_history(tree, folder / "repo", recipe)


def bisect_words(made: History, kind: str) -> list[str]:
    """Return the words that say what is searched: component, repository, ends."""
    ends = ["--repo", str(made.repo), "--good", made.good, "--bad", made.bad]
    return ["--component", REGRESSIONS[kind].component, *ends]


def state(repo: Path) -> list[str]:
    """Return what a user would see changed in a repository: refs, work trees, status, files."""
    said = [
        subprocess.run(["git", "-C", str(repo), *words], capture_output=True, text=True).stdout
        for words in (["status", "--porcelain"], ["for-each-ref"], ["worktree", "list"])
    ]
    files = sorted(path for path in repo.rglob("*") if path.is_file() and path.name != "index")
    return said + [f"{path} {path.stat().st_mtime_ns}" for path in files]
