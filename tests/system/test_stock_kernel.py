# SPDX-License-Identifier: Apache-2.0
"""Debian's stock riscv64 kernel as the host's and in a TVM, the package's files as they are."""

from __future__ import annotations

import contextlib
import gzip
import shutil
from pathlib import Path

import pytest

from harness.build.builder import Builder
from harness.build.guest_files import guest_files, recipes
from harness.config.load import load
from harness.machine.rundir import new_run
from harness.scenarios import linux_tvm
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke as Run
from harness.scenarios.smoke import boot, poweroff
from harness.scenarios.smp import begin
from harness.ui import QuietUi
from tests.system.conftest import Smoke
from tests.system.kernels import banners

RELEASE = "6.12."
MARK = "#1 SMP Debian"


def test_debians_kernel_is_a_host(smoke: Smoke, tmp_path: Path) -> None:
    result = smoke("--set", "host.kernel=debian", "--run-dir", str(tmp_path / "run"))
    assert result.status == 0, result.screen
    assert all(check["verdict"] == "PASS" for check in result.report["checks"]), result.screen
    (banner,) = banners(tmp_path / "run/uart.log")
    assert RELEASE in banner and MARK in banner


def launched(folder: Path, sets: list[str], vcpus: int) -> tuple[str, Run]:
    """Boot a host, run Linux in a TVM to its power off, and return what the check says."""
    with contextlib.ExitStack() as stack:
        run = Run(load((), sets).value, new_run(folder), QuietUi(), stack)
        linux_tvm.build(run)
        boot(run)
        begin(run)
        detail = linux_tvm.run_and_judge(run, vcpus)
        poweroff(run)
    return detail, run


def test_debians_kernel_is_a_tvm_of_itself(tmp_path: Path) -> None:
    detail, run = launched(tmp_path / "run", ["host.kernel=debian", "tvm.kernel=debian"], 2)
    assert "accesses emulated" in detail
    console = tmp_path / "run/guest-console.log"
    (banner,) = banners(console)
    assert MARK in banner
    # The same guest, judged by another kernel's banner.
    lines = console.read_text(errors="replace").splitlines()
    other = b"Linux version 6.12.107 (teecall@teecall) (gcc) #1 SMP\n"
    with pytest.raises(CheckFailed, match="not that of the guest's Image"):
        linux_tvm.judge(lines, linux_tvm.nonce(run, 2), 2, other)


def test_debians_kernel_has_a_tvm_with_the_small_one(tmp_path: Path) -> None:
    launched(tmp_path / "run", ["host.kernel=debian"], 1)
    (banner,) = banners(tmp_path / "run/uart.log")
    assert MARK in banner
    (banner,) = banners(tmp_path / "run/guest-console.log")
    assert MARK not in banner


def test_a_kernel_build_of_the_users_is_a_host(smoke: Smoke, tmp_path: Path) -> None:
    """A build folder as `make O=` leaves it, with what the host needs as modules."""
    places = Builder(load((), ["host.kernel=debian"]).value, QuietUi()).run().places
    build = tmp_path / "build"
    shutil.copytree(places["debian-build"] / "build", build, symlinks=True)
    (build / "arch/riscv/boot").mkdir(parents=True, exist_ok=True)
    shutil.copy(places["debian-kernel"] / "Image", build / "arch/riscv/boot")
    modules = sorted((places["debian-kernel"] / "modules").glob("*.ko"))
    for module in modules:
        shutil.copy(module, build)
    (build / "modules.order").write_text("".join(f"{module.stem}.o\n" for module in modules))
    result = smoke("--set", f"host.kernel={build}", "--run-dir", str(tmp_path / "run"))
    assert result.status == 0, result.screen
    (banner,) = banners(tmp_path / "run/uart.log")
    assert MARK in banner


def test_a_packed_image_and_an_initramfs_of_the_users(tmp_path: Path) -> None:
    config = load((), ["tvm.kernel=debian"]).value
    outcome = Builder(config, QuietUi(), extra=recipes(config)).run()
    files = guest_files(config, outcome.places)
    (tmp_path / "Image.gz").write_bytes(gzip.compress(files.kernel, 1))
    (tmp_path / "initrd.gz").write_bytes(gzip.compress(files.initrd, 1))
    sets = [f"tvm.kernel={tmp_path / 'Image.gz'}", f"tvm.initrd={tmp_path / 'initrd.gz'}"]
    detail, _ = launched(tmp_path / "run", [*sets, "tvm.memory_mib=160"], 1)
    assert "+deb" in detail
    (banner,) = banners(tmp_path / "run/guest-console.log")
    assert MARK in banner
