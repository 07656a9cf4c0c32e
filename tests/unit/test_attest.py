# SPDX-License-Identifier: Apache-2.0
"""The verifier of evidence, on evidence that is made here by the libraries."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from click.testing import CliRunner
from pycose.algorithms import Es384
from pycose.headers import Algorithm
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from harness import abi
from harness.attest import keys
from harness.attest.evidence import EvidenceRejected, read_evidence
from harness.attest.measure import Reference, extended, image_register
from harness.attest.root import CWT_TAG, RootOfTrust
from harness.attest.verify import verify
from harness.cli.main import teecall
from harness.machine.devicetree import with_property

ROOT = RootOfTrust(b"u" * 48)
FIRMWARE, TSM = b"firmware", b"tsm"
CHALLENGE = bytes(range(64))
GUEST_KEY = b"\xa1\x01\x01"
REGISTERS = {4: b"4" * 48, 5: b"5" * 48}
RUNTIME = {number: bytes(48) for number in range(6, 10)}


def sign(key: EC2Key, claims: dict[int, object], tag: int = CWT_TAG) -> bytes:
    payload = cbor2.dumps(cbor2.CBORTag(tag, claims), canonical=True)
    message = Sign1Message(phdr={Algorithm: Es384}, payload=payload)
    message.key = key
    return bytes(message.encode())


def listed(registers: dict[int, bytes]) -> list[dict[int, object]]:
    return [{1: number, 2: value, 3: "sha-384"} for number, value in registers.items()]


def tvm_claims() -> dict[int, object]:
    return {
        abi.CLAIM_NONCE: CHALLENGE,
        abi.CLAIM_TVM_KEY: GUEST_KEY,
        abi.CLAIM_INITIAL: listed(REGISTERS),
        abi.CLAIM_RUNTIME: listed(RUNTIME),
    }


def make(
    claims: dict[int, object] | None = None,
    signer: EC2Key | None = None,
    names: dict[str, str] | None = None,
) -> bytes:
    """Make evidence as a TSM does, with other claims, another TVM signer or other names."""
    handover = ROOT.handover(FIRMWARE, TSM)
    own = keys.key_of(handover.seed)
    key = keys.private_cose(own)
    platform_size, tsm_size = (
        int.from_bytes(handover.blob[at : at + 4], "little") for at in (8, 12)
    )
    tokens = len(handover.blob) - 2 * abi.ATTEST_HANDOVER_TOKEN
    second = tokens + abi.ATTEST_HANDOVER_TOKEN
    modules = {
        "platform": cbor2.loads(handover.blob[tokens : tokens + platform_size]),
        "tsm": cbor2.loads(handover.blob[second : second + tsm_size]),
        "tvm": cbor2.loads(sign(signer or key, claims or tvm_claims())),
    }
    public = keys.public_cose(own.public_key()).encode()
    return sign(
        key,
        {
            abi.CLAIM_ISS: (names or {}).get("issuer", keys.key_name(public)),
            abi.CLAIM_SUB: (names or {}).get("subject", keys.key_name(GUEST_KEY)),
            abi.CLAIM_EVIDENCE: {abi.CLAIM_SUBMODS: modules},
        },
    )


def reference() -> Reference:
    return Reference(CHALLENGE, FIRMWARE, TSM, dict(REGISTERS), dict(RUNTIME), GUEST_KEY)


def test_right_evidence_is_taken() -> None:
    found = verify(make(), ROOT.public_pem(), reference())
    assert found.initial == REGISTERS and found.identity is None
    assert found.components["TSM"] == image_register(TSM)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"challenge": bytes(64)}, "challenge"),
        ({"firmware": b"other"}, "another firmware"),
        ({"tsm": b"other"}, "another TSM"),
        ({"guest_key": b"other"}, "another key"),
        ({"initial": {4: bytes(48)}}, "register 4 .* another image"),
        ({"initial": {5: bytes(48)}}, "register 5 .* entry point"),
        ({"runtime": {9: b"x" * 48}}, "register 9"),
    ],
)
def test_what_is_not_as_expected_is_rejected(change: dict[str, object], says: str) -> None:
    with pytest.raises(EvidenceRejected, match=says):
        verify(make(), ROOT.public_pem(), replace(reference(), **change))  # type: ignore[arg-type]


def test_each_changed_byte_is_rejected() -> None:
    blob = make()
    for at in range(0, len(blob), 29):
        changed = blob[:at] + bytes([blob[at] ^ 0x40]) + blob[at + 1 :]
        with pytest.raises(EvidenceRejected):
            verify(changed, ROOT.public_pem(), reference())


@pytest.mark.parametrize(
    "claims",
    [
        {label: value for label, value in tvm_claims().items() if label != abi.CLAIM_NONCE},
        {**tvm_claims(), abi.CLAIM_NONCE: b"short"},
        {**tvm_claims(), abi.CLAIM_INITIAL: []},
        {**tvm_claims(), abi.CLAIM_INITIAL: [{1: 4, 2: b"x", 3: "sha-256"}]},
        {**tvm_claims(), abi.CLAIM_RUNTIME: [7]},
        {**tvm_claims(), abi.CLAIM_RUNTIME: listed({6: b"x"}) * 2},
    ],
)
def test_signed_nonsense_is_rejected(claims: dict[int, object]) -> None:
    with pytest.raises(EvidenceRejected, match="tvm"):
        read_evidence(make(claims), ROOT.public_pem())


def test_each_layer_has_to_vouch_for_the_next() -> None:
    stranger = keys.private_cose(keys.key_of(bytes(32)))
    with pytest.raises(EvidenceRejected, match="tvm: the signature"):
        read_evidence(make(signer=stranger), ROOT.public_pem())
    with pytest.raises(EvidenceRejected, match="platform: the signature"):
        read_evidence(make(), RootOfTrust(b"v" * 48).public_pem())


@pytest.mark.parametrize("name", ["issuer", "subject"])
def test_the_certificate_names_both_keys(name: str) -> None:
    with pytest.raises(EvidenceRejected, match=name):
        read_evidence(make(names={name: "00"}), ROOT.public_pem())


@pytest.mark.parametrize(
    "blob", [b"", b"\xd2", b"\x80", b"\xff", cbor2.dumps(cbor2.CBORTag(18, 5))]
)
def test_what_is_no_evidence_is_rejected(blob: bytes) -> None:
    with pytest.raises(EvidenceRejected, match="certificate"):
        read_evidence(blob, ROOT.public_pem())


def test_a_root_that_is_no_key() -> None:
    with pytest.raises(EvidenceRejected, match="root of trust"):
        read_evidence(make(), b"no PEM")


def test_another_image_gives_other_keys() -> None:
    first, other = ROOT.handover(FIRMWARE, TSM), ROOT.handover(FIRMWARE, b"tsn")
    assert first == ROOT.handover(FIRMWARE, TSM)
    assert first.seed != other.seed != ROOT.handover(b"firmwarf", b"tsn").seed


def test_the_rule_of_extension() -> None:
    assert extended(bytes(48), b"d") == hashlib.sha384(bytes(48) + b"d").digest()


def test_the_command_line(tmp_path: Path) -> None:
    evidence, root = tmp_path / "evidence.cbor", tmp_path / "root.pem"
    evidence.write_bytes(make())
    root.write_bytes(ROOT.public_pem())
    words = ["attest", "verify", str(evidence), "--root", str(root), "--challenge"]
    good = CliRunner().invoke(teecall, [*words, CHALLENGE.hex()])
    assert good.exit_code == 0 and "verified: signatures, challenge" in good.output
    bad = CliRunner().invoke(teecall, [*words, "00" * 64])
    assert isinstance(bad.exception, EvidenceRejected)
    assert bad.exception.exit_code == 1
    assert CliRunner().invoke(teecall, [*words, "xy"]).exit_code != 0


def test_a_property_that_is_not_there() -> None:
    tree = bytes.fromhex("d00dfeed") + (56).to_bytes(4, "big") + (40).to_bytes(4, "big")
    tree += (56).to_bytes(4, "big") + bytes(24) + b"\0\0\0\x01" + bytes(4) + b"\0\0\0\x02\0\0\0\x09"
    assert with_property(tree, ("", "chosen"), "seed", b"") is None
