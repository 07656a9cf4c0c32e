# SPDX-License-Identifier: Apache-2.0
"""Debian's QEMU, on the host, as the VMM of the KVM guest of three worlds: `worlds.vmm: qemu`."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from harness.build import vmm_guest
from harness.config.schema import Config
from harness.host import kvm_process
from harness.machine.deadline import slowness
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke

# The guest's console has its own 16550, which loses what comes before the guest has opened it.
_READY = b"work: userspace at "
INPUT = "/tmp/qemu.input"
_CMDLINE = "earlycon=sbi console=ttyS0"
_LOOK_S = 0.1


def is_vmm(config: Config) -> bool:
    """Tell whether QEMU is the VMM of the KVM guest."""
    return config.worlds.vmm == "qemu"


def command(config: Config, vcpus: int, kernel: str, initrd: str) -> str:
    """Return the shell's command that runs the guest, as one process; stdout is its console.

    KVM has an interrupt controller for guests only where the machine has an AIA with IMSICs; else
    QEMU emulates a PLIC, and the guest's 16550 interrupts by KVM_INTERRUPT.

    Args:
        config: says which interrupt controller the machine has, and how much memory guests get.
        vcpus: number of vCPUs.
        kernel: the guest's, a file on the host.
        initrd: its initramfs, another one.
    """
    controller = "aplic-imsic" if config.machine.aia == "aplic-imsic" else "none"
    # No -accel beside it: without KVM, QEMU ends and says why.
    words = ["qemu-system-riscv64", "-accel", "kvm", "-machine", f"virt,aia={controller}"]
    words += ["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    words += ["-monitor", "none", "-serial", "stdio"]
    words += ["-m", str(config.tvm.memory_mib), "-smp", str(vcpus)]
    words += ["-kernel", vmm_guest.START, "-initrd", initrd, "-append", _CMDLINE]
    words += ["-device", f"loader,file={kernel},addr={vmm_guest.KERNEL:#x},force-raw=on"]
    # Opened for both, so that neither side waits for the other, nor finds the other gone.
    fifo = f"rm -f {INPUT}; mkfifo -m 600 {INPUT}"
    return f"{fifo}; {shlex.join(words)} <>{INPUT}"


def ask(smoke: Smoke, asked: str, log: Path, start: int, errors: str) -> None:
    """Give the guest its line when it is there to read it; see before that KVM runs it.

    Args:
        smoke: the run; `$kvm` of the host's shell is the process.
        asked: the line.
        log: what the console's other end is.
        start: where this guest's part of it begins.
        errors: file on the host with what QEMU says.

    Raises:
        CheckFailed: the guest never got so far, or has no vCPU of KVM.
    """
    host = smoke.need_host()
    # It boots beside other worlds, and their clocks go on while another one works.
    end = time.monotonic() + 3 * smoke.config.timeouts.guest_s * slowness()
    while _READY not in log.read_bytes()[start:]:
        host.machine.check()
        # What it has said it said on the vCPUs that are looked for afterwards.
        said = log.read_bytes()[start:].decode(errors="replace").splitlines()
        vcpus = kvm_process.vcpus(host.shell.run("ls -l /proc/$kvm/fd").output)
        # One that has ended is a zombie, or gone when the shell has seen it; it has no files.
        alive = host.shell.run("read -r _ _ state _ </proc/$kvm/stat && [ $state != Z ]").ok
        if said and alive and not vcpus:
            raise CheckFailed("QEMU's guest runs, and has no vCPU of KVM", details=said[-3:])
        panic = any("Kernel panic - " in line for line in said)
        if not alive or panic or time.monotonic() > end:
            last = [*host.shell.run(f"cat {errors}").output.splitlines()[-2:], *said[-3:]]
            raise CheckFailed(
                "QEMU's guest did not reach its userspace", f"see {log.name}", details=last
            )
        time.sleep(_LOOK_S)
    # Opened for both here as well: QEMU may have ended meanwhile.
    host.shell.run(f"echo {shlex.quote(asked)} 1<>{INPUT}")
