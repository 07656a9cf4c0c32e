# SPDX-License-Identifier: Apache-2.0
"""Evidence: its signatures from the root of trust to the TVM, and its claims.

Nothing of a token is looked at before its signature is found right, with a key that the layer
below has vouched for.
"""

from __future__ import annotations

from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.algorithms import Es384
from pycose.headers import Algorithm
from pycose.keys.cosekey import CoseKey
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from harness import abi
from harness.attest import keys
from harness.attest.root import CWT_TAG
from harness.errors import TeecallError

Claims = dict[object, object]
_SIGN1 = 18


class EvidenceRejected(TeecallError):
    """Evidence does not show what it has to show."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The claims of evidence whose signatures are right.

    Registers are by number. `components` has the measurements that the root of trust took, by the
    name of what was measured. `certificate` has issuer and subject.
    """

    challenge: bytes
    guest_key: bytes
    identity: bytes | None
    initial: dict[int, bytes]
    runtime: dict[int, bytes]
    components: dict[str, bytes]
    state: int
    issuer: str
    subject: str


def read_evidence(blob: bytes, root_pem: bytes) -> Evidence:
    """Check all signatures and return the claims.

    Args:
        blob: what get_evidence gave, without anything behind it.
        root_pem: public key of the root of trust.

    Raises:
        EvidenceRejected: a signature or the form is wrong.
    """
    tokens = _tokens(blob)
    platform = _verified("platform", tokens["platform"], _root_key(root_pem))
    platform_key = _cose_key("platform", platform, abi.CLAIM_PLATFORM_KEY)
    tsm = _verified("tsm", tokens["tsm"], platform_key)
    tsm_key = _cose_key("tsm", tsm, abi.CLAIM_TSM_KEY)
    tvm = _verified("tvm", tokens["tvm"], tsm_key)
    certificate = _verified("certificate", _decoded("certificate", blob), tsm_key)
    found = _evidence(platform, tsm, tvm, certificate)
    _check_names(found, _bytes("tsm", tsm, abi.CLAIM_TSM_KEY))
    return found


def _check_names(found: Evidence, tsm_key: bytes) -> None:
    if found.issuer != keys.key_name(tsm_key):
        raise EvidenceRejected("certificate: the issuer is not the name of the TSM's key")
    if found.subject != keys.key_name(found.guest_key):
        raise EvidenceRejected("certificate: the subject is not the name of the guest's key")


def _root_key(pem: bytes) -> EC2Key:
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as error:
        raise EvidenceRejected(f"root of trust: no public key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise EvidenceRejected("root of trust: not a key on P-384")
    return keys.public_cose(key)


def _decoded(name: str, blob: bytes) -> cbor2.CBORTag:
    """Decode one COSE_Sign1; its canonical encoding must be all there is."""
    try:
        value = cbor2.loads(blob)
        whole = cbor2.dumps(value, canonical=True) == blob
    except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
        raise EvidenceRejected(f"{name}: not CBOR: {error}") from error
    if not isinstance(value, cbor2.CBORTag) or value.tag != _SIGN1:
        raise EvidenceRejected(f"{name}: not a COSE_Sign1")
    if not whole:
        raise EvidenceRejected(f"{name}: not in deterministic encoding, or something is behind it")
    return value


def _tokens(blob: bytes) -> dict[str, cbor2.CBORTag]:
    """Return the tokens in a certificate that nothing is known of yet."""
    outer = _decoded("certificate", blob).value
    if not isinstance(outer, list) or len(outer) != 4:
        raise EvidenceRejected("certificate: not a COSE_Sign1")
    claims = _claims("certificate", outer[2])
    evidence = claims.get(abi.CLAIM_EVIDENCE)
    modules = evidence.get(abi.CLAIM_SUBMODS) if isinstance(evidence, dict) else None
    if not isinstance(modules, dict) or set(modules) != {"platform", "tsm", "tvm"}:
        raise EvidenceRejected("certificate: the evidence has no platform, tsm and tvm")
    found = {}
    for name, token in modules.items():
        if not isinstance(token, cbor2.CBORTag) or token.tag != _SIGN1:
            raise EvidenceRejected(f"{name}: not a COSE_Sign1")
        found[str(name)] = token
    return found


def _claims(name: str, payload: object) -> Claims:
    try:
        cwt = cbor2.loads(payload) if isinstance(payload, bytes) else None
    except (cbor2.CBORError, ValueError, TypeError, RecursionError) as error:
        raise EvidenceRejected(f"{name}: the payload is not CBOR: {error}") from error
    if not isinstance(cwt, cbor2.CBORTag) or cwt.tag != CWT_TAG or not isinstance(cwt.value, dict):
        raise EvidenceRejected(f"{name}: the payload is not a CWT")
    return cwt.value


def _verified(name: str, token: cbor2.CBORTag, key: EC2Key) -> Claims:
    """Return the claims of a token that this key has signed."""
    try:
        message = Sign1Message.decode(cbor2.dumps(token, canonical=True))
        message.key = key
        right = message.phdr.get(Algorithm) is Es384 and message.verify_signature()
    except Exception as error:
        # pycose has no common exception: whatever it cannot read is not evidence.
        raise EvidenceRejected(f"{name}: not a COSE_Sign1: {error}") from error
    if not right:
        raise EvidenceRejected(f"{name}: the signature is not that of the layer below")
    return _claims(name, message.payload)


def _bytes(name: str, claims: Claims, label: int, size: int | None = None) -> bytes:
    value = claims.get(label)
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise EvidenceRejected(f"{name}: claim {label} is not what it has to be")
    return value


def _cose_key(name: str, claims: Claims, label: int) -> EC2Key:
    try:
        key: object = CoseKey.decode(_bytes(name, claims, label))
    except EvidenceRejected:
        raise
    except Exception as error:
        raise EvidenceRejected(f"{name}: claim {label} is no COSE_Key: {error}") from error
    if not isinstance(key, EC2Key):
        raise EvidenceRejected(f"{name}: claim {label} is no key on P-384")
    return key


def _evidence(platform: Claims, tsm: Claims, tvm: Claims, certificate: Claims) -> Evidence:
    state = platform.get(abi.CLAIM_STATE)
    identity = tvm.get(abi.CLAIM_IDENTITY)
    return Evidence(
        challenge=_bytes("tvm", tvm, abi.CLAIM_NONCE, abi.ATTEST_CHALLENGE_SIZE),
        guest_key=_bytes("tvm", tvm, abi.CLAIM_TVM_KEY),
        identity=identity if isinstance(identity, bytes) else None,
        initial=_registers(tvm, abi.CLAIM_INITIAL),
        runtime=_registers(tvm, abi.CLAIM_RUNTIME),
        components={**_components(platform), **_components(tsm)},
        state=state if isinstance(state, int) else 0,
        issuer=str(certificate.get(abi.CLAIM_ISS)),
        subject=str(certificate.get(abi.CLAIM_SUB)),
    )


def _registers(claims: Claims, label: int) -> dict[int, bytes]:
    listed = claims.get(label)
    found: dict[int, bytes] = {}
    for entry in listed if isinstance(listed, list) else []:
        match entry:
            case {1: int(index), 2: bytes(value), 3: "sha-384"} if index not in found:
                found[index] = value
            case _:
                raise EvidenceRejected(f"tvm: claim {label} is not what it has to be")
    if not found:
        raise EvidenceRejected(f"tvm: claim {label} is missing")
    return found


def _components(claims: Claims) -> dict[str, bytes]:
    listed = claims.get(abi.CLAIM_COMPONENTS)
    found: dict[str, bytes] = {}
    for entry in listed if isinstance(listed, list) else []:
        match entry:
            case {1: str(name), 2: bytes(value)}:
                found[name] = value
            case _:
                raise EvidenceRejected("a measured component is not what it has to be")
    return found
