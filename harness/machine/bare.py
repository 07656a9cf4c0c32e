# SPDX-License-Identifier: Apache-2.0
"""A payload in the host kernel's place: it says what it has to say on the UART and powers off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.machine.deadline import scaled
from harness.machine.machine import Machine, start_machine
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir


@contextlib.contextmanager
def bare_machine(
    config: Config, artefacts: Artefacts, payload: Path, run: RunDir
) -> Iterator[Machine]:
    """Start the machine with a payload instead of the host's kernel.

    Args:
        config: the machine.
        artefacts: firmware and TSM.
        payload: flat image with the header of a RISC-V kernel Image, linked where QEMU loads
            the kernel.
        run: folder for the evidence.
    """
    files = prepare_boot(config, replace(artefacts, kernel_image=payload), run, {})
    with start_machine(config, files, run) as machine:
        yield machine


def run_to_end(machine: Machine, what: str) -> list[str]:
    """Wait until the payload has powered off; return the lines on the UART.

    Args:
        machine: from `bare_machine`; its memory can still be read afterwards.
        what: the payload, as it reads in an error.

    Raises:
        MachineCrash, MachineHang, DeadlineExceeded: it did not get to its end.
    """
    machine.wait_off(scaled(what, machine.config.timeouts.stall_s))
    return machine.uart.read(0).decode(errors="replace").replace("\r", "").splitlines()
