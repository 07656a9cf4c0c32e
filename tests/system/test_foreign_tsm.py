# SPDX-License-Identifier: Apache-2.0
"""A TSM that is given as a finished ELF file boots, or the message says what is wrong with it."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.machine.layout import Image, read_image
from tests.system.conftest import Smoke, teecall
from tests.unit.elf_maker import elf

BASE = 0x8F000000
ELSEWHERE = 0x8D000000
_ENTRY_FIELD = 24
_X86 = 62


def _built(*settings: str) -> Path:
    """Return the TSM that teecall builds itself."""
    words = [word for setting in settings for word in ("--set", setting)]
    done = teecall("build", "--paths", "-q", *words)
    assert done.returncode == 0, done.stdout
    paths = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return Path(paths["tsm_elf"])


@pytest.mark.system
def test_tsm_without_symbols_boots(smoke: Smoke, tmp_path: Path) -> None:
    """It tells neither events nor counts, and all that the host can see is checked."""
    file = tmp_path / "foreign.elf"
    strip = ("riscv64-linux-gnu-objcopy", "--strip-all", str(_built()), str(file))
    subprocess.run(strip, check=True)
    result = smoke("--set", f"tsm.elf={file}")
    assert not result.failed(), result.screen
    skipped = {c["name"] for c in result.report["checks"] if c["verdict"] == "SKIP"}
    assert skipped == {"steps"}, result.screen


@pytest.mark.system
def test_tsm_linked_elsewhere(smoke: Smoke, tmp_path: Path) -> None:
    """It runs where it was linked, and nowhere else."""
    file = tmp_path / "foreign.elf"
    shutil.copy(_built(f"memory.tsm_base={ELSEWHERE:#x}"), file)
    result = smoke("--set", f"tsm.elf={file}", "--set", f"memory.tsm_base={ELSEWHERE:#x}")
    assert not result.failed(), result.screen
    refused = teecall("smoke", "--set", f"tsm.elf={file}")
    assert refused.returncode == 2, refused.stdout
    said = f"TSM segment 0 of foreign.elf [{ELSEWHERE:#x}"
    assert said in refused.stdout and "link the TSM at memory.tsm_base" in refused.stdout


def _with_another_entry(file: Path, image: Image) -> bytes:
    """Return the ELF file with its entry at a jump, in unused bytes, to its first instruction."""
    code = image.segments[0]
    at = code.data.rindex(bytes(16)) & ~3
    offset = -at
    jump = (
        0x6F
        | (offset >> 20 & 1) << 31
        | (offset >> 1 & 0x3FF) << 21
        | (offset >> 11 & 1) << 20
        | (offset >> 12 & 0xFF) << 12
    )
    content = bytearray(file.read_bytes())
    struct.pack_into("<I", content, code.file_offset + at, jump)
    struct.pack_into("<Q", content, _ENTRY_FIELD, code.vaddr + at)
    return bytes(content)


@pytest.mark.system
def test_tsm_is_entered_where_its_elf_says(smoke: Smoke, tmp_path: Path) -> None:
    """The entry need not be the first byte."""
    built = _built()
    file = tmp_path / "foreign.elf"
    file.write_bytes(_with_another_entry(built, read_image(built, "the TSM")))
    entry = read_image(file, "the TSM").entry
    assert entry != BASE
    run = tmp_path / "run"
    result = smoke("--set", f"tsm.elf={file}", "--run-dir", str(run))
    assert not result.failed(), result.screen
    assert "TSM_BOOT" in (run / "events.json").read_text()
    assert f"{entry:#x}" in (run / "events.json").read_text()


WRONG = {
    "text": (b"#!/bin/sh\n", "is not an ELF file"),
    "x86": (elf(BASE, b"\x90" * 64, machine=_X86), "for another machine"),
    "32-bit": (elf(BASE, bytes(64), bits=32), "is a 32-bit ELF file"),
    "cut": (elf(BASE, bytes(64))[:100], "is damaged"),
    "empty": (elf(BASE, b""), "has nothing to load"),
    "in-the-pool": (elf(0x90000000, bytes(64)), "confidential pool"),
    "over-the-boot-information": (
        elf(BASE + 0xFFF000, bytes(64)),
        "the region's last page is the boot information",
    ),
}


@pytest.mark.system
@pytest.mark.parametrize("name", WRONG)
def test_wrong_file_is_refused(name: str, tmp_path: Path) -> None:
    content, says = WRONG[name]
    file = tmp_path / "foreign.elf"
    file.write_bytes(content)
    done = teecall("smoke", "--set", f"tsm.elf={file}")
    assert done.returncode == 2, done.stdout
    assert says in done.stdout and "foreign.elf" in done.stdout


@pytest.mark.system
def test_entry_that_is_not_loaded_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "foreign.elf"
    content = bytearray(elf(BASE, bytes(64)))
    struct.pack_into("<Q", content, _ENTRY_FIELD, 0)
    file.write_bytes(content)
    done = teecall("smoke", "--set", f"tsm.elf={file}")
    assert done.returncode == 2, done.stdout
    assert "its entry 0x0 is in no segment" in done.stdout


@pytest.mark.system
def test_second_tsm_of_the_first_domain_is_refused() -> None:
    words = ("--set", "tsm.domains=2", "--set", f"tsm.second_elf={_built()}")
    done = teecall("smoke", *words)
    assert done.returncode == 2, done.stdout
    assert "second TSM segment 0 of tsm.elf" in done.stdout
