# SPDX-License-Identifier: Apache-2.0
"""A payload in the host kernel's place: it says what it has to say on the UART and powers off."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import ConfigError, MachineError
from harness.machine.deadline import Deadline, scaled
from harness.machine.layout import KERNEL_BASE
from harness.machine.machine import Machine, start_machine
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir
from harness.machine.symbols import Symbol


@contextlib.contextmanager
def bare_machine(
    config: Config,
    artefacts: Artefacts,
    payload: Path,
    run: RunDir,
    rng_seed: bytes | None = None,
) -> Iterator[Machine]:
    """Start the machine with a payload instead of the host's kernel.

    Args:
        config: the machine.
        artefacts: firmware and TSM.
        payload: flat image with the header of a RISC-V kernel Image, linked where QEMU loads
            the kernel.
        run: folder for the evidence.
        rng_seed: 32 bytes in a boot that repeats another, as for `powered`; None: by chance.
    """
    files = prepare_boot(config, replace(artefacts, kernel_image=payload), run, {}, rng_seed)
    with start_machine(config, files, run, silent=rng_seed is not None) as machine:
        yield machine


def patched(image: bytes, place: Symbol, data: bytes) -> bytes:
    """Return a payload's flat image with `data` in one of its objects.

    Args:
        image: it starts where QEMU loads the kernel.
        place: the object in the payload's ELF file.
        data: begins the object.

    Raises:
        ConfigError: the object is too small, or not in the file's part of the payload.
    """
    offset = place.address - KERNEL_BASE
    if place.size < len(data) or offset < 0 or offset + len(data) > len(image):
        raise ConfigError(
            f"the payload has no room for {len(data)} bytes of {place.name}",
            "payload and harness are of different versions",
        )
    return image[:offset] + data + image[offset + len(data) :]


def wait_line(machine: Machine, line: bytes, deadline: Deadline, start: int = 0) -> None:
    """Wait for a line on the UART; the machine may have switched itself off behind it.

    Args:
        machine: from `bare_machine`.
        line: what the line has in it.
        deadline: how long.
        start: position on the UART from which it counts.

    Raises:
        MachineCrash, MachineHang, DeadlineExceeded: it does not come.
    """
    while line not in machine.uart.read(start):
        try:
            machine.check()
        except MachineError:
            if line in machine.uart.read(start):
                return
            raise
        with machine.uart.news:
            if line not in machine.uart.read(start):
                machine.uart.news.wait(min(0.2, deadline.remaining()))
        deadline.progress(machine.said())
        if line not in machine.uart.read(start):
            deadline.check(machine.check_awake)


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
