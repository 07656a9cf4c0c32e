# SPDX-License-Identifier: Apache-2.0
"""Conformance: calls by the thousand, right and wrong, each answered as the reference model says.

The model is written from the CoVE documents alone. Where TSM and model differ, the calls that lead
there are made fewer as long as they still do, and left in conformance.calls, which `teecall run
replay` runs again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.conformance import directed as by_hand
from harness.conformance.bench import Bench, machine_of
from harness.conformance.calls import Call, parse_script
from harness.conformance.capability import load
from harness.conformance.chance import run_by_chance
from harness.conformance.desk import Setting
from harness.conformance.judge import Divergence
from harness.conformance.shrink import shrink
from harness.conformance.together import Meeting, meetings
from harness.scenarios.containment_hostile import allow_hostile_calls
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, boot, build, poweroff, sources, tools
from harness.scenarios.smp import begin, contend

FILE = "conformance.calls"
# Steps of a script.
_STEPS = 240


def bench(smoke: Smoke) -> Bench:
    """Return the bench on the run's machine."""
    host, memory = smoke.need_host(), smoke.config.memory
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    if smoke.run.file(FILE).exists():
        raise Skipped("nobody knows what the TSM holds after it has answered otherwise")
    allow_hostile_calls(host)
    pool = range(memory.pool_base, memory.pool_base + memory.pool_size, 4096)
    path = smoke.config.conformance.capabilities
    can = load(Path(path) if path else None)
    return Bench(host, machine_of(host, pool, smoke.config.machine.harts), can)


def check(smoke: Smoke, on: Bench, scripts: Sequence[Sequence[Call]]) -> None:
    """Run scripts; what differs is made short and left as a file."""
    found = on.run(scripts)
    if found is not None:
        _fail(smoke, found)


def _fail(smoke: Smoke, found: Divergence) -> None:
    smoke.run.write(FILE, found.replayable())
    raise CheckFailed(
        str(found),
        f"teecall run replay {FILE} makes these {found.index + 1} calls again",
        details=[call.line() for call in found.calls[: found.index + 1][-6:]],
    )


def script(smoke: Smoke) -> str:
    """Make the calls of a script that is given."""
    path = smoke.config.conformance.script
    if not path:
        return "none is given"
    on = bench(smoke)
    calls = parse_script(Path(path).read_text(), path)
    check(smoke, on, [calls])
    return f"{len(calls)} calls answered as the model says"


def directed(smoke: Smoke) -> str:
    """Make each call with each error that it can answer."""
    if smoke.config.conformance.script:
        return "only the script"
    on = bench(smoke)
    cases = by_hand.cases(on.machine, on.can)
    for case in cases:
        missed = case.missed(on.machine, on.can)
        if missed:
            raise CheckFailed(f"{case.name}: the model itself does not say so: {missed}")
    check(smoke, on, [case.calls for case in cases])
    return f"{len(cases)} cases, {on.calls} calls"


def together(smoke: Smoke) -> str:
    """Make calls while another hart changes their parameters, or runs the vCPU."""
    if smoke.config.conformance.script:
        return "only the script"
    on = bench(smoke)
    cases = meetings(on.machine, on.can)
    if not cases:
        return "one hart is alone"
    # First that a vCPU is never on two harts: the others count on it.
    met = contend(smoke)
    for case in cases:
        key = (f"covh {case.function}", int(case.error))
        for _ in range(case.times):
            check(smoke, on, [case.calls])
            if key in on.told.counts and on.told.raced >= case.raced:
                break
        else:
            raise CheckFailed(_unproved(case, on), "run it where two cores are free")
        on.told.counts.clear()
        on.told.raced = 0
    return f"{len(cases)} cases, {met}"


def _unproved(case: Meeting, on: Bench) -> str:
    if on.told.raced < case.raced:
        what = f"the other hart wrote beside {on.told.raced} of the calls only"
    else:
        what = "it never did"
    return f"{case.name}: {what}, so nothing was proved"


def chance(smoke: Smoke) -> str:
    """Make calls by chance on all harts, and compare every error, value and page."""
    if smoke.config.conformance.script:
        return "only the script"
    on = bench(smoke)
    conformance = smoke.config.conformance
    setting = Setting(on.machine, on.can, conformance.seed, _STEPS)
    started = time.monotonic()
    found = run_by_chance(on, setting, conformance.calls)
    if found is not None:
        _fail(smoke, shrink(on, found))
    rate = on.calls / (time.monotonic() - started)
    smoke.metrics["calls_per_s"] = rate
    good = sum(count for (_, error), count in on.told.counts.items() if error == 0)
    return (
        f"{on.calls} calls in {on.scripts} scripts, {100 * good // on.told.lines} % of them "
        f"accepted, {rate:.0f} a second with writing and comparing, {on.rate:.0f} of the machine"
    )


def healthy(smoke: Smoke) -> str:
    """Check that the TSM holds nothing, and Linux has not complained."""
    from harness.scenarios.smp_checks import kernel_complaints

    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    left = smoke.need_recorder().stats(host.machine.ram)
    difference = smoke.before.difference(left)
    if difference:
        raise CheckFailed(f"the TSM's counts are not as before: {difference}", "see tsm.log")
    complaints = kernel_complaints(host)
    if complaints:
        raise CheckFailed(f"the kernel complains: {complaints[0]}", "see uart.log")
    return "TSM counts as before, no complaint of the kernel"


_CHECKS: Sequence[tuple[str, Callable[[Smoke], str]]] = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin),
    ("script", script),
    ("directed", directed),
    ("together", together),
    ("chance", chance),
    ("healthy", healthy),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, run) for name, run in _CHECKS)
