# SPDX-License-Identifier: Apache-2.0
"""Measurement registers computed from the images (firmware/abi/attestation.md, "Registers")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from harness import abi
from harness.machine.layout import parse_image
from harness.scenarios.payload import measure_entry, measure_pages, measured_pages

_ZERO = bytes(abi.MEASUREMENT_DIGEST_SIZE)


def extended(register: bytes, digest: bytes) -> bytes:
    """Return a register after `digest` was added: SHA384(register | digest)."""
    return hashlib.sha384(register + digest).digest()


def image_register(image: bytes) -> bytes:
    """Return the register of an image of the platform: one extension by its SHA-384."""
    return extended(_ZERO, hashlib.sha384(image).digest())


@dataclass(frozen=True, slots=True)
class Reference:
    """What evidence must say. None: whatever it says is taken.

    `runtime` has registers that the guest extends, by number.
    """

    challenge: bytes | None = None
    firmware: bytes | None = None
    tsm: bytes | None = None
    initial: dict[int, bytes] | None = None
    runtime: dict[int, bytes] | None = None
    guest_key: bytes | None = None


def launch_registers(elf: bytes, argument: int, name: str = "guest.elf") -> dict[int, bytes]:
    """Return registers 4 and 5 of a TVM.

    Args:
        elf: its program, as `tvm run` loads it.
        argument: what finalize_tvm hands to it.
        name: of the file, for messages.

    Raises:
        ConfigError: it is not a guest.
    """
    image = parse_image(elf, Path(name), "the guest (--guest)")
    return {
        abi.MEASUREMENT_TVM_PAGES: measure_pages(measured_pages(image)),
        abi.MEASUREMENT_TVM_ENTRY: measure_entry(image.entry, argument),
    }
