# SPDX-License-Identifier: Apache-2.0
"""Harts on which the TSM dies at once: the workstation test of it can fail.

No run on a machine can force the second death between what the first hart sees and what it
decides; firmware/opensbi/tests/test_death.c does.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import ROOT
from tests.system.test_mutants import mutate

_LEAVE = "\tif (!tsmd_die(hart))\n\t\treturn tsmd_tsm_left(hart, tcntx);\n"
_EXCHANGE = (
    "\treturn __atomic_exchange_n(&hart->domain->state, TSMD_DEAD,\n"
    "\t\t\t\t   __ATOMIC_ACQ_REL) != TSMD_DEAD;\n"
)
_LOOK_AND_STORE = """\
	bool first = hart->domain->state != TSMD_DEAD;

	hart->domain->state = TSMD_DEAD;
	return first;
"""


def _event(kind: str) -> tuple[str, str, str]:
    """The hart reports its own death whatever the others do."""
    event = f"\ttsmd_event(hart, TEE_EVENT_TSM_{kind}"
    return "tsmd_call.c", _LEAVE + event, "\ttsmd_die(hart);\n" + event


MUTANTS = {
    "every-fault-is-a-death": _event("FAULT"),
    "every-panic-is-a-death": _event("PANIC"),
    "every-hang-is-a-death": _event("HANG"),
    "look-and-store": ("tsmd_domain.c", _EXCHANGE, _LOOK_AND_STORE),
    "back-after-a-wait": (
        "tsmd_call.c",
        "\tif (tsmd_is_dead(hart))\n\t\treturn tsmd_tsm_left(hart, tcntx);\n\treturn answer(",
        "\treturn answer(",
    ),
    "no-ipi": ("tsmd_domain.c", "\ttsmd_memory_poke_harts();\n", ""),
    "death-of-one-is-of-both": (
        "tsmd_trap.c",
        "if (hart->in_tsm && tsmd_is_dead(hart))",
        "if (hart->in_tsm && tsmd_domains[0].state == TSMD_DEAD)",
    ),
    "resumed-by-another-domain": (
        "tsmd_call.c",
        "a->a6 == b->a6 && a->a7",
        "a->a7",
    ),
    "sdid-cut-to-32-bits": ("tsmd.h", "\treturn a6 >> COVE", "\treturn (u32)a6 >> COVE"),
    "ipi-without-effect": ("tsmd_trap.c", "if (hart->in_tsm && tsmd_is_dead(hart))", "if (0)"),
}


def _run(folder: Path, tsmd: Path) -> subprocess.CompletedProcess[str]:
    tests, program = ROOT / "firmware/opensbi/tests", folder / "build" / "test_death"
    make = ("make", "-s", "-C", str(tests), f"O={program.parent}", f"TSMD={tsmd}", str(program))
    subprocess.run(make, check=True, capture_output=True, text=True)
    return subprocess.run([str(program)], check=False, capture_output=True, text=True)


def test_one_hart_reports_the_death(tmp_path: Path) -> None:
    done = _run(tmp_path, ROOT / "firmware/opensbi/tsmd")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", MUTANTS)
def test_a_death_that_is_not_one_is_noticed(name: str, tmp_path: Path) -> None:
    file, old, new = MUTANTS[name]
    edits = [{"file": file, "old": old, "new": new}]
    done = _run(tmp_path, mutate({"tree": "opensbi.overlay", "edits": edits}, tmp_path))
    assert done.returncode == 1 and "test_death.c:" in done.stdout, done.stdout
