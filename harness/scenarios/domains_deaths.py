# SPDX-License-Identifier: Apache-2.0
"""A TSM that reaches for another's memory dies of it; the other TSM and the host go on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from harness import abi
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.host.results import GuestRun
from harness.machine.deadline import scaled
from harness.machine.machine import Machine
from harness.machine.rundir import new_run
from harness.scenarios.containment_hostile import all_calls, words
from harness.scenarios.domains_hostile import by_sdid, other_of
from harness.scenarios.payload import GUEST_PATH, PAGE
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke
from harness.scenarios.smoke_checks import check_answer, check_teardown
from harness.scenarios.smp_checks import BackgroundGuest, check_stopped
from harness.trace.record import Recorder

_PROBE = b"teecall!"
LOAD, STORE = "load", "store"
_FAULTS = {
    LOAD: (abi.FAULT_LOAD, 5),
    STORE: (abi.FAULT_STORE, 7),
}


@dataclass(frozen=True, slots=True)
class Attack:
    """A TSM reaches for an address that is another domain's, and must die of it.

    `how` is "load" or "store", `what` says what is there.
    """

    sdid: int
    how: str
    address: int
    what: str


def need_harmful(smoke: Smoke) -> None:
    """Skip the check unless both TSMs are built here, with faults on demand."""
    for key, given in (("elf", smoke.config.tsm.elf), ("second_elf", smoke.config.tsm.second_elf)):
        if given is not None:
            raise Skipped(f"tsm.{key} is a finished TSM: it does itself no harm on demand")


def death_step(sdid: int) -> Callable[[Smoke], str]:
    """Return the check that lets the TSM of a domain die first, on a machine of its own."""

    def check(smoke: Smoke) -> str:
        if smoke.artefacts is None or smoke.payload is None:
            raise Skipped("nothing was built, or the machine did not boot")
        need_harmful(smoke)
        first = smoke.machine, smoke.host
        stack = contextlib.ExitStack()
        # A machine on which the check fails has to live until it has told why.
        with contextlib.ExitStack() as failing:
            failing.callback(lambda: smoke.stack.push(stack.pop_all()))
            run = new_run(smoke.run.path / f"death-{sdid}")
            files = {GUEST_PATH: smoke.payload.file}
            machine = stack.enter_context(powered(smoke.config, smoke.artefacts, run, files))
            smoke.machine = machine
            smoke.host = reach_shell(machine)
            detail = Deaths(smoke, smoke.host, machine, sdid).run()
            failing.pop_all()
        stack.close()
        smoke.machine, smoke.host = first
        return detail

    check.__doc__ = f"Let the TSM of domain {sdid} reach for the other's memory, and die of it."
    return check


class Deaths:
    """The TSM of one domain dies while the other works, then that one too."""

    def __init__(self, smoke: Smoke, host: Host, machine: Machine, first: int) -> None:
        assert smoke.artefacts is not None
        self._smoke = smoke
        self._host = host
        self._machine = machine
        self._recorder = Recorder(smoke.artefacts, smoke.config.machine.harts)
        self._first = first
        self._second = other_of(first)
        self._domains = by_sdid(smoke)
        self._deaths = 0

    def run(self) -> str:
        """Go through it all; return the line for people."""
        first, second = self._first, self._second
        before = self._recorder.stats(self._machine.ram, second)
        kept, lost = self._launch("kept", second), self._launch("lost", first)
        self._check_harmless()
        page = min(kept.pages.values())
        theirs = self._domains[second]
        attack = (
            Attack(first, LOAD, theirs.tsm_base, "the other TSM's image")
            if first == max(self._domains)
            else Attack(first, STORE, page, "a page of the other's TVM")
        )
        running = self._start_beside(second)
        self.die(attack)
        if running is not None:
            check_stopped(running.stop())
        self._check_answers({first: abi.Error.FAILED, second: abi.Error.SUCCESS})
        self._check_closed(first, lost)
        end = self._host.release("kept")
        after = self._recorder.stats(self._machine.ram, second)
        check_teardown(self._host, kept, end, before, after)
        self._relaunch(second)
        self.die(Attack(second, STORE, min(lost.pages.values()), "a page of a dead TSM's TVM"))
        self._check_answers({first: abi.Error.FAILED, second: abi.Error.FAILED})
        self._check_closed(first, lost)
        self._host.power_off(self._smoke.config.timeouts.poweroff_s)
        beside = "" if running is None else " a TVM that ran beside it ran on,"
        return (
            f"TSM {first} dies of a {attack.how} at {attack.address:#x}, {attack.what};"
            f"{beside} domain {second} goes on until it does the same; the host lives"
        )

    def _launch(self, name: str, sdid: int) -> GuestRun:
        nonce = self._smoke.nonce(name)
        seconds = self._smoke.config.timeouts.guest_s
        guest = self._host.run_guest(GUEST_PATH, nonce=nonce, hold=name, seconds=seconds, sdid=sdid)
        check_answer(guest, self._smoke.need_payload(), nonce)
        return guest

    def _relaunch(self, sdid: int) -> None:
        """Launch and destroy one more TVM in a domain whose neighbour is dead."""
        seconds = self._smoke.config.timeouts.guest_s
        guest = self._host.run_guest(GUEST_PATH, nonce=1, seconds=seconds, sdid=sdid)
        check_answer(guest, self._smoke.need_payload(), 1)

    def _start_beside(self, sdid: int) -> BackgroundGuest | None:
        """Let a TVM of a domain run on the second hart; there may be only one."""
        if self._smoke.config.machine.harts < 2:
            return None
        from harness.scenarios.domains import start_endless

        return start_endless(self._host, f"beside{sdid}", sdid, 1)

    def _harm(self, sdid: int, how: str, address: int) -> str:
        call = words("covh", abi.FAULT_FID + _FAULTS[how][0], address)
        return f"{call} --sdid {sdid} --cpu 0"

    def _check_harmless(self) -> None:
        """The same accesses to memory of the host work: what kills is where they go."""
        for sdid, domain in self._domains.items():
            for how in _FAULTS:
                answer = all_calls(self._host, [self._harm(sdid, how, domain.buffer)])[0]
                if answer.error != abi.Error.NOT_SUPPORTED:
                    raise CheckFailed(
                        f"a {how} of TSM {sdid} in memory of the host answers"
                        f" {answer.error_name}: nothing was to happen"
                    )

    def die(self, attack: Attack) -> None:
        """Let a TSM make an attack, and check that it dies of it and nothing has changed."""
        held = self._machine.ram.read(attack.address, PAGE)
        with self._machine.allow("tsm") as deaths:
            harm = self._harm(attack.sdid, attack.how, attack.address)
            answer = all_calls(self._host, [harm])[0]
            if answer.error != abi.Error.FAILED:
                raise CheckFailed(
                    f"TSM {attack.sdid} can {attack.how} at {attack.address:#x}, {attack.what}:"
                    f" the call answers {answer.error_name}",
                    "the PMP does not close it to this TSM",
                )
            self._await_report(attack)
        self._deaths += 1
        if not deaths:
            raise CheckFailed("the harness takes a machine with a dead TSM for a healthy one")
        self._check_report(attack)
        if self._machine.ram.read(attack.address, PAGE) != held:
            raise CheckFailed(f"{attack.what} at {attack.address:#x} has changed")

    def _await_report(self, attack: Attack) -> None:
        """Wait until the firmware has named the domain: the console comes behind the call."""
        said = f"tsmd: TSM domain dead: SDID {attack.sdid}, hart 0: fault\r\n".encode()
        uart = self._machine.uart
        deadline = scaled(f"`{said.decode().strip()}`", self._smoke.config.timeouts.stall_s)
        while said not in uart.tail(1 << 14):
            with uart.news:
                uart.news.wait(min(0.2, deadline.remaining()))
            deadline.check()

    def _check_report(self, attack: Attack) -> None:
        """The event ring has the domain, the cause and the address of each death."""
        events = [
            event
            for ring in self._recorder.rings(self._machine.ram)
            for event in ring.events
            if event.kind == abi.Event.TSM_FAULT
        ]
        found = [(event.sdid, event.value, event.error) for event in events]
        wanted = (attack.sdid, _FAULTS[attack.how][1], attack.address)
        if len(found) != self._deaths or wanted not in found:
            raise CheckFailed(
                f"the event ring has the deaths {found}, not SDID, mcause and mtval {wanted}"
            )

    def _check_answers(self, wanted: dict[int, abi.Error]) -> None:
        """Ask both TSMs from every hart; SUPD counts those that live."""
        for sdid, error in wanted.items():
            for cpu in range(self._smoke.config.machine.harts):
                answer = self._host.call(
                    "covh", "get_tsm_info", self._domains[sdid].buffer, 48, cpu=cpu, sdid=sdid
                )
                if answer.error != error:
                    raise CheckFailed(
                        f"COVH of domain {sdid} answers {answer.error_name} on hart {cpu},"
                        f" not {error.name}"
                    )
        living = 1 | sum(1 << sdid for sdid, error in wanted.items() if not error)
        active = self._host.call("supd", "get_active_domains").value
        if active != living:
            raise CheckFailed(f"active domains are {active:#b} instead of {living:#b}")

    def _check_closed(self, sdid: int, guest: GuestRun) -> None:
        """What a dead TSM and its TVM had stays closed to the host."""
        places = [self._domains[sdid].tsm_base, *guest.pages.values()]
        for access in self._host.touch(places, _PROBE):
            if not access.fault:
                raise CheckFailed(f"memory of the dead domain {sdid} is open: {access.address:#x}")
