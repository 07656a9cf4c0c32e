# SPDX-License-Identifier: Apache-2.0
"""The domain switch on OpenSBI trees that lack what the pinned releases have."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.config.load import load
from harness.sources.resolve import Sources
from harness.ui import QuietUi
from tests.system.conftest import ROOT, Scenario
from tests.system.test_mutants import mutate

MASKABLE = "machine.cpu=rv64,sscofpmf=true"


def opensbi(folder: Path, version: str, edits: dict[str, tuple[tuple[str, str], ...]]) -> Path:
    """Copy a pinned OpenSBI and replace words in some of its files."""
    config = load((), (f"opensbi.version={version}",)).value
    tree = folder / "opensbi"
    shutil.copytree(Sources(config, QuietUi()).materialise("opensbi"), tree, symlinks=True)
    for name, words in edits.items():
        text = (tree / name).read_text()
        for old, new in words:
            assert old in text, f"{name}: no {old!r}"
            text = text.replace(old, new)
        (tree / name).chmod(0o644)
        (tree / name).write_text(text)
    return tree


def like_v1_5(folder: Path) -> Path:
    """OpenSBI 1.6 without what v1.5 has not: no mask for SSE, no names of extensions."""
    renamed = (
        ("sbi_sse_hart_mask", "sbi_sse_later_mask"),
        ("sbi_sse_hart_unmask", "sbi_sse_later_unmask"),
    )
    return opensbi(
        folder,
        "1.6",
        {
            "include/sbi/sbi_version.h": (("VERSION_MINOR 6", "VERSION_MINOR 5"),),
            "include/sbi/sbi_sse.h": renamed,
            "lib/sbi/sbi_sse.c": renamed,
            "lib/sbi/sbi_ecall_sse.c": renamed,
        },
    )


UNGUARDED = {
    "tree": "opensbi.overlay",
    "edits": [
        {
            "file": "tsmd_guard.c",
            "old": "if (!sbi_sse_hart_mask && tsmd_domain_count)",
            "new": "if (false)",
        }
    ],
}


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "mutant"])
def test_events_that_cannot_be_masked_are_not_registered(
    guarded: bool, scenario: Scenario, tmp_path: Path
) -> None:
    tree = like_v1_5(tmp_path)
    overlay = ROOT / "firmware/opensbi/tsmd" if guarded else mutate(UNGUARDED, tmp_path)
    settings = (f"opensbi.source=path:{tree}", f"opensbi.overlay=path:{overlay}", MASKABLE)
    result = scenario("audit", *[word for one in settings for word in ("--set", one)])
    # The audit's host registers an event; when it may, M-mode keeps LCOFI, which mideleg shows.
    assert result.check("host-to-tsm")["verdict"] == "PASS", result.screen
    silent = result.check("host-to-tsm")["detail"].partition("nothing to see on this hart:")[2]
    assert ("mideleg" in silent) == guarded, result.screen


def test_another_trap_vector_is_left_in_place(scenario: Scenario, tmp_path: Path) -> None:
    # Its first instruction is another one, so there is no way into it behind the first two.
    head = ".macro\tTRAP_SAVE_AND_SETUP_SP_T0\n"
    tree = opensbi(tmp_path, "1.8.1", {"firmware/fw_base.S": ((head, f"{head}\tnop\n"),)})
    result = scenario("audit", "--set", f"opensbi.source=path:{tree}")
    assert result.status == 0, result.screen


# Files that wrap functions of OpenSBI, with what fake.h declares of them.
DRIFT = {
    "tsmd_trap.c": ("*sbi_trap_handler(struct", "*sbi_trap_handler(const struct"),
    "tsmd_guard.c": ("int sbi_dbtr_get_total_triggers", "long sbi_dbtr_get_total_triggers"),
}


@pytest.mark.parametrize("name", DRIFT)
def test_a_wrapped_function_of_another_type_does_not_build(name: str, tmp_path: Path) -> None:
    def compiled() -> str:
        include = (f"-I{tmp_path}", f"-I{ROOT}/firmware/abi", "-include", f"{tmp_path}/fake.h")
        source = f"{ROOT}/firmware/opensbi/tsmd/{name}"
        command = ("cc", "-std=gnu11", "-fsyntax-only", *include, source)
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    fake = (ROOT / "firmware/opensbi/tests/fake.h").read_text()
    (tmp_path / "sbi").mkdir()
    for path in (ROOT / "firmware/opensbi/tsmd").glob("*.[ch]"):
        for header in re.findall(r"#include <(sbi/[a-z_]+\.h)>", path.read_text()):
            (tmp_path / header).touch()
    (tmp_path / "fake.h").write_text(fake)
    assert "another type" not in compiled()
    old, new = DRIFT[name]
    assert fake.count(old) == 1
    (tmp_path / "fake.h").write_text(fake.replace(old, new))
    assert "has another type in this OpenSBI" in compiled()
