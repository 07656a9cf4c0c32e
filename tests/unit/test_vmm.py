# SPDX-License-Identifier: Apache-2.0
"""The VMM inside the host: its packages, its command, and the proof that KVM runs its guest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import resources
from harness.build.libraries import closure, needed
from harness.build.vmm import packages
from harness.config.schema import Config, Machine
from harness.errors import BuildError
from harness.host import kvm_process
from harness.scenarios import qemu
from harness.scenarios.runner import CheckFailed
from harness.scenarios.vmm import check_console, in_kvm
from harness.sources import lock
from harness.sources.vmm_lock import series_of
from harness.sources.vmm_packages import NAME_OF_VMM

FILES = """\
lrwx------    1 0        0               64 Jan  1 00:00 11 -> /dev/kvm
lrwx------    1 0        0               64 Jan  1 00:00 12 -> anon_inode:kvm-vm
lrwx------    1 0        0               64 Jan  1 00:00 13 -> anon_inode:kvm-vcpu:0
lr-x------    1 0        0               64 Jan  1 00:00 14 -> anon_inode:kvm-vcpu-stats:0
lrwx------    1 0        0               64 Jan  1 00:00 15 -> anon_inode:kvm-vcpu:1
"""
EMULATED = FILES.replace("kvm-vcpu:", "[eventfd]")


def stat(ticks: int) -> str:
    # The name may have spaces and brackets.
    before = " ".join(["S", *["7"] * 39])
    return f"47 (qemu) (x y) {before} {ticks} 0 93825142920680 0"


CONSOLE = """\
[    0.000000] Linux version 6.12.107 (teecall) #1
[    0.000000] Machine model: riscv-virtio,qemu
[    0.000000] SBI implementation ID=0x3 Version=0x60c6b
work: done 0 12 00000000
work: bye
[    2.0] reboot: Power down
"""


def test_a_guest_of_kvm_has_vcpus_and_time() -> None:
    assert in_kvm(FILES, stat(332), 2) == pytest.approx(3.32)
    assert kvm_process.vcpus(FILES.replace("\n", "\r\n")) == 2


@pytest.mark.parametrize(
    ("files", "line", "says"),
    [
        (EMULATED, stat(332), "0 vCPUs of KVM, not 2"),
        ("", stat(332), "0 vCPUs of KVM, not 2"),
        (FILES, stat(0), "no hart has spent time"),
        (FILES, "", "the process is gone"),
    ],
)
def test_a_guest_that_kvm_does_not_run_is_told(files: str, line: str, says: str) -> None:
    with pytest.raises(CheckFailed, match=says):
        in_kvm(files, line, 2)


def test_what_a_guest_says_from_banner_to_power_off() -> None:
    check_console(CONSOLE, "Linux version 6.12.107", 1, emulator=True)
    check_console(CONSOLE.replace("riscv-virtio,qemu", "own"), "Linux version", 1, emulator=False)


@pytest.mark.parametrize("line", range(len(CONSOLE.splitlines())))
def test_a_line_that_is_missing_is_told(line: int) -> None:
    lines = CONSOLE.splitlines(keepends=True)
    del lines[line]
    with pytest.raises(CheckFailed, match="did not say"):
        check_console("".join(lines), "Linux version 6.12.107", 1, emulator=True)


def test_another_sbi_is_not_kvms() -> None:
    # OpenSBI's ID: the guest of an emulator.
    with pytest.raises(CheckFailed, match="ID=0x3"):
        check_console(CONSOLE.replace("ID=0x3", "ID=0x1"), "Linux version", 1, emulator=True)


@pytest.mark.parametrize(
    ("aia", "controller"), [("none", "none"), ("aplic", "none"), ("aplic-imsic", "aplic-imsic")]
)
def test_kvms_interrupt_controller_is_used_where_it_has_one(aia: str, controller: str) -> None:
    machine = Machine(aia=aia)  # type: ignore[arg-type]
    command = qemu.command(Config(machine=machine), 2, "/guest/Image", "/guest/work.cpio")
    assert f"-machine virt,aia={controller} " in command
    assert "-accel kvm" in command and "tcg" not in command


@pytest.mark.parametrize(
    ("version", "series"),
    [
        ("1:10.0.13+ds-0+deb13u1", "10.0"),
        ("2.41-12+deb13u4", "2"),
        ("1:1.3.dfsg+really1.3.1-1+b1", "1"),
        ("257.13-1~deb13u1", "257"),
        ("5", "5"),
    ],
)
def test_series_of_a_package(version: str, series: str) -> None:
    assert series_of(version) == series


def test_every_package_is_pinned_as_a_file_of_the_mirror_by_its_hash() -> None:
    pins = lock.read(resources.configs() / "sources.lock")
    names = packages()
    assert NAME_OF_VMM in names and "vmm-libc6" in names
    for name in names:
        pin = pins[name]
        assert pin.sha256 and pin.series, name
        pool, apt = pin.origins
        assert pool.startswith("pool:main/") and apt == f"apt:{name[4:]}={pin.version}"


def test_a_library_that_no_package_has_is_told(tmp_path: Path) -> None:
    program = tmp_path / "program"
    shell = shutil.which("sh")
    assert shell
    shutil.copy(shell, program)
    assert "libc.so.6" in needed(program)
    with pytest.raises(BuildError, match=r"program needs libc\.so\.6"):
        closure(program, [tmp_path])
    (tmp_path / "lib").mkdir()
    for name in ("libc.so.6", "ld-linux-x86-64.so.2"):
        (tmp_path / "lib" / name).write_bytes(b"no ELF file")
    with pytest.raises(BuildError, match="cannot be read as ELF"):
        closure(program, [tmp_path])
