# SPDX-License-Identifier: Apache-2.0
"""From artefacts to a host that answers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.machine.machine import Machine, start_machine
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir

if TYPE_CHECKING:
    from harness.attest.root import RootOfTrust
    from harness.host.host import Host


@contextlib.contextmanager
def powered(
    config: Config,
    artefacts: Artefacts,
    run: RunDir,
    files: Mapping[str, bytes] | None = None,
    rng_seed: bytes | None = None,
    root: RootOfTrust | None = None,
) -> Iterator[Machine]:
    """Check the images and start the machine; nothing of it is left behind the `with` block.

    Args:
        config: the machine.
        artefacts: what the build made.
        run: folder for the evidence.
        files: content by absolute path, added to the initramfs.
        rng_seed: 32 bytes for the kernel's random numbers in a boot that repeats another, in
            which nothing is sent to the consoles; None: by chance.
        root: what the TSM's key follows from; None: it has no key and gives no evidence.
    """
    boot_files = prepare_boot(config, artefacts, run, files or {}, rng_seed, root)
    with start_machine(config, boot_files, run, silent=rng_seed is not None) as machine:
        yield machine


def reach_shell(machine: Machine, while_booting: Callable[[], None] | None = None) -> Host:
    """Wait until the host's shell answers.

    Args:
        machine: just powered.
        while_booting: work that needs no machine; it is done while the machine boots.

    Raises:
        MachineCrash, MachineHang, DeadlineExceeded: it never answered.
    """
    # What talks to the host is loaded while the machine boots.
    from harness.host.host import Host
    from harness.machine.console import Console
    from harness.machine.deadline import Deadline, slowness

    config = machine.config
    serial = config.console.mode == "serial"
    stream = machine.uart if machine.shell is None else machine.shell
    times = config.timeouts
    deadline = Deadline(
        "boot to the host's shell", times.stall_s * slowness(), times.boot_s * slowness()
    )
    machine.connect_monitor()
    if while_booting is not None:
        while_booting()
    shell = Console(stream, machine, serial=serial, command_s=times.command_s)
    shell.connect(deadline)
    return Host(machine, shell)
