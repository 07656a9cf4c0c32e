# SPDX-License-Identifier: Apache-2.0
"""Two TSM domains beside each other: on real machines, and the driver's logic with defects."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.attest.measure import image_register
from tests.system.conftest import ROOT, Scenario, teecall
from tests.system.test_mutants import mutate

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
VARIANTS = {
    "two-harts": (),
    "one-hart": ("machine.harts=1",),
    "opensbi-1.8.1": ("opensbi.version=1.8.1",),
    "everything": ("machine.harts=4", "machine.aia=aplic-imsic", "opensbi.version=1.8.1"),
}
IN_EVERY_RUN = ("two-harts", "everything")


@pytest.mark.system
@pytest.mark.parametrize("variant", VARIANTS if NIGHTLY else IN_EVERY_RUN)
def test_two_tsms_are_apart(variant: str, scenario: Scenario) -> None:
    words = [word for setting in VARIANTS[variant] for word in ("--set", setting)]
    result = scenario("domains", *words)
    assert not result.failed(), result.screen
    skipped = {c["name"] for c in result.report["checks"] if c["verdict"] == "SKIP"}
    # One hart has no other one for a second TVM.
    assert skipped == ({"together"} if variant == "one-hart" else set()), result.screen


@pytest.mark.system
def test_evidence_tells_a_foreign_second_tsm(scenario: Scenario, tmp_path: Path) -> None:
    """It is a TSM that nobody here has built for this run, with a measurement of its own."""
    built = teecall("build", "--paths", "-q", "--set", "memory.tsm_base=0x8e000000")
    assert built.returncode == 0, built.stdout
    paths = dict(line.split("=", 1) for line in built.stdout.splitlines() if "=" in line)
    foreign = tmp_path / "foreign.elf"
    foreign.write_bytes(Path(paths["tsm_elf"]).read_bytes() + b"a byte more is another image")
    result = scenario("domains", "--set", f"tsm.second_elf={foreign}")
    assert not result.failed(), result.screen
    said = result.check("evidence")["detail"]
    assert f"{image_register(foreign.read_bytes()).hex()[:8]} in domain 2" in said, said
    assert "no TSM was made to steal: tsm.second_elf" in said, said
    check_command_line(tmp_path / "run" / "evidence")


def check_command_line(run: Path) -> None:
    """Verify what both domains gave with `teecall attest verify`, and each as the other's."""
    for sdid, other in ((1, 2), (2, 1)):
        words = ["attest", "verify", str(run / f"domain{sdid}-evidence.cbor")]
        words += ["--root", str(run / "root.pem"), "--guest", str(run / f"domain{sdid}-guest.elf")]
        words += ["--challenge", (run / f"domain{sdid}-challenge").read_text()]
        words += ["--arg", (run / f"domain{sdid}-argument").read_text()]
        good = teecall(*words, "--tsm", str(run / f"domain{sdid}-tsm.elf"))
        assert good.returncode == 0 and "verified: signatures, challenge" in good.stdout, (
            good.stdout
        )
        bad = teecall(*words, "--tsm", str(run / f"domain{other}-tsm.elf"))
        assert bad.returncode == 1, bad.stdout
        assert "another TSM than the given one was measured" in bad.stdout, bad.stdout


@pytest.mark.system
def test_one_tsm_of_two_is_as_one_alone(scenario: Scenario) -> None:
    result = scenario("smoke", "--set", "tsm.domains=2")
    assert not result.failed(), result.screen


# Defects of what keeps the domains apart: file, what stands there, what stands there instead.
MUTANTS = {
    "other-tsm-open": ("tsmd_pmp.c", "bool mine = e->owner == domain ||", "bool mine = true ||"),
    "guard-of-the-first-only": (
        "tsmd_pmp.c",
        "\t\tcsr_write_num(CSR_PMPADDR0 + guard_entry(i),",
        "\t\tcsr_write_num(CSR_PMPADDR0 + guard_entry(0),",
    ),
    "guard-in-the-others-region": (
        "tsmd_pmp.c",
        "const struct tsmd_range *tsm = &domain->tsm;\n\tunsigned long room",
        "const struct tsmd_range *tsm = &tsmd_domains[!domain->index].tsm;\n\tunsigned long room",
    ),
    "assign-in-any-pool": (
        "tsmd_memory.c",
        "if (!in_pool(&domain->pool, base, pages) &&",
        "if (!in_pool(&tsmd_domains[0].pool, base, pages) &&"
        " !in_pool(&tsmd_domains[1].pool, base, pages) &&",
    ),
    "file-taken-twice": ("tsmd_memory.c", " || is_taken(base, end)))", "))"),
    "set-of-the-first-only": (
        "tsmd_memory.c",
        "\t\t*value = hart->domain->confidential.count;",
        "\t\t*value = tsmd_domains[0].confidential.count;",
    ),
    "capacity-of-each-alone": (
        "tsmd_memory.c",
        "if (others + tsmd_ranges_pmp_entries(next) > tsmd_pmp_capacity())",
        "if (0 * others + tsmd_ranges_pmp_entries(next) > tsmd_pmp_capacity())",
    ),
    "nacl-as-the-tsm-says": (
        "tsmd_memory.c",
        "\t\tshmem = nacl[i];",
        "\t\tshmem = tsmd_domains[0].info->nacl[i];",
    ),
    "nacl-for-the-first-only": (
        "tsmd_memory.c",
        "\t\ttsmd_domains[i].info->nacl[hart] = base;",
        "\t\ttsmd_domains[0].info->nacl[hart] = base;",
    ),
    "record-of-another-pool": (
        "tsmd_record.c",
        "if (set->range[i].start >= pool->start &&\n\t\t    set->range[i].end <= pool->end)",
        "if (pool->end)",
    ),
    "second-tsm-is-the-hosts": (
        "tsmd_memory.c",
        "if (start < tsmd_domains[i].tsm.end &&",
        "if (!i && start < tsmd_domains[i].tsm.end &&",
    ),
}


def _run(folder: Path, tsmd: Path, test: str) -> subprocess.CompletedProcess[str]:
    tests, program = ROOT / "firmware/opensbi/tests", folder / "build" / test
    make = ("make", "-s", "-C", str(tests), f"O={program.parent}", f"TSMD={tsmd}", str(program))
    subprocess.run(make, check=True, capture_output=True, text=True)
    return subprocess.run([str(program)], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_way_between_domains_is_noticed(name: str, tmp_path: Path) -> None:
    file, old, new = MUTANTS[name]
    edits = [{"file": file, "old": old, "new": new}]
    test = "test_record" if file == "tsmd_record.c" else "test_driver"
    done = _run(tmp_path, mutate({"tree": "opensbi.overlay", "edits": edits}, tmp_path), test)
    assert done.returncode == 1 and f"{test}.c:" in done.stdout, done.stdout + done.stderr
