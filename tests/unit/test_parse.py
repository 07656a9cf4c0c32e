# SPDX-License-Identifier: Apache-2.0
"""`teecall parse`: any log, the same rules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.signature.recorded import read
from harness.verdict import Verdict

LOGS = Path(__file__).parent / "logs"
OFF = b"[    2.0] reboot: Power down\n"


def parse(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "harness", "parse", *words]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


def test_exit_code_is_that_of_the_worst_log(tmp_path: Path) -> None:
    good = tmp_path / "good.log"
    good.write_bytes(OFF)
    done = parse(str(good), str(LOGS / "tsm-panic.uart.log"))
    assert done.returncode == 1, done.stderr
    text = done.stdout.decode()
    assert text.startswith("PASS") and "CRASH" in text
    assert "lines 156 to 158:" in text and "  | tsmd: TSM panic: injected at time" in text
    assert parse(str(good)).returncode == 0


def test_standard_input_and_json() -> None:
    done = parse("-", "--json", "-", given=b"\x00\xff\x1b[2J\ntsmd: TSM panic: x\n" + OFF)
    (found,) = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["verdict"], found["first_line"]) == ("CRASH", 2)
    assert (found["component"], found["kind"], found["title"]) == ("tsm", "panic", "tsm panic: x")


def test_log_that_is_not_there(tmp_path: Path) -> None:
    done = parse(str(tmp_path / "no.log"))
    assert done.returncode == 2
    assert b"no.log" in done.stderr and b"remedy" in done.stderr


def test_elf_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_text("no ELF")
    done = parse(str(LOGS / "tsm-panic.uart.log"), "--elf", str(tmp_path / "x.elf"))
    assert done.returncode == 2
    assert b"x.elf" in done.stderr


def run_folder(folder: Path, verdict: Verdict, log: bytes | None) -> Path:
    checks = [{"name": "launch", "verdict": str(verdict), "detail": "7 is not 8", "duration_s": 1}]
    told = {"verdict": str(verdict), "checks": checks, "images": ["/no/such.elf"]}
    (folder / "run.json").write_text(json.dumps(told))
    if log is not None:
        (folder / "uart.log").write_bytes(log)
    return folder


@pytest.mark.parametrize("log", [OFF, None])
def test_folder_says_what_the_log_cannot(tmp_path: Path, log: bytes | None) -> None:
    judged = read(str(run_folder(tmp_path, Verdict.FAIL, log))).judge()
    assert judged.signature is not None
    assert judged.signature.key == "FAIL tvm check launch: N is not N"


def test_folder_of_a_crash_is_judged_by_its_log(tmp_path: Path) -> None:
    log = b"tsmd: TSM panic: x\n"
    judged = read(str(run_folder(tmp_path, Verdict.CRASH, log))).judge()
    assert judged.signature is not None and judged.signature.key == "CRASH tsm panic: x"
    assert judged.first_line == 1
