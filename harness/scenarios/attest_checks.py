# SPDX-License-Identifier: Apache-2.0
"""What a guest's evidence must say, and what a verifier must not take."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import abi
from harness.attest.evidence import EvidenceRejected
from harness.attest.measure import Reference, extended, image_register, launch_registers
from harness.attest.verify import verify
from harness.host.host import Host
from harness.host.results import GuestRun
from harness.scenarios.runner import CheckFailed
from harness.trace.ring import TIMEBASE_HZ, Event

_MASK = (1 << 64) - 1
_ZERO = bytes(abi.MEASUREMENT_DIGEST_SIZE)
_EXTENDED = abi.MEASUREMENT_INITIAL
# COSE_Key: {1: 1 (OKP), -1: 6 (Ed25519), -2: the key}
_KEY_HEADER = bytes.fromhex("a3010120062158 20")
# Bytes of the evidence that are changed, from its start to its end.
_FLIPS = 24


def mix(value: int) -> int:
    """Return a word of the challenge, as guest-images/tvm/attest.c computes it."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


def challenge_of(argument: int) -> bytes:
    """Return the challenge that the guest makes of its argument, which the host chooses."""
    words = abi.ATTEST_CHALLENGE_SIZE // 8
    return struct.pack(f"<{words}Q", *(mix((argument + n) & _MASK) for n in range(words)))


@dataclass(frozen=True, slots=True)
class Attestation:
    """What is known of the machine and the launch: images as they were loaded."""

    root_pem: bytes
    firmware: bytes
    tsm: bytes
    guest: bytes
    guest_key: bytes
    argument: int

    def reference(self) -> Reference:
        """Return what evidence must say that the guest has asked for before it extends."""
        return Reference(
            challenge=challenge_of(self.argument),
            firmware=self.firmware,
            tsm=self.tsm,
            initial=launch_registers(self.guest, self.argument),
            runtime={_EXTENDED + n: _ZERO for n in range(abi.MEASUREMENT_RUNTIME)},
            guest_key=_KEY_HEADER + self.guest_key,
        )

    def files(self, guest: GuestRun) -> dict[str, bytes]:
        """Return what `teecall attest verify` needs to repeat it, by file name."""
        found = said(guest)
        return {
            "evidence.cbor": _evidence(found, "evidence", b""),
            "extended.cbor": _evidence(found, "extended", b""),
            "challenge": challenge_of(self.argument).hex().encode(),
            "argument": hex(self.argument).encode(),
            "guest.elf": self.guest,
        }


def said(guest: GuestRun) -> dict[str, str]:
    """Return what the guest has printed, by name."""
    found: dict[str, str] = {}
    for line in guest.lines:
        name, _, value = line.removeprefix("attest: ").partition("=")
        # Evidence takes several lines of one name.
        found[name] = found.get(name, "") + value
    return found


def evidence_of(guest: GuestRun) -> bytes:
    """Return the first evidence that the guest got; CheckFailed when there is none."""
    return _evidence(_ended(guest), "evidence")


def _evidence(found: dict[str, str], name: str, default: bytes | None = None) -> bytes:
    text = found.get(name, "")
    try:
        return bytes.fromhex(text)
    except ValueError:
        if default is not None:
            return default
        raise CheckFailed(
            f"the guest got no evidence: `{name}={text[:40]}`", "see tsm.log"
        ) from None


def _ended(guest: GuestRun) -> dict[str, str]:
    if guest.trouble or "attest: bye" not in guest.lines:
        raise CheckFailed(
            guest.trouble or "the guest did not come to its end",
            "see tsm.log, events.json",
            details=[line[:100] for line in guest.lines[-5:]],
        )
    return said(guest)


def check_evidence(expected: Attestation, guest: GuestRun) -> tuple[str, dict[str, float]]:
    """Check the first evidence; return the line for people, and the cost."""
    found = _ended(guest)
    blob = _evidence(found, "evidence")
    verify(blob, expected.root_pem, expected.reference())
    if found.get("small") != str(abi.Error.INVALID_PARAM.value):
        raise CheckFailed(
            f"get_evidence into 100 bytes answers {found.get('small')}, not INVALID_PARAM"
        )
    milliseconds = int(found["ticks"]) / TIMEBASE_HZ * 1000
    cost = {"evidence_bytes": float(len(blob)), "evidence_ms": milliseconds}
    return (
        f"{len(blob)} bytes in {milliseconds:.1f} ms: signatures, challenge, key, firmware, TSM"
        " and launch measurement as computed from the images"
    ), cost


def check_registers(expected: Attestation, guest: GuestRun) -> str:
    """Check attcaps and each register that the guest has read."""
    found = _ended(guest)
    shape = (abi.MEASUREMENT_INITIAL, abi.MEASUREMENT_RUNTIME, abi.ATTEST_FORMAT_CBOR)
    if tuple(int(found.get(name, "-1")) for name in ("initial", "runtime", "formats")) != shape:
        raise CheckFailed("get_attcaps does not describe the registers", details=guest.lines[:4])
    wanted = {
        0: image_register(expected.firmware),
        1: _ZERO,
        2: image_register(expected.tsm),
        3: _ZERO,
        **launch_registers(expected.guest, expected.argument),
        **{_EXTENDED + n: _ZERO for n in range(1, abi.MEASUREMENT_RUNTIME)},
        # Read before and after.
        _EXTENDED: _ZERO + _after_extension(),
    }
    for number, value in wanted.items():
        if found.get(f"register{number}") != value.hex():
            raise CheckFailed(
                f"register {number} is not as computed",
                details=[f"expected  {value.hex()}", f"guest  {found.get(f'register{number}')}"],
            )
    if found.get("extend") != "0" or found.get("frozen") != "-3":
        raise CheckFailed(
            f"extend_measurement answers {found.get('extend')} for a runtime register and"
            f" {found.get('frozen')} for a frozen one, not 0 and -3 (INVALID_PARAM)"
        )
    return f"{len(wanted)} registers as computed, one of them after two extensions"


def _after_extension() -> bytes:
    register = _ZERO
    for first in (1, 2):
        register = extended(register, bytes(first + n for n in range(len(_ZERO))))
    return register


def check_extended(expected: Attestation, guest: GuestRun) -> str:
    """Check the evidence after the extension, which the first must not show."""
    found = _ended(guest)
    blob = _evidence(found, "extended")
    before = expected.reference()
    after = replace(before, runtime={_EXTENDED: _after_extension()})
    try:
        verify(blob, expected.root_pem, after)
    except EvidenceRejected as error:
        raise CheckFailed(
            f"evidence after extend_measurement: {error.message}",
            "the registers have to be read when the evidence is asked for",
            details=error.details,
        ) from error
    check_rejected("evidence after the extension", blob, expected.root_pem, before, "register 6")
    first = _evidence(found, "evidence")
    check_rejected("evidence before the extension", first, expected.root_pem, after, "register 6")
    return "shows the extension; the evidence before it does not"


def check_interrupted(events: Sequence[Event], lost: Sequence[str]) -> str:
    """Check that a get_evidence was left for the host's interrupts and made again."""
    again = 0
    made: dict[int, int] = {}
    for event in events:
        if event.kind == abi.Event.GUEST_ENTER:
            # Behind its ECALL it has its answer; at the ECALL it makes it again.
            again += made.pop(event.aux, None) == event.value
        elif event.is_call(abi.Eid.COVG, abi.Covg.GET_EVIDENCE) and (
            event.kind == abi.Event.GUEST_EXIT
        ):
            made[event.aux] = event.value
    if not again:
        raise CheckFailed(
            "no get_evidence was interrupted: the host had to wait until it was done",
            "the TSM's task has to run with the host's interrupts enabled",
            details=lost,
        )
    return f"the host had its hart {again} times while evidence was built"


def check_secret(host: Host, seed: bytes, tsm: range) -> str:
    """Check that neither the host's device tree nor memory outside of the TSM has the seed."""
    places = host.machine.ram.find(seed)
    outside = [address for address in places if address not in tsm]
    if outside:
        raise CheckFailed(
            "the TSM's secret is in memory that is not the TSM's: "
            + ", ".join(f"{address:#x}" for address in outside),
            "M-mode has to overwrite the properties of tsm-domain in the device tree",
        )
    if not places:
        raise CheckFailed("the TSM's secret is nowhere: this check would prove nothing")
    named = host.shell.run("ls /proc/device-tree/chosen/tsm-domain").output.split()
    if {"seed", "dice-handover"} & set(named):
        raise CheckFailed("the host's device tree has what is handed to the TSM")
    return f"in memory of the TSM alone ({len(places)}); not in the host's device tree"


def check_rejected(
    what: str, blob: bytes, root_pem: bytes, reference: Reference, reason: str
) -> None:
    """Check that evidence is not taken for what the reference says.

    Args:
        what: the evidence, for messages.
        blob: what get_evidence gave.
        root_pem: public key of the root of trust.
        reference: what it does not say.
        reason: words of the message with which it has to be rejected.
    """
    try:
        verify(blob, root_pem, reference)
    except EvidenceRejected as error:
        if reason not in error.message:
            raise CheckFailed(
                f"{what}: rejected because of `{error.message}`, not `{reason}`"
            ) from error
        return
    raise CheckFailed(f"{what} is not rejected")


def check_tampered(expected: Attestation, guest: GuestRun) -> str:
    """Change one thing after the other, and with each the evidence must be rejected."""
    blob = _evidence(_ended(guest), "evidence")
    reference, root = expected.reference(), expected.root_pem
    verify(blob, root, reference)
    for at in range(0, len(blob), max(1, len(blob) // _FLIPS)):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        check_rejected(f"evidence with byte {at} changed", changed, root, reference, "")
    check_rejected("evidence that is cut short", blob[:-1], root, reference, "")
    check_rejected("evidence with a byte behind it", blob + b"\0", root, reference, "")
    check_rejected("evidence of another root", blob, _other_root(), reference, "platform: the sig")
    wrong: tuple[tuple[str, Callable[[Reference], Reference], str], ...] = (
        ("another challenge", lambda r: replace(r, challenge=bytes(64)), "challenge"),
        ("another key", lambda r: replace(r, guest_key=b"no key"), "another key"),
        ("another firmware", lambda r: replace(r, firmware=expected.tsm), "another firmware"),
        ("another TSM", lambda r: replace(r, tsm=_changed(expected.tsm)), "another TSM"),
    )
    for what, change, reason in wrong:
        check_rejected(what, blob, root, change(reference), reason)
    return f"{_FLIPS} changed bytes and {3 + len(wrong)} other changes rejected"


def _changed(image: bytes) -> bytes:
    return image[:-1] + bytes([image[-1] ^ 1])


def _other_root() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def check_other_image(expected: Attestation, other: GuestRun, other_key: bytes) -> str:
    """Check that evidence of a TVM with another image is not taken for that of the first."""
    blob = _evidence(_ended(other), "evidence")
    reference = replace(expected.reference(), guest_key=_KEY_HEADER + other_key)
    check_rejected("a TVM with another image", blob, expected.root_pem, reference, "register 4")
    return "rejected: register 4 is not that of the image"


def check_endless(guest: GuestRun) -> None:
    """Check that the host could end a guest whose task never ends, and had its hart back."""
    if not guest.timed_out or "attest: bye" in guest.lines:
        raise CheckFailed("a task that never ends: get_evidence came back")
    if guest.error:
        raise CheckFailed(f"a TVM whose task never ends: {guest.error}", "see tsm.log")


def check_harm(expected: Attestation, guest: GuestRun, harm: str, *, printed: bool) -> None:
    """Check that the guest got an error for the crash, and evidence after it.

    Args:
        expected: of this launch.
        guest: its run.
        harm: what the task has done.
        printed: the evidence is on the guest's console, and is verified.
    """
    found = _ended(guest)
    if found.get("harm") != "-1":
        raise CheckFailed(
            f"a task that {harm}: get_evidence answers {found.get('harm')}, not -1 (FAILED)"
        )
    if found.get("after") != "0":
        raise CheckFailed(f"after a task that {harm} get_evidence answers {found.get('after')}")
    if printed:
        verify(_evidence(found, "evidence"), expected.root_pem, expected.reference())
