# SPDX-License-Identifier: Apache-2.0
"""What users bring: tests of their own by `teecall test`, and payloads of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import ROOT, Scenario, teecall

EXAMPLES = ROOT / "tests/examples"
SAYS = "payload: hart 0, device tree"
# The TSM with FAULTS=1 does itself harm when the host asks for it.
DEADLY = """
import contextlib
import os
import signal

import pytest

from harness import abi
from harness.errors import MachineError

pytestmark = pytest.mark.teecall(harts=1, set={"tsm.flags": ["FAULTS=1"]})


def test_notices_nothing(host):
    host.machine.run.write("mine.txt", "of the machine that died")
    with contextlib.suppress(MachineError):
        host.run(f"tvm call covh {abi.FAULT_FID + abi.FAULT_PANIC}")


def test_has_another_machine(host):
    assert not (host.machine.run.path / "mine.txt").exists()
    assert host.call("covh", "get_tsm_info", host.machine.config.memory.pool_base, 48).ok


def test_expects_it(machine, host):
    with machine.allow("tsm") as deaths:
        host.run(f"tvm call covh {abi.FAULT_FID + abi.FAULT_NULL}")
    assert deaths[0].kind == "TSM fault"


def test_has_no_machine_on_which_the_tsm_is_dead(host):
    assert host.call("covh", "get_tsm_info", host.machine.config.memory.pool_base, 48).ok


@pytest.mark.teecall(fresh=True)
def test_whose_emulator_is_killed(machine, host):
    os.kill(machine.pid, signal.SIGKILL)
    host.run("true")


@pytest.mark.teecall(set={"host.cmdline": "rdinit=/none"})
def test_whose_host_does_not_boot(host):
    pass
"""


@pytest.fixture(scope="module")
def payload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples' payload, an ELF file; the flat binary is beside it."""
    elf = tmp_path_factory.mktemp("payload") / "payload.elf"
    source = EXAMPLES / "payload.S"
    words = ["-nostdlib", "-static", "-Wl,-Ttext=0x80200000,--build-id=none", "-o", str(elf)]
    subprocess.run(["riscv64-linux-gnu-gcc", *words, str(source)], check=True)
    flat = ["-O", "binary", str(elf), str(elf.with_suffix(".bin"))]
    subprocess.run(["riscv64-linux-gnu-objcopy", *flat], check=True)
    return elf


def test_examples_pass(tmp_path: Path) -> None:
    report = tmp_path / "tests.json"
    done = teecall("test", str(EXAMPLES), "--json", str(report), "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    told = json.loads(report.read_text())
    assert {test["outcome"] for test in told["tests"]} == {"passed"}
    assert len(told["tests"]) >= 7, done.stdout


def test_what_happens_to_tests_on_machines_that_die(tmp_path: Path) -> None:
    (tmp_path / "test_deadly.py").write_text(DEADLY)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    report, runs = tmp_path / "tests.json", tmp_path / "runs"
    done = teecall("test", str(tmp_path), "--json", str(report), "--run-dir", str(runs))
    tests = {t["test"].partition("::")[2]: t for t in json.loads(report.read_text())["tests"]}
    # The environment has spoilt one of them: that is the worst.
    assert done.returncode == 99, done.stdout
    outcomes = {name: test["outcome"] for name, test in tests.items()}
    assert outcomes == {
        "test_notices_nothing": "failed",
        "test_has_another_machine": "passed",
        "test_expects_it": "passed",
        "test_has_no_machine_on_which_the_tsm_is_dead": "passed",
        "test_whose_emulator_is_killed": "error",
        "test_whose_host_does_not_boot": "failed",
    }, done.stdout
    died = tests["test_notices_nothing"]
    assert died["teecall.verdict"] == "CRASH"
    assert died["teecall.signature"] == "CRASH tsm panic: asked for by the host"
    _check_report(done.stdout, Path(str(died["teecall.evidence"])))
    assert tests["test_whose_emulator_is_killed"]["teecall.verdict"] == "INFRA"
    assert "linux panic" in str(tests["test_whose_host_does_not_boot"]["teecall.signature"])


def _check_report(screen: str, folder: Path) -> None:
    """The screen has the backtrace and says where all is; the folder can be parsed again."""
    for wanted in (
        "the test itself noticed nothing",
        "fault_panic",
        "fault/fault.c:",
        "signature: CRASH tsm panic: asked for by the host",
        f"open: {folder}/forensics.txt",
        "test_deadly.py::test_notices_nothing",
    ):
        assert wanted in screen, screen
    for name in ("uart.log", "run.json", "forensics.txt", "mine.txt", "events.json"):
        assert (folder / name).is_file(), name
    again = teecall("parse", str(folder))
    assert "tsm panic: asked for by the host" in again.stdout, again.stdout


@pytest.mark.parametrize("suffix", [".elf", ".bin"])
def test_payload_in_the_hosts_place(suffix: str, payload: Path, tmp_path: Path) -> None:
    done = teecall(
        "boot", "--payload", str(payload.with_suffix(suffix)), "--run-dir", str(tmp_path / "run")
    )
    assert done.returncode == 0 and SAYS in done.stdout, done.stdout
    log = (tmp_path / "run/uart.log").read_text()
    assert "tsmd: TSM domain ready" in log and "Linux version" not in log


def test_payload_that_does_not_end(tmp_path: Path) -> None:
    source, elf = tmp_path / "loop.S", tmp_path / "loop.elf"
    source.write_text(".globl _start\n_start: j _start\n")
    words = ["-nostdlib", "-static", "-Wl,-Ttext=0x80200000,--build-id=none", "-o", str(elf)]
    subprocess.run(["riscv64-linux-gnu-gcc", *words, str(source)], check=True)
    done = teecall("boot", "--payload", str(elf), "--set", "timeouts.stall_s=0.5")
    assert done.returncode == 1 and "payload: no sign of life" in done.stdout, done.stdout


@pytest.mark.parametrize("suffix", [".elf", ".bin"])
def test_payload_as_a_tvm(suffix: str, payload: Path, scenario: Scenario) -> None:
    result = scenario("payload", "--set", f"tvm.payload={payload.with_suffix(suffix)}")
    assert result.status == 0, result.screen
    assert SAYS in result.check("payload")["detail"]
    folder = Path(result.report["evidence_dir"])
    assert (folder / "guest-console.log").read_text() == f"{SAYS}\n"


def test_payload_that_faults_as_a_tvm(tmp_path: Path, scenario: Scenario) -> None:
    source, elf = tmp_path / "fault.S", tmp_path / "fault.elf"
    # Beyond the memory that its device tree has: nobody answers there.
    source.write_text(".globl _start\n_start: li t0, 0x40000000\nld t0, (t0)\nj _start\n")
    words = ["-nostdlib", "-static", "-Wl,-Ttext=0x80200000,--build-id=none", "-o", str(elf)]
    subprocess.run(["riscv64-linux-gnu-gcc", *words, str(source)], check=True)
    sets = ("--set", f"tvm.payload={elf}", "--set", "timeouts.guest_s=3")
    result = scenario("payload", *sets)
    assert result.status == 1 and result.failed() == ["payload"], result.screen
    assert result.check("gone")["verdict"] == "PASS", result.screen
