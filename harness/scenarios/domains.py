# SPDX-License-Identifier: Apache-2.0
"""Two TSM domains at once: TVMs in both, and nothing of the one is within reach of the other.

One machine has two TSMs, under SDID 1 and 2, each with its own memory and pool. The host launches
TVMs in both and tries to make each TSM act on what is the other's. Then one machine for each of
them lets that TSM reach for the other's memory itself: it dies of it, the other one goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from harness.config.domains import TsmDomain
from harness.host.host import Host
from harness.host.results import GuestRun, number
from harness.scenarios import domains_hostile as hostile
from harness.scenarios import smoke as plain
from harness.scenarios.domains_deaths import death_step
from harness.scenarios.domains_evidence import evidence
from harness.scenarios.domains_hostile import SDIDS, by_sdid
from harness.scenarios.payload import GUEST_PATH, PAGE
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke
from harness.scenarios.smoke_checks import check_answer, check_teardown, check_tsm_info
from harness.scenarios.smp_checks import BackgroundGuest, check_stopped, count_together

_ROAM = "/payload/roam.elf"
# More rounds than any run has time for.
_ENDLESS = 1 << 40
_TIMES = 10
_PROBE = b"teecall!"


def sources(smoke: Smoke) -> str:
    """Identify what is built from: two TSMs, with faults on demand where they are built here."""
    flags = smoke.config.tsm.flags
    if smoke.config.tsm.elf is None:
        flags = (*flags, "FAULTS=1")
    smoke.config = replace(smoke.config, tsm=replace(smoke.config.tsm, domains=2, flags=flags))
    return plain.sources(smoke)


def tsm(smoke: Smoke) -> str:
    """Ask both TSMs about themselves from every hart."""
    host, recorder = smoke.need_host(), smoke.need_recorder()
    said = ""
    for domain in by_sdid(smoke).values():
        calls, said = check_tsm_info(host, domain.buffer, smoke.config.machine.harts, domain.sdid)
        smoke.calls += calls
        smoke.counts[domain.sdid] = recorder.stats(host.machine.ram, domain.sdid)
    return f"both {said}"


def launch(smoke: Smoke) -> str:
    """Launch and keep a TVM in each domain, each with an id that the other TSM does not know."""
    host, payload = smoke.need_host(), smoke.need_payload()
    if not smoke.calls:
        raise Skipped("the TSMs do not answer")
    # An id is used once: the second TSM uses its first one up.
    gone = host.run_guest(GUEST_PATH, nonce=0, seconds=smoke.config.timeouts.guest_s, sdid=2)
    check_answer(gone, payload, 0)
    for sdid in SDIDS:
        nonce = smoke.nonce(f"domain {sdid}")
        guest = host.run_guest(
            GUEST_PATH,
            nonce=nonce,
            hold=f"domain{sdid}",
            seconds=smoke.config.timeouts.guest_s,
            sdid=sdid,
        )
        check_answer(guest, payload, nonce)
        smoke.held[sdid] = guest
    ids = [tvm_of(guest) for guest in smoke.held.values()]
    if ids[0] == ids[1]:
        raise CheckFailed(f"both TVMs have the id {ids[0]}: what follows would prove nothing")
    return f"TVM {ids[0]} in domain 1 and TVM {ids[1]} in domain 2, both answered as measured"


def tvm_of(guest: GuestRun) -> int:
    """Return the TVM's id."""
    return number(guest.first("launch") or {}, "tvm")


def _both(smoke: Smoke) -> dict[int, GuestRun]:
    if len(smoke.held) != len(SDIDS):
        raise Skipped("there is no TVM in each domain")
    return smoke.held


def together(smoke: Smoke) -> str:
    """Run a TVM of each domain on a hart of its own at the same time."""
    host = smoke.need_host()
    if smoke.config.machine.harts < len(SDIDS):
        raise Skipped("it needs two harts; set machine.harts")
    if not smoke.calls:
        raise Skipped("the TSMs do not answer")
    guests = [start_endless(host, f"together{sdid}", sdid, cpu) for cpu, sdid in enumerate(SDIDS)]
    times = hostile.watch(smoke, count_together, _TIMES)
    for guest in guests:
        check_stopped(guest.stop())
    if not times:
        raise CheckFailed("the two TVMs were never inside at the same time", "see events.json")
    return f"a TVM of one domain was inside {times} times when the other's came; both kept theirs"


def start_endless(host: Host, name: str, sdid: int, cpu: int) -> BackgroundGuest:
    """Start a TVM that checks its own state for ever on a hart, and wait until it runs."""
    guest = BackgroundGuest.launch(
        host,
        name,
        f"taskset {1 << cpu:x} tvm run {_ROAM} --arg {_ENDLESS} --sdid {sdid} --json",
    )
    guest.wait_for_launch()
    return guest


def isolation(smoke: Smoke) -> str:
    """Read and write memory of both TSMs and TVMs as the host: every access must fault."""
    host, guests = smoke.need_host(), _both(smoke)
    places = {
        address: f"{name} of domain {domain.sdid}"
        for domain in by_sdid(smoke).values()
        for address, name in _closed(domain, guests[domain.sdid]).items()
    }
    for access in host.touch(list(places), _PROBE):
        if not access.fault:
            verb = "write" if access.write else "read"
            raise CheckFailed(f"the host can {verb} {places[access.address]}")
    return f"{len(places)} places of two TSMs and two TVMs: every read and write faults"


def _closed(domain: TsmDomain, guest: GuestRun) -> dict[int, str]:
    return {
        domain.tsm_base: "the TSM's first page",
        domain.tsm_base + domain.tsm_size - PAGE: "the TSM's boot information",
        **{pa: f"guest page {gpa:#x}" for gpa, pa in guest.pages.items()},
    }


def pages(smoke: Smoke) -> str:
    """Make each TSM take, give away, read and write memory of the other: it must refuse."""
    guests = _both(smoke)
    count = hostile.attack_pages(smoke, {sdid: min(g.pages.values()) for sdid, g in guests.items()})
    return f"{count} calls on memory of the other domain refused, no TSM counts anything else"


def ids(smoke: Smoke) -> str:
    """Name each TVM to the other TSM: it knows no such TVM."""
    count = hostile.attack_ids(smoke, {sdid: tvm_of(g) for sdid, g in _both(smoke).items()})
    return f"{count} calls with the id of the other domain's TVM refused"


def sdids(smoke: Smoke) -> str:
    """Call domains that do not exist."""
    return f"{hostile.attack_sdids(smoke)} calls to domains that do not exist are NOT_SUPPORTED"


def fences(smoke: Smoke) -> str:
    """Fence one domain: pages that the other one has converted stay unsettled."""
    return hostile.fence_apart(smoke)


def teardown(smoke: Smoke) -> str:
    """Destroy both TVMs: all memory comes back and both TSMs count as before."""
    host, recorder = smoke.need_host(), smoke.need_recorder()
    said = ""
    for sdid, guest in _both(smoke).items():
        end = host.release(f"domain{sdid}")
        after = recorder.stats(host.machine.ram, sdid)
        said = check_teardown(host, guest, end, smoke.counts[sdid], after)
        pool = host.tvm_json("pool", "--sdid", sdid).objects[0]
        size = by_sdid(smoke)[sdid].pool_size // PAGE
        if number(pool, "free") != size or number(pool, "confidential"):
            raise CheckFailed(f"{size - number(pool, 'free')} pages of pool {sdid} are not free")
    return f"both {said}"


_CHECKS: tuple[tuple[str, Callable[[Smoke], str]], ...] = (
    ("tools", plain.tools),
    ("sources", sources),
    ("build", plain.build),
    ("boot", plain.boot),
    ("tsm", tsm),
    ("launch", launch),
    ("isolation", isolation),
    ("pages", pages),
    ("ids", ids),
    ("sdids", sdids),
    ("fences", fences),
    ("teardown", teardown),
    ("together", together),
    ("poweroff", plain.poweroff),
    ("evidence", evidence),
    *((f"death-{sdid}", death_step(sdid)) for sdid in SDIDS),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
