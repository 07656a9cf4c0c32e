# SPDX-License-Identifier: Apache-2.0
"""Keys of the DICE layers (firmware/abi/attestation.md, "Keys")."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pycose.keys.curves import P384
from pycose.keys.ec2 import EC2Key

CDI_SIZE = 32
_ID_SIZE = 20
_COORDINATE = 48
# Of the group of P-384 (SP 800-186, 3.2.1.4).
_ORDER = int(
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
    16,
)


def derive(secret: bytes, purpose: str, size: int) -> bytes:
    """Return `size` bytes by HKDF with SHA-384, no salt, and `purpose` as the info."""
    return HKDF(hashes.SHA384(), size, None, purpose.encode()).derive(secret)


def next_cdi(cdi: bytes, measurement: bytes) -> bytes:
    """Return the CDI of the layer that measures as `measurement` below the layer with `cdi`."""
    return derive(cdi + hashlib.sha384(measurement).digest(), "teecall CDI", CDI_SIZE)


def key_of(cdi: bytes) -> ec.EllipticCurvePrivateKey:
    """Return the P-384 key of a layer (FIPS 186-5, A.2.1: 64 bits more than the order)."""
    stretched = derive(cdi, "teecall key", _COORDINATE + 8)
    return ec.derive_private_key(
        int.from_bytes(stretched, "big") % (_ORDER - 1) + 1, ec.SECP384R1()
    )


def public_cose(key: ec.EllipticCurvePublicKey) -> EC2Key:
    """Return a public key as a COSE_Key."""
    numbers = key.public_numbers()
    x, y = (value.to_bytes(_COORDINATE, "big") for value in (numbers.x, numbers.y))
    return EC2Key(crv=P384, x=x, y=y)


def private_cose(key: ec.EllipticCurvePrivateKey) -> EC2Key:
    """Return a private key as a COSE_Key."""
    public = public_cose(key.public_key())
    secret = key.private_numbers().private_value.to_bytes(_COORDINATE, "big")
    return EC2Key(crv=P384, x=public.x, y=public.y, d=secret)


def key_name(encoded: bytes) -> str:
    """Return the CDI_ID of a key, given as an encoded COSE_Key, in hexadecimal."""
    return derive(encoded, "teecall ID", _ID_SIZE).hex()
