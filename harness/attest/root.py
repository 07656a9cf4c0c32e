# SPDX-License-Identifier: Apache-2.0
"""The root of trust of the machine: it measures the firmware and the TSM before they run.

For tests only. On a board this is boot ROM with a secret of the chip; here the harness loads both
images, so nobody is nearer to what they are.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives import serialization
from pycose.algorithms import Es384
from pycose.headers import Algorithm
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from harness import abi
from harness.attest import keys
from harness.attest.measure import image_register

CWT_TAG = 61
STATE_DEBUG = 3
PROFILE = "https://riscv.org/TBD"
_HEAD = struct.Struct("<QII")


@dataclass(frozen=True, slots=True)
class Handover:
    """What the machine's device tree gets: both are taken out before the host can look.

    `seed` is the TSM's CDI; `blob` is struct tee_handover of firmware/abi/teecall.h.
    """

    seed: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class RootOfTrust:
    """A root of trust with a secret (UDS) of this machine, 32 bytes or more."""

    uds: bytes

    def public_pem(self) -> bytes:
        """Return what verifiers trust: the public key of the root, PEM."""
        return (
            keys.key_of(self.uds)
            .public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    def handover(self, firmware: bytes, tsm: bytes) -> Handover:
        """Measure the images and sign what they are.

        Args:
            firmware: the M-mode firmware as it is loaded.
            tsm: the TSM's ELF file.
        """
        registers = [image_register(firmware), _none(), image_register(tsm), _none()]
        platform_cdi = keys.next_cdi(self.uds, registers[0] + registers[1])
        tsm_cdi = keys.next_cdi(platform_cdi, registers[2] + registers[3])
        platform, own = keys.key_of(platform_cdi), keys.key_of(tsm_cdi)
        own_public = keys.public_cose(own.public_key()).encode()
        root = keys.private_cose(keys.key_of(self.uds))
        platform_token = _sign(root, self._platform_claims(platform_cdi, registers))
        tsm_token = _sign(keys.private_cose(platform), _tsm_claims(own_public, registers))
        return Handover(tsm_cdi, _pack(registers, own_public, platform_token, tsm_token))

    def _platform_claims(self, cdi: bytes, registers: list[bytes]) -> dict[int, object]:
        public = keys.public_cose(keys.key_of(cdi).public_key()).encode()
        return {
            abi.CLAIM_PROFILE: PROFILE,
            abi.CLAIM_PLATFORM_KEY: public,
            abi.CLAIM_MANUFACTURER: b"teecall, for tests only".ljust(64, b"\0"),
            abi.CLAIM_STATE: STATE_DEBUG,
            abi.CLAIM_COMPONENTS: [_component("firmware", registers[0])],
        }


def _tsm_claims(public: bytes, registers: list[bytes]) -> dict[int, object]:
    return {
        abi.CLAIM_TSM_KEY: public,
        abi.CLAIM_COMPONENTS: [
            _component("TSM-driver", registers[0]),
            _component("TSM", registers[2]),
        ],
    }


def _component(name: str, measurement: bytes) -> dict[int, object]:
    """Name a component; there is no signer: images are measured, not signed."""
    return {1: name, 2: measurement, 3: str(abi.ATTEST_TCB_SVN), 6: "sha-384"}


def _none() -> bytes:
    return bytes(abi.MEASUREMENT_DIGEST_SIZE)


def _sign(key: EC2Key, claims: dict[int, object]) -> bytes:
    payload = cbor2.dumps(cbor2.CBORTag(CWT_TAG, claims), canonical=True)
    message = Sign1Message(phdr={Algorithm: Es384}, payload=payload)
    message.key = key
    return bytes(message.encode())


def _pack(registers: list[bytes], tsm_public: bytes, platform: bytes, tsm: bytes) -> bytes:
    room = abi.ATTEST_HANDOVER_TOKEN
    if max(len(platform), len(tsm)) > room:
        raise ValueError(f"tokens of {len(platform)} and {len(tsm)} bytes do not fit in {room}")
    return (
        _HEAD.pack(abi.ATTEST_HANDOVER_MAGIC, len(platform), len(tsm))
        + b"".join(registers)
        + bytes.fromhex(keys.key_name(tsm_public))
        + bytes(4)
        + platform.ljust(room, b"\0")
        + tsm.ljust(room, b"\0")
    )


def seed_for(run_seed: bytes) -> bytes:
    """Return the secret of the machine of a run: the same run has the same keys again."""
    return hashlib.sha384(b"teecall root of trust" + run_seed).digest()
