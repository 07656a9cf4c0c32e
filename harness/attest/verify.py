# SPDX-License-Identifier: Apache-2.0
"""Whether evidence shows what a verifier expects."""

from __future__ import annotations

from harness.attest.evidence import Evidence, EvidenceRejected, read_evidence
from harness.attest.measure import Reference, image_register

_MEANING = {
    4: "the TVM was launched from another image",
    5: "the TVM was launched at another entry point or with another argument",
}


def verify(blob: bytes, root_pem: bytes, reference: Reference) -> Evidence:
    """Check signatures, challenge and measurements.

    Args:
        blob: what get_evidence gave.
        root_pem: public key of the root of trust.
        reference: what the evidence must say.

    Raises:
        EvidenceRejected: the first thing that is not so.
    """
    found = read_evidence(blob, root_pem)
    if reference.challenge is not None and found.challenge != reference.challenge:
        raise EvidenceRejected("the challenge is another: the evidence was made for somebody else")
    if reference.guest_key is not None and found.guest_key != reference.guest_key:
        raise EvidenceRejected("the evidence vouches for another key than the guest's")
    _check_image(found, "firmware", reference.firmware)
    _check_image(found, "TSM-driver", reference.firmware)
    _check_image(found, "TSM", reference.tsm)
    _check_registers(found.initial, reference.initial or {})
    _check_registers(found.runtime, reference.runtime or {})
    return found


def _check_image(found: Evidence, name: str, image: bytes | None) -> None:
    measured = found.components.get(name)
    if measured is None:
        raise EvidenceRejected(f"the evidence has no measurement of the {name}")
    if image is not None and measured != image_register(image):
        raise EvidenceRejected(f"another {name} than the given one was measured")


def _check_registers(found: dict[int, bytes], expected: dict[int, bytes]) -> None:
    for index, value in expected.items():
        if found.get(index) != value:
            meaning = _MEANING.get(index, "the TVM has extended it otherwise")
            raise EvidenceRejected(
                f"measurement register {index} is not as computed: {meaning}",
                details=[
                    f"expected  {value.hex()}",
                    f"evidence  {found.get(index, b'').hex()}",
                ],
            )
