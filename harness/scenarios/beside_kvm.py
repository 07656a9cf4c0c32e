# SPDX-License-Identifier: Apache-2.0
"""Beside KVM: plain KVM guests and TVMs on the same harts, with clashing VMIDs, ASIDs and GPAs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.host.results import GuestRun, parse_answer
from harness.machine.symbols import ElfSymbols
from harness.scenarios import beside_guests as guests
from harness.scenarios.beside_guests import Background, check_health
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, boot, build, poweroff, sources, tools
from harness.trace.fences import Fences, check_fences, since, without_gaps
from harness.trace.interrupts import Trap, parse_interrupts
from harness.trace.worlds import TVM, overlaps, stays, switches

# Rounds of a TVM: about 100 exits, of which the rings keep all.
_ROUNDS = 96
_TURNS = 5
_ATTEMPTS = 20
# A TVM's exit takes the hart to the KVM guest and back, nearly always.
_WANTED_SWITCHES = 800
_GUEST = range(0x80200000, 0x80400000)
_HOLD = "beside"
_KVM_WORLD = 1
_TVM_WORLD = 2
# hfence.gvma x0, rs2 and hfence.vvma x0, x0, without their register fields
_HFENCE_GVMA = 0x62000073
_HFENCE_VVMA = 0x22000073
_RS2 = 0x1F << 20


@dataclass
class _Beside:
    """What the checks of one run hand on.

    `kvm` is the KVM guest that lives through the TVMs beside it; `heads` has how far each ring was
    looked at; `fences` what each TVM's run left in the rings and the VMID in the host's hgatp;
    `harts` the hart of each CPU, which QEMU's log and the rings know it by.
    """

    kvm: Background | None = None
    count: int = 0
    heads: dict[tuple[str, int], int] = field(default_factory=dict)
    switches: int = 0
    fences: list[tuple[str, Fences, int]] = field(default_factory=list)
    harts: list[int] = field(default_factory=list)


# By the run: a scenario's state is that of the smoke, which knows nothing of KVM.
_RUNS: dict[int, _Beside] = {}


def _of(smoke: Smoke) -> _Beside:
    found = _RUNS.get(id(smoke))
    if found is None:
        found = _RUNS[id(smoke)] = _Beside()
        smoke.stack.callback(_RUNS.pop, id(smoke))
    return found


def _shared_cpu(smoke: Smoke) -> int:
    return smoke.config.machine.harts - 1


def _shared_hart(smoke: Smoke) -> int:
    return _of(smoke).harts[_shared_cpu(smoke)]


def _kvm(smoke: Smoke, cpu: int, options: str, rounds: int = 0) -> str:
    seconds = int(smoke.config.timeouts.guest_s * 4)
    seed = int.from_bytes(smoke.derived("kvm", 4), "little")
    value = guests.argument(seed, _KVM_WORLD, rounds)
    return (
        f"taskset {1 << cpu:x} kvm run {guests.IMAGE} --arg {value:#x} --json"
        f" --timeout {seconds} {options}"
    )


def _tvm(smoke: Smoke, cpu: int, rounds: int, options: str = "") -> str:
    state = _of(smoke)
    state.count += 1
    seed = int.from_bytes(smoke.derived(f"tvm {state.count}", 4), "little")
    value = guests.argument(seed, _TVM_WORLD, rounds)
    seconds = int(smoke.config.timeouts.guest_s)
    return (
        f"taskset {1 << cpu:x} tvm run {guests.IMAGE} --arg {value:#x} --json"
        f" --timeout {seconds} {options}"
    )


def kvm(smoke: Smoke) -> str:
    """Start a plain guest of the host's KVM that lives through all that follows."""
    host = smoke.need_host()
    if smoke.config.machine.harts < 2:
        raise Skipped("one hart: there is no second one to drive the TVM from")
    if not host.shell.run("test -c /dev/kvm").ok:
        raise CheckFailed("the host has no /dev/kvm", "the kernel needs CONFIG_KVM=y")
    _of(smoke).harts = guests.harts_of_cpus(host)
    guest = Background(host, "kvm1", 5)
    guest.start(_kvm(smoke, _shared_cpu(smoke), "--yield"))
    _of(smoke).kvm = guest
    return f"a KVM guest at {_GUEST.start:#x} runs on hart {_shared_hart(smoke)}"


def _run_tvm(smoke: Smoke, what: str, command: str) -> GuestRun:
    """Run a TVM to its end beside the KVM guest; keep what the rings say of it."""
    host = smoke.need_host()
    result = host.shell.run(command, smoke.config.timeouts.guest_s)
    answer = parse_answer(result.output, result.status)
    run = GuestRun(answer.objects, answer.messages, answer.status)
    _keep_fences(smoke, what, run)
    check_health(f"the TVM ({what})", run)
    _check_alive(smoke)
    return run


def _keep_fences(smoke: Smoke, what: str, run: GuestRun) -> None:
    state = _of(smoke)
    rings = smoke.need_recorder().rings(smoke.need_host().machine.ram)
    new = [since(ring, state.heads.get((ring.writer, ring.hart), 0)) for ring in rings]
    state.heads = {(ring.writer, ring.hart): ring.head for ring in rings}
    found = check_fences(without_gaps(new))
    state.fences.append((what, found, guests.host_vmid(run)))


def _check_alive(smoke: Smoke) -> None:
    """The KVM guest ends only when it is told to, or when it has found something wrong."""
    state = _of(smoke)
    if state.kvm is None:
        raise Skipped("no KVM guest runs")
    if not state.kvm.runs:
        report, state.kvm = state.kvm.finish(), None
        check_health("the KVM guest", report)
        raise CheckFailed("the KVM guest ended although nobody told it to")


def _logged(smoke: Smoke, commands: Sequence[tuple[str, str]]) -> tuple[list[GuestRun], list[Trap]]:
    """Run TVMs one after the other; return their reports and QEMU's log of them alone."""
    if _of(smoke).kvm is None:
        raise Skipped("no KVM guest runs")
    log = smoke.run.file("interrupts.log")
    before = log.stat().st_size if log.exists() else 0
    with smoke.need_host().machine.interrupt_log():
        reports = [_run_tvm(smoke, what, command) for what, command in commands]
    with log.open(encoding="utf-8", errors="replace") as lines:
        lines.seek(before)
        return reports, parse_interrupts(lines)


def _tsm(smoke: Smoke) -> range:
    memory = smoke.config.memory
    return range(memory.tsm_base, memory.tsm_base + memory.tsm_size)


def in_the_middle(smoke: Smoke) -> str:
    """Run TVMs in interrupts of the KVM guest, while KVM has its guest's state in the hart."""
    cpu = _shared_cpu(smoke)
    commands = [
        ("in the KVM guest's hart", _tvm(smoke, 0, _ROUNDS, f"--on-cpu {cpu}"))
        for _ in range(_TURNS)
    ]
    reports, traps = _logged(smoke, commands)
    return _interleaved(smoke, reports, traps)


def turns(smoke: Smoke) -> str:
    """Let the host's scheduler switch between the KVM guest and TVMs on one hart."""
    command = _tvm(smoke, _shared_cpu(smoke), _ROUNDS, "--yield")
    said = ""
    # How often the KVM guest comes between two runs is the scheduler's, and the workstation's.
    for _ in range(_ATTEMPTS):
        reports, traps = _logged(smoke, [("by turns on one hart", command)])
        said = _interleaved(smoke, reports, traps)
        if _of(smoke).switches >= _WANTED_SWITCHES:
            break
    return said


def _interleaved(smoke: Smoke, reports: Sequence[GuestRun], traps: Sequence[Trap]) -> str:
    """Compare QEMU's log with the tool's count of runs; count the switches between the worlds."""
    hart = _shared_hart(smoke)
    found = stays(traps, _GUEST, _tsm(smoke))
    runs = sum(stay.hart == hart and stay.world == TVM for stay in found)
    calls = sum(map(guests.run_calls, reports))
    if runs != calls:
        raise CheckFailed(
            f"QEMU's log shows {runs} runs of TVMs on hart {hart}, the host made {calls}",
            "compare interrupts.log with events.json",
        )
    changes = switches(found, hart)
    if changes < len(reports) * _ROUNDS // 2:
        raise CheckFailed(
            f"hart {hart} changed only {changes} times between KVM guest and TVM in {calls} runs:"
            " the KVM guest does not run beside the TVM",
            "see interrupts.log",
        )
    _of(smoke).switches += changes
    return (
        f"{len(reports)} TVMs, {calls} runs, {changes} switches between KVM guest and TVM on"
        f" hart {hart} as QEMU's log has them; each TVM kept all its state"
    )


def two_harts(smoke: Smoke) -> str:
    """Run TVMs on one hart while the KVM guest runs on another, until they surely met."""
    both = runs = 0
    # A busy workstation may stop the thread of one hart for all of a TVM's short life.
    for _ in range(_ATTEMPTS):
        reports, traps = _logged(smoke, [("on another hart", _tvm(smoke, 0, 2 * _ROUNDS))])
        ours, theirs = _of(smoke).harts[0], _shared_hart(smoke)
        both += overlaps(stays(traps, _GUEST, _tsm(smoke)), theirs, ours)
        runs += guests.run_calls(reports[0])
        if both >= _ROUNDS // 2:
            return f"{runs} runs on hart {ours}, {both} changes between the harts' worlds"
    raise CheckFailed(
        f"TVMs on hart {ours} and KVM guest on hart {theirs} took only {both} turns:"
        " they did not run at the same time",
        "see interrupts.log",
    )


def kvm_outlives(smoke: Smoke) -> str:
    """End the KVM guest after all TVMs beside it were destroyed: it has kept all its state."""
    state = _of(smoke)
    if state.kvm is None:
        raise Skipped("no KVM guest runs")
    report, state.kvm = state.kvm.finish(), None
    health = check_health("the KVM guest", report)
    if state.switches < _WANTED_SWITCHES:
        raise CheckFailed(
            f"{state.switches} switches between the worlds on one hart are fewer than the"
            f" {_WANTED_SWITCHES} that this run is to have"
        )
    vector = f"vector registers of {health.vlen} bits" if health.vlen else "no vector registers"
    return (
        f"{health.rounds} rounds through {state.switches} switches, {vector}; memory, page table,"
        " CSRs, FP and timer kept"
    )


def tvm_outlives(smoke: Smoke) -> str:
    """Create a TVM first, let a KVM guest come and go beside it, then end the TVM."""
    host, cpu = smoke.need_host(), _shared_cpu(smoke)
    # It takes the TSM's first VMID, so that the next TVM gets the next KVM guest's.
    spare = host.run_guest("/payload/hello.elf", hold=_HOLD, seconds=smoke.config.timeouts.guest_s)
    if spare.trouble:
        raise CheckFailed(f"the TVM that is held: {spare.trouble}")
    tvm = Background(host, "tvm1", 6)
    tvm.start(_tvm(smoke, cpu, 0, "--yield"))
    plain = Background(host, "kvm2", 5)
    plain.start(_kvm(smoke, cpu, "--yield", _ROUNDS))
    rounds = check_health("the second KVM guest", plain.finish(ask=False)).rounds
    if not tvm.runs:
        check_health("the TVM that a KVM guest came and went beside", tvm.finish())
        raise CheckFailed("the TVM ended although nobody told it to")
    report = tvm.finish()
    _keep_fences(smoke, "that a KVM guest came and went beside", report)
    health = check_health("the TVM that a KVM guest came and went beside", report)
    host.release(_HOLD)
    return (
        f"KVM guest came and went in {rounds} rounds, the TVM kept all its state in {health.rounds}"
    )


def fences(smoke: Smoke) -> str:
    """Prove from the event rings that fences keep clashing VMIDs apart, and that they clashed."""
    kept = _of(smoke).fences
    if not kept:
        raise Skipped("no TVM ran")
    clashes: set[int] = set()
    users: dict[int, set[int]] = {}
    for what, found, theirs in kept:
        if found.missing:
            raise CheckFailed(
                f"the TVM {what}: {found.missing[0]}", "see events.json", details=found.missing[1:5]
            )
        if theirs in found.vmids:
            clashes.add(theirs)
        for vmid, tvms in found.vmids.items():
            users.setdefault(vmid, set()).update(tvms)
    if not clashes:
        raise CheckFailed(
            "no TVM had the VMID of a KVM guest: there was nothing for the fences to keep apart",
            details=[f"{what}: host {theirs}, TVMs {sorted(f.vmids)}" for what, f, theirs in kept],
        )
    reused = [vmid for vmid, tvms in users.items() if len(tvms) > 1]
    # On one hart a single TVM runs beside a KVM guest, and no VMID can be free again.
    if not reused and len(kept) > 1:
        raise CheckFailed("no VMID was used again after its TVM was destroyed")
    _check_instructions(smoke)
    entries = sum(found.entries for _, found, _ in kept)
    calls = sum(found.calls for _, found, _ in kept)
    return (
        f"{entries} entries in {calls} calls are fenced before and behind; VMIDs {sorted(clashes)}"
        f" were KVM's and the TSM's at once, {sorted(reused) or 'none'} of several TVMs"
    )


def _check_instructions(smoke: Smoke) -> None:
    """The event says that the fence function ran; its code says what that does."""
    assert smoke.artefacts is not None
    if smoke.config.tsm.elf:
        return
    symbol = ElfSymbols(smoke.artefacts.tsm_elf).function("arch_guest_fence")
    code = smoke.need_host().machine.ram.read(symbol.address, symbol.size)
    words = {int.from_bytes(code[at : at + 4], "little") for at in range(0, symbol.size - 3, 2)}
    for name, found in (
        ("hfence.gvma x0, vmid", any(word & ~_RS2 == _HFENCE_GVMA for word in words)),
        ("hfence.vvma x0, x0", _HFENCE_VVMA in words),
    ):
        if not found:
            raise CheckFailed(f"arch_guest_fence of the TSM has no {name}", "see arch/guest.c")


STEPS: tuple[Step[Smoke], ...] = tuple(
    Step(check.__name__.replace("_", "-"), check)
    for check in (
        tools,
        sources,
        build,
        boot,
        kvm,
        in_the_middle,
        turns,
        two_harts,
        kvm_outlives,
        tvm_outlives,
        fences,
        poweroff,
    )
)
