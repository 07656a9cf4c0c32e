# SPDX-License-Identifier: Apache-2.0
"""Evidence of TVMs in both domains: each tells the measurement of its own TSM, with its own key.

The root of trust measures both TSMs and derives a key for each from what it has measured. The
machine has a root of trust, which that of the other checks does not need.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.attest.evidence import read_evidence
from harness.attest.measure import image_register
from harness.errors import TeecallError
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.host.results import GuestRun
from harness.machine.machine import Machine
from harness.machine.rundir import RunDir, new_run
from harness.scenarios import attest_checks as checks
from harness.scenarios.attest import GUEST, guest_key_of, root_of
from harness.scenarios.attest_checks import Attestation
from harness.scenarios.domains_deaths import LOAD, Attack, Deaths, need_harmful
from harness.scenarios.domains_hostile import SDIDS, by_sdid, other_of
from harness.scenarios.payload import make_payload
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

_FOLDER = "evidence"
_SEED_ALIGN = 8


def evidence(smoke: Smoke) -> str:
    """Let a TVM in each domain ask for evidence: it is of its own TSM, and of no other."""
    if smoke.artefacts is None or smoke.machine is None:
        raise Skipped("nothing was built, or the machine did not boot")
    key = guest_key_of(smoke, "guest")
    elf = smoke.artefacts.hello_elf.parent / "attest.elf"
    file = make_payload(elf, key).file
    run = new_run(smoke.run.path / _FOLDER)
    root = root_of(smoke)
    run.write("root.pem", root.public_pem())
    with powered(smoke.config, smoke.artefacts, run, {GUEST: file}, root=root) as machine:
        host = reach_shell(machine)
        asked = _Asked(smoke, host, run, {sdid: _expected(smoke, sdid, file) for sdid in SDIDS})
        detail = asked.check()
        _check_secrets(smoke, host)
        detail += f", and {asked.check_theft(machine)}"
        host.power_off(smoke.config.timeouts.poweroff_s)
    return detail


def _expected(smoke: Smoke, sdid: int, guest: bytes) -> Attestation:
    assert smoke.artefacts is not None
    return Attestation(
        root_pem=root_of(smoke).public_pem(),
        firmware=smoke.artefacts.opensbi_bin.read_bytes(),
        tsm=smoke.artefacts.tsm_elfs[sdid - 1].read_bytes(),
        guest=guest,
        guest_key=guest_key_of(smoke, "guest"),
        # Both get the same challenge: it must not be that which tells them apart.
        argument=smoke.nonce("challenge"),
    )


def _seeds(smoke: Smoke) -> dict[int, bytes]:
    """Return the secret (CDI) that the root of trust hands to each TSM."""
    found = {}
    for sdid in SDIDS:
        expected = _expected(smoke, sdid, b"")
        found[sdid] = root_of(smoke).handover(expected.firmware, expected.tsm).seed
    return found


def _check_secrets(smoke: Smoke, host: Host) -> None:
    seeds = _seeds(smoke)
    if seeds[1] == seeds[2]:
        raise CheckFailed("both TSMs have the same secret: each could sign as the other")
    for sdid, seed in seeds.items():
        domain = by_sdid(smoke)[sdid]
        own = range(domain.tsm_base, domain.tsm_base + domain.tsm_size)
        try:
            checks.check_secret(host, seed, own)
        except CheckFailed as error:
            raise CheckFailed(f"domain {sdid}: {error.message}", error.remedy) from error


@dataclass(frozen=True, slots=True)
class _Asked:
    """A machine on which TVMs ask; `expected` is what they must be told, by SDID."""

    smoke: Smoke
    host: Host
    run: RunDir
    expected: dict[int, Attestation]

    def check(self) -> str:
        """Verify the evidence of both; return the line for people."""
        blobs = {sdid: self._verified(sdid, keep=True) for sdid in SDIDS}
        for sdid, blob in blobs.items():
            other = self.expected[other_of(sdid)]
            what = f"evidence of domain {sdid} for that of domain {other_of(sdid)}"
            checks.check_rejected(what, blob, other.root_pem, other.reference(), "another TSM")
        found = {
            sdid: read_evidence(blob, self.expected[sdid].root_pem) for sdid, blob in blobs.items()
        }
        if found[1].issuer == found[2].issuer:
            raise CheckFailed(f"both TSMs sign with the key {found[1].issuer}")
        told = " and ".join(
            f"{image_register(self.expected[sdid].tsm).hex()[:8]} in domain {sdid}"
            for sdid in SDIDS
        )
        return f"TSM measured as {told}, each by its own key; neither passes for the other"

    def _verified(self, sdid: int, *, keep: bool = False) -> bytes:
        expected, guest = self.expected[sdid], self._ask(sdid)
        if keep:
            files = {**expected.files(guest), "tsm.elf": expected.tsm}
            for name, content in files.items():
                self.run.write(f"domain{sdid}-{name}", content)
        try:
            checks.check_evidence(expected, guest)
            checks.check_registers(expected, guest)
        except TeecallError as error:
            error.message = f"domain {sdid}: {error.message}"
            raise
        return checks.evidence_of(guest)

    def _ask(self, sdid: int) -> GuestRun:
        seconds = self.smoke.config.timeouts.guest_s
        nonce = self.expected[sdid].argument
        return self.host.run_guest(GUEST, nonce=nonce, seconds=seconds, sdid=sdid)

    def check_theft(self, machine: Machine) -> str:
        """Let the second TSM load the first one's secret: it dies, and the first goes on."""
        try:
            need_harmful(self.smoke)
        except Skipped as error:
            return f"no TSM was made to steal: {error}"
        places = machine.ram.find(_seeds(self.smoke)[1])
        place = min(place for place in places if place % _SEED_ALIGN == 0)
        deaths = Deaths(self.smoke, self.host, machine, 2)
        deaths.die(Attack(2, LOAD, place, "the other TSM's secret"))
        self._verified(1)
        return f"TSM 2 dies when it loads the secret of TSM 1 at {place:#x}"
