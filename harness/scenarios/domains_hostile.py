# SPDX-License-Identifier: Apache-2.0
"""What a host asks one TSM to do with what is another TSM's, and what it must get: an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness import abi
from harness.config.domains import TsmDomain, domains
from harness.machine.deadline import scaled
from harness.scenarios.containment_hostile import all_calls, expect_refused, succeed, words
from harness.scenarios.payload import PAGE
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke
from harness.trace.ring import Event

SDIDS = (1, 2)
_INFO_SIZE = 48
_PARAMS_SIZE = 16
_NOBODY = (0, 3, 63)
_WRONG_ADDRESS = frozenset({abi.Error.INVALID_ADDRESS})
_NO_SUCH_TVM = frozenset({abi.Error.INVALID_PARAM})
_NO_SUCH_DOMAIN = frozenset({abi.Error.NOT_SUPPORTED})
_GPA = 0x80000000


def by_sdid(smoke: Smoke) -> dict[int, TsmDomain]:
    """Return the domains of the machine by SDID."""
    return {domain.sdid: domain for domain in domains(smoke.config)}


def other_of(sdid: int) -> int:
    """Return the SDID of the other one of the two domains."""
    return SDIDS[1] if sdid == SDIDS[0] else SDIDS[0]


def attack_pages(smoke: Smoke, guest_page: Mapping[int, int]) -> int:
    """Name memory of the other domain in calls to each TSM.

    Args:
        smoke: the run.
        guest_page: a page of the TVM of each domain, by SDID.

    Returns:
        How many calls were refused, all without effect.
    """
    host, recorder = smoke.need_host(), smoke.need_recorder()
    before = {sdid: recorder.stats(host.machine.ram, sdid) for sdid in SDIDS}
    held = {page: host.machine.ram.read(page, PAGE) for page in guest_page.values()}
    count = 0
    for sdid in SDIDS:
        theirs = by_sdid(smoke)[other_of(sdid)]
        calls = [f"{call} --sdid {sdid}" for call in _on(theirs, guest_page[theirs.sdid])]
        count += expect_refused(all_calls(host, calls), _WRONG_ADDRESS)
    for sdid in SDIDS:
        difference = before[sdid].difference(recorder.stats(host.machine.ram, sdid))
        if difference:
            raise CheckFailed(f"the TSM of domain {sdid} counts otherwise now: {difference}")
    for page, content in held.items():
        if host.machine.ram.read(page, PAGE) != content:
            raise CheckFailed(f"the TVM's page at {page:#x} has changed", "see events.json")
    return count


def _on(domain: TsmDomain, guest_page: int) -> Iterator[str]:
    """Yield calls that name memory of a domain to a TSM that is not its own."""
    image_end = domain.tsm_base + domain.tsm_size - PAGE
    for page in (domain.buffer, guest_page, domain.tsm_base, image_end):
        yield words("covh convert_pages", page, 1)
        yield words("covh reclaim_pages", page, 1)
        yield words("covh get_tsm_info", page, _INFO_SIZE)
        yield words("covh create_tvm", page, _PARAMS_SIZE)
    # Ranges that begin in the last page before what is closed
    yield words("covh get_tsm_info", domain.tsm_base - 8, _INFO_SIZE)
    yield words("covh get_tsm_info", domain.pool_base - 8, _INFO_SIZE)


def attack_ids(smoke: Smoke, tvms: Mapping[int, int]) -> int:
    """Name a TVM to the TSM that does not have it; return how many calls were refused."""
    count = 0
    for sdid in SDIDS:
        tvm = tvms[other_of(sdid)]
        calls = (
            words("covh run_tvm_vcpu", tvm, 0),
            words("covh destroy_tvm", tvm),
            words("covh tvm_fence", tvm),
            words("covh finalize_tvm", tvm, _GPA, 0, 0),
            words("covh add_tvm_memory_region", tvm, _GPA, 2 << 20),
            words("covh tvm_invalidate_pages", tvm, _GPA, 1),
        )
        results = all_calls(smoke.need_host(), [f"{call} --sdid {sdid}" for call in calls])
        count += expect_refused(results, _NO_SUCH_TVM)
    return count


def attack_sdids(smoke: Smoke) -> int:
    """Call supervisor domains that have no TSM, from every hart; return how many calls."""
    page = by_sdid(smoke)[1].buffer
    calls = [
        f"{call} --sdid {sdid} --cpu {cpu}"
        for cpu in range(smoke.config.machine.harts)
        for sdid in _NOBODY
        for call in (words("covh get_tsm_info", page, _INFO_SIZE), words("covi init_tvm_aia", 1))
    ]
    count = expect_refused(all_calls(smoke.need_host(), calls), _NO_SUCH_DOMAIN)
    # What is not refused for the domain's sake, after all of these
    succeed(smoke.need_host(), [words("covh get_tsm_info", page, _INFO_SIZE)])
    return count


def fence_apart(smoke: Smoke) -> str:
    """Convert a page in each domain and fence the other one; only its own fence settles it."""
    host = smoke.need_host()
    cpus = range(smoke.config.machine.harts)
    for sdid in SDIDS:
        domain = by_sdid(smoke)[sdid]
        page = domain.pool_base + domain.pool_size // 2
        take = f"{words('covh reclaim_pages', page, 1)} --sdid {sdid}"
        succeed(host, [f"{words('covh convert_pages', page, 1)} --sdid {sdid}"])
        succeed(host, list(_fence(other_of(sdid), cpus)))
        early = all_calls(host, [take])[0]
        if early.error != abi.Error.INVALID_ADDRESS:
            raise CheckFailed(
                f"a fence of domain {other_of(sdid)} settles a page of domain {sdid}:"
                f" reclaim_pages answers {early.error_name}",
                "each TSM counts its own fences",
            )
        succeed(host, list(_fence(sdid, cpus)))
        succeed(host, [take])
    return f"on {len(cpus)} harts, in both directions: a page waits for its own domain's fence"


def _fence(sdid: int, cpus: Sequence[int]) -> Iterator[str]:
    yield f"covh global_fence --sdid {sdid}"
    yield from (f"covh local_fence --sdid {sdid} --cpu {cpu}" for cpu in cpus)


def watch(smoke: Smoke, count: Callable[[Sequence[Event]], int], enough: int) -> int:
    """Look at the event rings until something was seen often enough; return how often.

    Each look tells of the moment that the rings hold, and on a busy workstation the next is better.
    """
    host, recorder = smoke.need_host(), smoke.need_recorder()
    deadline = scaled("the events", smoke.config.timeouts.guest_s / 2, ceiling=1.0)
    times = 0
    while times < enough and deadline.remaining():
        times += count([e for ring in recorder.rings(host.machine.ram) for e in ring.events])
        host.shell.run("usleep 10000")
    return times
