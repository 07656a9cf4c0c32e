# SPDX-License-Identifier: Apache-2.0
"""The VMM of a plain KVM guest: that it has KVM run the guest, from its banner to its power off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.build.image import banner_of
from harness.build.recipe import Recipe
from harness.config.schema import Config
from harness.host import kvm_process
from harness.scenarios import qemu
from harness.scenarios.linux_tvm import KERNEL, console_lines
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke
from harness.scenarios.world import log_of, start

_SECONDS = 1
# What Linux says of the SBI it finds: KVM's implementation ID is 3 (SBI 2.0, chapter 4).
_SBI_OF_KVM = "SBI implementation ID=0x3 "
_MODEL = "Machine model: riscv-virtio,qemu"


def recipes(config: Config) -> tuple[Recipe, ...]:
    """Return what has to be built for the VMM."""
    if not qemu.is_vmm(config):
        return ()
    from harness.build.vmm import VmmRecipe

    return (VmmRecipe(),)


def give_files(smoke: Smoke, places: Mapping[str, Path]) -> None:
    """Have the VMM on the host.

    Args:
        smoke: the run, before it boots.
        places: the folder of each component by its recipe's name, those of `recipes` among them.
    """
    if not qemu.is_vmm(smoke.config):
        return
    from harness.build.vmm import ARCHIVE, VmmRecipe
    from harness.sources.vmm_packages import NAME_OF_VMM

    assert smoke.builder is not None and smoke.artefacts is not None
    more = (places[VmmRecipe.name] / ARCHIVE,)
    smoke.artefacts = replace(smoke.artefacts, initrd_more=more)
    smoke.versions["vmm"] = f"QEMU {smoke.builder.sources.identify(NAME_OF_VMM).version}"


def in_kvm(files: str, stat: str, vcpus: int) -> float:
    """Return the seconds that harts have spent in the guest of a VMM.

    Args:
        files: `ls -l` of its /proc/PID/fd.
        stat: its /proc/PID/stat.
        vcpus: how many vCPUs it is to have.

    Raises:
        CheckFailed: KVM does not run its guest.
    """
    found = kvm_process.vcpus(files)
    if found != vcpus:
        raise CheckFailed(
            f"the VMM has {found} vCPUs of KVM, not {vcpus}: something else runs its guest"
        )
    try:
        spent = kvm_process.guest_seconds(stat)
    except ValueError as error:
        raise CheckFailed(f"the VMM's /proc/PID/stat: {error}") from None
    if not spent:
        raise CheckFailed("the VMM has vCPUs of KVM, and no hart has spent time in its guest")
    return spent


def check_console(text: str, banner: str, processes: int, emulator: bool) -> None:
    """Check what a guest said from its first line to its last.

    Args:
        text: its console.
        banner: that of its kernel.
        processes: how many had something to do.
        emulator: the guest's machine is QEMU's.

    Raises:
        CheckFailed: a line is missing.
    """
    wanted = [banner, _SBI_OF_KVM, *([_MODEL] if emulator else [])]
    wanted += [f"work: done {process} " for process in range(processes)]
    for line in (*wanted, "work: bye", "reboot: Power down"):
        if line not in text:
            raise CheckFailed(
                f"the KVM guest did not say `{line}`",
                f"see {log_of('kvm')}",
                details=text.splitlines()[-3:],
            )


def prove(smoke: Smoke, vcpus: int) -> None:
    """Check that KVM runs the guest which works, whose process is `$kvm` of the host's shell.

    Args:
        smoke: the run; its metrics get what the guest has had.
        vcpus: how many the guest has.
    """
    shell = smoke.need_host().shell
    files = shell.run("ls -l /proc/$kvm/fd").output
    spent = in_kvm(files, shell.run("cat /proc/$kvm/stat").output, vcpus)
    smoke.metrics["kvm_guest_s"] = spent


def short_life(smoke: Smoke) -> str:
    """Let the VMM run a guest that works for a second and goes off."""
    shell = smoke.need_host().shell
    world = start(smoke, "kvm", "short", _SECONDS)
    world.await_rounds(1)
    status = shell.run("wait $kvm", smoke.config.timeouts.guest_s).status
    world.look()
    if status:
        raise CheckFailed(
            f"the VMM of a guest that was to go off by itself ended with {status}",
            f"see {log_of('kvm')}",
        )
    text = "\n".join(console_lines(smoke, world.log_start, log_of("kvm")))
    emulator = qemu.is_vmm(smoke.config)
    check_console(text, banner_of(smoke.files[KERNEL]), world.processes, emulator)
    name = smoke.versions["vmm"] if emulator else "teecall's own"
    return (
        f"{name}: from the kernel's banner, with KVM's SBI, to power off;"
        f" {world.rounds} rounds of each of {world.processes} processes"
    )
