# SPDX-License-Identifier: Apache-2.0
"""Containment: a hostile host, a hostile guest and a crashing TSM do not take the machine along.

One machine lives through everything that a host and a guest can ask for. Then one machine for
each kind of fault lets its TSM die: the caller gets an error, the host goes on, on every hart,
and the crash is named with the calls that led to it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from harness.errors import ConfigError
from harness.host.boot import powered, reach_shell
from harness.scenarios import containment_events as events
from harness.scenarios import containment_hostile as hostile
from harness.scenarios import smoke as plain
from harness.scenarios.containment_faults import FAULTS, fault_step
from harness.scenarios.runner import Skipped, Step
from harness.scenarios.smoke import Smoke
from harness.trace.record import Recorder

# Long beside anything that a TSM which is alive needs, short to wait for.
WATCHDOG_MS = 500


def sources(smoke: Smoke) -> str:
    """Identify what is built from; the TSM is built with faults on demand."""
    if smoke.config.tsm.elf is not None:
        raise ConfigError(
            "the containment scenario needs a TSM that it can build: tsm.elf is a finished one",
            "unset tsm.elf; tsm.source may name your own TSM",
        )
    flags = (*smoke.config.tsm.flags, "FAULTS=1")
    tsm = replace(smoke.config.tsm, flags=flags, watchdog_ms=WATCHDOG_MS)
    smoke.config = replace(smoke.config, tsm=tsm)
    return plain.sources(smoke)


def boot(smoke: Smoke) -> str:
    """Boot the machine that has to live through it all, and let its driver make hostile calls."""
    artefacts = smoke.artefacts
    if artefacts is None:
        raise Skipped("nothing was built")
    files = {events.SCRIPT_PATH: events.SCRIPT}
    machine = smoke.stack.enter_context(powered(smoke.config, artefacts, smoke.run, files))
    smoke.machine = machine
    smoke.recorder = Recorder(artefacts, smoke.config.machine.harts)
    smoke.on_power(machine)
    smoke.host = reach_shell(machine)
    hostile.allow_hostile_calls(smoke.host)
    smoke.before = smoke.recorder.stats(machine.ram)
    return f"{smoke.config.machine.harts} harts, watchdog {WATCHDOG_MS} ms"


_CHECKS: tuple[tuple[str, Callable[[Smoke], str]], ...] = (
    ("tools", plain.tools),
    ("sources", sources),
    ("build", plain.build),
    ("boot", boot),
    ("arguments", hostile.arguments),
    ("private-eid", hostile.private_eid),
    ("deputy", hostile.deputy),
    ("guest-calls", hostile.guest_calls),
    ("sse", events.sse),
    ("triggers", events.triggers),
    ("counters", events.counters),
    ("fwft", events.fwft),
    ("poweroff", plain.poweroff),
    *((f"fault-{fault.name}", fault_step(fault)) for fault in FAULTS),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
