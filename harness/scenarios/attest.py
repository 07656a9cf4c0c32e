# SPDX-License-Identifier: Apache-2.0
"""Attestation: a TVM's evidence is verified; whatever was tampered with is rejected.

The harness is the root of trust that measures firmware and TSM, the host that hands the guest a
challenge, and the verifier, which computes from the images what the evidence must say.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from harness import abi
from harness.attest.root import RootOfTrust, seed_for
from harness.build.builder import Builder
from harness.host.boot import powered, reach_shell
from harness.machine.rundir import new_run
from harness.scenarios import attest_checks as checks
from harness.scenarios import smoke as plain
from harness.scenarios.attest_checks import Attestation
from harness.scenarios.payload import make_payload
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke
from harness.trace.record import Recorder
from harness.trace.ring import lost_events, merge

GUEST = "/payload/attest.elf"
OTHER_GUEST = "/payload/attest-other.elf"
# What the task does to itself on demand (firmware/tsm/task/fault.h)
_HARM = {
    "z": "stores to address 0",
    "t": "stores to the TSM",
    "i": "executes an illegal instruction",
    "s": "recurses without end",
    "x": "executes its data",
    "c": "stores to its code",
}
_PRINTED = "c"
# Seconds that a guest whose task never ends is given.
_ENDLESS_S = 1.0


def build(smoke: Smoke) -> str:
    """Build what is missing, the guest that asks for evidence too."""
    if smoke.builder is None:
        raise Skipped("the sources are not there")
    outcome = smoke.builder.run()
    smoke.places = dict(outcome.places)
    smoke.artefacts = outcome.artefacts
    smoke.versions.update(outcome.artefacts.versions)
    smoke.keys = {name: place.name for name, place in outcome.places.items()}
    return f"{len(outcome.built)} built, {len(outcome.present)} up to date"


def boot(smoke: Smoke) -> str:
    """Boot with a root of trust, which measures the firmware and the TSM."""
    artefacts = smoke.artefacts
    if artefacts is None:
        raise Skipped("nothing was built")
    elf = smoke.places["guests"] / "attest.elf"
    own, other = (guest_key_of(smoke, name) for name in ("guest", "other guest"))
    smoke.payload = make_payload(elf, own)
    files = {GUEST: smoke.payload.file, OTHER_GUEST: make_payload(elf, other).file}
    root = root_of(smoke)
    machine = smoke.stack.enter_context(
        powered(smoke.config, artefacts, smoke.run, files, root=root)
    )
    smoke.machine = machine
    smoke.recorder = Recorder(artefacts, smoke.config.machine.harts)
    smoke.on_power(machine)
    smoke.run.write("root.pem", root.public_pem())
    smoke.host = reach_shell(machine)
    return "firmware and TSM measured and signed"


def root_of(smoke: Smoke) -> RootOfTrust:
    """Return the root of trust of the run's machines."""
    return RootOfTrust(seed_for(smoke.seed))


def guest_key_of(smoke: Smoke, purpose: str) -> bytes:
    """Return a public key for the guest: its evidence vouches for whoever has the private one."""
    key = Ed25519PrivateKey.from_private_bytes(smoke.derived(purpose, 32))
    return key.public_key().public_bytes_raw()


def tsm(smoke: Smoke) -> str:
    """Check that the TSM says that it can attest."""
    detail = plain.tsm(smoke)
    if "remote attestation" not in detail:
        raise CheckFailed(
            "the TSM says that it cannot attest",
            "get_tsm_info has to say ATTESTATION_REMOTE when the firmware hands over a key",
        )
    return detail


def secret(smoke: Smoke) -> str:
    """Look for the TSM's secret in all of memory: it is in the TSM's only."""
    host, expected = smoke.need_host(), _attestation(smoke)
    seed = root_of(smoke).handover(expected.firmware, expected.tsm).seed
    memory = smoke.config.memory
    return checks.check_secret(
        host, seed, range(memory.tsm_base, memory.tsm_base + memory.tsm_size)
    )


def _attestation(smoke: Smoke) -> Attestation:
    if smoke.artefacts is None or smoke.payload is None or smoke.host is None:
        raise Skipped("the host did not boot")
    return Attestation(
        root_pem=root_of(smoke).public_pem(),
        firmware=smoke.artefacts.opensbi_bin.read_bytes(),
        tsm=smoke.artefacts.tsm_elf.read_bytes(),
        guest=smoke.payload.file,
        guest_key=smoke.payload.secret,
        argument=smoke.nonce("challenge"),
    )


def evidence(smoke: Smoke) -> str:
    """Let the guest ask with the host's challenge; verify all that the evidence says."""
    expected = _attestation(smoke)
    host = smoke.need_host()
    smoke.launched = host.run_guest(GUEST, nonce=expected.argument)
    for name, content in expected.files(smoke.launched).items():
        smoke.run.write(name, content)
    rings = smoke.need_recorder().rings(host.machine.ram)
    smoke.events = merge(*(ring.events for ring in rings))
    smoke.lost = lost_events(rings)
    detail, cost = checks.check_evidence(expected, smoke.launched)
    smoke.metrics.update(cost)
    return detail


def registers(smoke: Smoke) -> str:
    """Compare what the guest reads in its registers, before and after it extends one."""
    return checks.check_registers(_attestation(smoke), smoke.need_launch())


def extended(smoke: Smoke) -> str:
    """Verify the evidence after a register was extended; it is another one."""
    return checks.check_extended(_attestation(smoke), smoke.need_launch())


def interrupted(smoke: Smoke) -> str:
    """Check in the event ring that the host had its interrupts while evidence was built."""
    smoke.need_launch()
    return checks.check_interrupted(smoke.events, smoke.lost)


def tampered(smoke: Smoke) -> str:
    """Change evidence, challenge, root, key and images: each is rejected, by its own reason."""
    return checks.check_tampered(_attestation(smoke), smoke.need_launch())


def image(smoke: Smoke) -> str:
    """Launch a guest that differs in its key only: its evidence is not the first one's."""
    expected = _attestation(smoke)
    other = smoke.need_host().run_guest(OTHER_GUEST, nonce=expected.argument)
    return checks.check_other_image(expected, other, guest_key_of(smoke, "other guest"))


def task(smoke: Smoke) -> str:
    """Let the TSM's task crash in every way: the guest gets an error, then its evidence."""
    config = smoke.config
    if smoke.artefacts is None or smoke.payload is None:
        raise Skipped("nothing was built")
    if config.tsm.elf is not None:
        raise Skipped("tsm.elf is a finished TSM: it does itself no harm on demand")
    harmful = replace(config, tsm=replace(config.tsm, flags=(*config.tsm.flags, "FAULTS=1")))
    artefacts = Builder(harmful, smoke.ui, offline=smoke.offline).run().artefacts
    files = {GUEST: smoke.payload.file}
    run = new_run(smoke.run.path / "task")
    with powered(harmful, artefacts, run, files, root=root_of(smoke)) as machine:
        host = reach_shell(machine)
        for letter, harm in _HARM.items():
            argument = _fault(letter)
            checks.check_harm(
                replace_argument(_attestation(smoke), argument, artefacts.tsm_elf.read_bytes()),
                host.run_guest(GUEST, nonce=argument),
                harm,
                # The console is slow: the guest prints one of them.
                printed=letter == _PRINTED,
            )
        endless = host.run_guest(GUEST, nonce=_fault("l"), seconds=_ENDLESS_S)
        checks.check_endless(endless)
        answer = host.call("covh", "get_tsm_info", config.memory.pool_base, 48)
        if not answer.ok:
            raise CheckFailed(f"the TSM answers {answer.error_name} after the task's crashes")
        host.power_off(config.timeouts.poweroff_s)
    name = abi.Error.FAILED.name
    return (
        f"{len(_HARM)} kinds of crash: {name} for the guest, then evidence; one that"
        " never ends is interrupted; the TSM lives"
    )


def _fault(letter: str) -> int:
    """Return the guest's argument that makes its challenge one which harms the task."""
    return int.from_bytes(f"fault:{letter}".encode(), "little")


def replace_argument(expected: Attestation, argument: int, tsm_elf: bytes) -> Attestation:
    """Return the same for another launch on a machine with another TSM."""
    return Attestation(
        root_pem=expected.root_pem,
        firmware=expected.firmware,
        tsm=tsm_elf,
        guest=expected.guest,
        guest_key=expected.guest_key,
        argument=argument,
    )


_CHECKS: tuple[Callable[[Smoke], str], ...] = (
    plain.tools,
    plain.sources,
    build,
    boot,
    tsm,
    evidence,
    registers,
    extended,
    interrupted,
    secret,
    tampered,
    image,
    plain.poweroff,
    task,
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(check.__name__, check) for check in _CHECKS)
