# SPDX-License-Identifier: Apache-2.0
"""Audit: every register of a hart, filled on both sides of the domain switch and compared.

No Linux runs here. A small host and a small TSM (firmware/audit) take the places of the real
ones, fill every register they have with patterns, cross the border in both directions and write
down what they find; the steps read it from the machine's memory.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from harness import resources
from harness.build.builder import Builder
from harness.build.payload import HOST_ELF, HOST_IMAGE, TSM_ELF, AuditRecipe
from harness.config.schema import Config
from harness.errors import MachineError
from harness.machine.bare import bare_machine, patched, wait_line
from harness.machine.deadline import scaled
from harness.machine.machine import Machine
from harness.scenarios.audit_compare import (
    Finding,
    fault_findings,
    fp_findings,
    host_to_tsm,
    settings_findings,
    tsm_to_host,
    unclassified,
    unproved,
    unproved_settings,
    vector_findings,
)
from harness.scenarios.audit_memory import GO, AuditMemory, Crossing, HartRecord
from harness.scenarios.audit_table import Table, read_table
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, tools
from harness.trace.record import Recorder

_RUNS = b"audit: host runs"
COMPLETE = b"audit: complete"
_FAULT_AT = re.compile(rb"tsmd: TSM fault at: mepc=(0x[0-9a-f]+)")
_HOST_STVEC = "host_trap+0x0"
_SHOWN = 12
# Every hart makes this call last; the one behind it only the first hart makes.
_LAST_OF_ALL = -2


def sources(smoke: Smoke) -> str:
    """Identify and verify what is built from."""
    builder = Builder(smoke.config, smoke.ui, offline=smoke.offline, extra=(AuditRecipe(),))
    smoke.builder = builder
    return f"OpenSBI {builder.sources.identify('opensbi').version}"


def build(smoke: Smoke) -> str:
    """Build what is missing; the audit's two sides take the places of Linux and the TSM."""
    if smoke.builder is None:
        raise Skipped("the sources are not there")
    outcome = smoke.builder.run()
    place = outcome.places["audit"]
    smoke.artefacts = replace(
        outcome.artefacts,
        kernel_image=place / HOST_IMAGE,
        vmlinux=place / HOST_ELF,
        tsm_elf=place / TSM_ELF,
    )
    smoke.versions.update(outcome.artefacts.versions)
    smoke.keys = {name: place.name for name, place in outcome.places.items()}
    return f"built {', '.join(outcome.built)}" if outcome.built else "everything is up to date"


def boot(smoke: Smoke) -> str:
    """Boot the audit's own TSM and host, with the plan of every CSR put into the host."""
    machine = power_on(smoke, smoke.config)
    wait_line(machine, _RUNS, scaled("boot to the audit host", smoke.config.timeouts.stall_s))
    planned = len(_table(smoke).csrs)
    return f"audit TSM is READY, audit host runs, {planned} CSRs in the plan"


def power_on(smoke: Smoke, config: Config, rng_seed: bytes | None = None) -> Machine:
    """Start the machine with the plan in the host.

    Args:
        smoke: the run.
        config: the machine.
        rng_seed: of a machine that nobody talks to, so that its host does not wait for `let_die`.

    Raises:
        Skipped: nothing was built.
    """
    if smoke.artefacts is None:
        raise Skipped("nothing was built")
    image, memory = smoke.artefacts.kernel_image.read_bytes(), _memory(smoke)
    kernel = patched(image, memory.plan_place(), _table(smoke).plan())
    if rng_seed is not None:
        kernel = patched(kernel, memory.go_place(), GO)
    payload = smoke.run.write(HOST_IMAGE, kernel)
    machine = smoke.stack.enter_context(
        bare_machine(config, smoke.artefacts, payload, smoke.run, rng_seed)
    )
    smoke.machine = machine
    smoke.recorder = Recorder(smoke.artefacts, config.machine.harts)
    smoke.on_power(machine)
    return machine


def _table(smoke: Smoke) -> Table:
    headers: Sequence[Path] = ()
    if smoke.builder is not None:
        headers = sorted(smoke.builder.sources.materialise("overlay").glob("*.h"))
    return read_table(resources.firmware() / "audit" / "csrs.yaml", headers)


def probe(smoke: Smoke) -> str:
    """Let every hart go through its calls, and check that each CSR it has is classified."""
    machine = _machine(smoke)
    try:
        wait_line(machine, COMPLETE, scaled("the audit", smoke.config.timeouts.stall_s))
    except MachineError as error:
        add_what_is_known(smoke, error)
        raise
    return judge_probe(smoke)


def add_what_is_known(smoke: Smoke, error: MachineError) -> None:
    """Add to the error of an audit that did not come to its end how far it came."""
    # The line that it died with comes first, where it died after that.
    _machine(smoke).last_words()
    error.message += _died_at(smoke)
    error.details = (*error.details, *_seen_so_far(smoke))


def judge_probe(smoke: Smoke) -> str:
    """Check that each hart has made its calls, and that each CSR it has is classified."""
    harts, table = _harts(smoke), _table(smoke)
    refused = [hart for hart in harts if hart.settings.set_up]
    if refused:
        raise CheckFailed(
            f"the TSM takes no calls on hart {refused[0].hart}: error {refused[0].settings.set_up}",
            "see lines of `tsmd:` in uart.log",
        )
    missing = [hart.hart for hart in harts if not hart.crossings[_LAST_OF_ALL].after.valid]
    if missing:
        raise CheckFailed(f"harts {missing} did not run the audit", "see uart.log")
    _save(smoke)
    _none(finding for hart in harts for finding in unclassified(hart, table))
    kinds = Counter(table.by_number[number].kind for number in harts[0].answers)
    return (
        f"{len(harts)} harts, {len(harts[0].answers)} CSRs answer in S-mode, all classified: "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    )


def _died_at(smoke: Smoke) -> str:
    """Name the CSR at which the TSM was stopped, if it was."""
    table = _table(smoke)
    died = _FAULT_AT.search(_machine(smoke).uart.read(0))
    # The switch enters the TSM through the stvec that it has given it.
    if died and _memory(smoke).in_host(int(died[1], 16)).startswith(_HOST_STVEC):
        return f"; the TSM was entered at the host's stvec [{table.place(table.by_name['stvec'])}]"
    for hart in _harts(smoke):
        if hart.died_at:
            csr = table.by_number[hart.died_at]
            return f"; the TSM was at {csr.name} on hart {hart.hart} [{table.place(csr)}]"
    return ""


def _seen_so_far(smoke: Smoke) -> list[str]:
    """Return what the TSM has found of the host's, in an audit that did not get to its end."""
    table, entry = _table(smoke), _memory(smoke).entry
    entered = (one for one in _all_crossings(smoke) if one.seen.valid)
    found = [finding.text for one in entered for finding in host_to_tsm(one, table, entry)]
    return found[:_SHOWN]


def _save(smoke: Smoke) -> None:
    """Write all CSR values of all crossings to audit.json."""
    table = _table(smoke)
    rows = [
        {
            "hart": crossing.hart,
            "call": crossing.call,
            "csr": csr.name,
            "number": hex(csr.number),
            "kind": csr.kind,
            **{
                moment: hex(getattr(crossing, moment).csrs[csr.number])
                for moment in ("before", "seen", "filled", "after")
            },
        }
        for crossing in _all_crossings(smoke)
        for csr in table.csrs
        if csr.compared and csr.number in crossing.after.csrs
    ]
    smoke.run.write_json("audit.json", rows)


def host_to_tsm_step(smoke: Smoke) -> str:
    """Check that the TSM found nothing of the host's but the arguments of the call."""
    crossings, table, entry = _crossings(smoke), _table(smoke), _memory(smoke).entry
    boot_henvcfg = _memory(smoke).boot_henvcfg(_machine(smoke).ram)
    _none(
        finding
        for crossing in crossings
        for finding in (
            *host_to_tsm(crossing, table, entry),
            *settings_findings(crossing, boot_henvcfg),
        )
    )
    silent = [*unproved(crossings[0], table, entry), *unproved_settings(_harts(smoke)[0])]
    note = f"; nothing to see on this hart: {', '.join(silent)}" if silent else ""
    return f"{len(crossings)} calls: only a0-a7 and the hart index arrive{note}"


def tsm_to_host_step(smoke: Smoke) -> str:
    """Check that the host found its own values, and nothing of the TSM's but the results."""
    crossings, table = _crossings(smoke), _table(smoke)
    _none(finding for crossing in crossings for finding in tsm_to_host(crossing, table))
    return f"{len(crossings)} returns: only a0, a1 and the flagged scause and stval came back"


def fp(smoke: Smoke) -> str:
    """Check that the FP registers are the host's on both sides of the border."""
    crossings = _crossings(smoke)
    if not crossings[0].before.fp:
        return "this hart has no FP registers"
    _none(finding for crossing in crossings for finding in fp_findings(crossing))
    return "f0-f31 and fcsr are the host's at the TSM's entry (with FS off) and after the return"


def vector(smoke: Smoke) -> str:
    """Check that the vector state is the host's on both sides of the border."""
    crossings = _crossings(smoke)
    if not crossings[0].before.vector:
        return "this hart has no vector registers"
    _none(finding for crossing in crossings for finding in vector_findings(crossing))
    return "v0-v31, vl, vtype, vcsr and vstart are the host's on entry (VS off) and on return"


def fault(smoke: Smoke) -> str:
    """Let the TSM die in the middle of a call: its caller finds its own registers, none of its.

    What the host may change for itself, the delegation of misaligned accesses, must not keep the
    TSM's fault from M-mode.
    """
    machine = _machine(smoke)
    _crossings(smoke)
    # The host waits for this word, so that no line of the death is read outside of the block: a
    # check that fails would take it for the reason.
    with machine.allow("tsm") as deaths:
        _memory(smoke).let_die(machine.ram)
        machine.wait_off(scaled("the death of the TSM", smoke.config.timeouts.stall_s))
    return judge_fault(smoke, died=bool(deaths))


def judge_fault(smoke: Smoke, *, died: bool) -> str:
    """Check what the caller of a TSM that `died` has found in its registers."""
    _save(smoke)
    table, entry = _table(smoke), _memory(smoke).entry
    crossing = next((one for one in _all_crossings(smoke) if _is_fault(one)), None)
    if crossing is None:
        raise CheckFailed("the host did not come back from the TSM's death", "see uart.log")
    _none(
        (
            *fault_findings(crossing),
            *host_to_tsm(crossing, table, entry),
            *tsm_to_host(crossing, table),
            *fp_findings(crossing),
            *vector_findings(crossing),
        )
    )
    if not died:
        raise CheckFailed("nobody has reported the death of the TSM", "see uart.log")
    return "the call of a TSM that dies fails, with every register of the host and none of the TSM"


def _is_fault(crossing: Crossing) -> bool:
    return crossing.call == "fault" and crossing.after.valid


def poweroff(smoke: Smoke) -> str:
    """Check that the host could still switch the machine off."""
    machine = _machine(smoke)
    if machine.status is None:
        raise Skipped("the host was not let go to its end")
    if machine.status:
        raise CheckFailed(f"QEMU ended with status {machine.status}", "see qemu.stderr")
    return "QEMU ended by itself with status 0"


def _machine(smoke: Smoke) -> Machine:
    if smoke.machine is None:
        raise Skipped("the machine did not start")
    return smoke.machine


def _memory(smoke: Smoke) -> AuditMemory:
    artefacts = smoke.artefacts
    assert artefacts is not None and artefacts.vmlinux is not None
    return AuditMemory(artefacts.vmlinux, artefacts.tsm_elf, _table(smoke))


def _harts(smoke: Smoke) -> list[HartRecord]:
    memory, ram = _memory(smoke), _machine(smoke).ram
    return [memory.hart(ram, hart) for hart in range(smoke.config.machine.harts)]


def _crossings(smoke: Smoke) -> list[Crossing]:
    """Return the crossings that end well, of all harts, or skip the check when one did not."""
    crossings = [one for one in _all_crossings(smoke) if one.call != "fault"]
    if not all(crossing.seen.valid and crossing.after.valid for crossing in crossings):
        raise Skipped("the audit did not end")
    return crossings


def _all_crossings(smoke: Smoke) -> list[Crossing]:
    _machine(smoke)
    return [crossing for hart in _harts(smoke) for crossing in hart.crossings]


def _none(findings: Iterable[Finding]) -> None:
    """Raise CheckFailed with the findings, if there are any; the first is the message."""
    found = list(findings)
    if not found:
        return
    more = [str(finding) for finding in found[1:_SHOWN]]
    if len(found) > _SHOWN:
        more.append(f"and {len(found) - _SHOWN} more, see audit.json")
    raise CheckFailed(str(found[0]), "see audit.json for all values", details=more)


_CHECKS: tuple[tuple[str, Callable[[Smoke], str]], ...] = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("probe", probe),
    ("host-to-tsm", host_to_tsm_step),
    ("tsm-to-host", tsm_to_host_step),
    ("fp", fp),
    ("vector", vector),
    ("fault", fault),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
