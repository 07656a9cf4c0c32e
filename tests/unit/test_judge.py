# SPDX-License-Identifier: Apache-2.0
"""Deaths in logs: rules, blocks, what is allowed, and signatures that do not depend on chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.machine.deaths import DeathWatch, block_of, clean, deaths_in, expectation, find_death
from harness.machine.rules import RULES
from harness.signature.frames import function_of, meaningful
from harness.signature.judge import judge_death, judge_log, judge_run
from harness.signature.signature import Signature, signature_of
from harness.signature.text import normalised
from harness.verdict import Check, Verdict

LOGS = Path(__file__).parent / "logs"

# First line, name of the rule, title of the signature.
LINES = [
    (
        "sbi_trap_error: hart0: trap0: load fault handler failed (error -2)",
        "OpenSBI trap",
        "opensbi trap: load fault handler failed",
    ),
    (
        "sbi_trap_error: hart1: illegal instruction handler failed (error -2)",
        "OpenSBI trap",
        "opensbi trap: illegal instruction handler failed",
    ),
    ("sbi_trap_error: hart0: mcause=0x2 mtval=0x0", "OpenSBI trap", None),
    (
        "init_coldboot: ipi init failed (error -3)",
        "OpenSBI initialisation failed",
        "opensbi init: init_coldboot: ipi init failed",
    ),
    (
        "sbi_sprintf called with NULL output string",
        "OpenSBI panic",
        "opensbi panic: sbi_sprintf called with NULL output string",
    ),
    ("tsmd: TSM panic: page state 7", "TSM panic", "tsm panic: page state N"),
    ("~ # tsmd: TSM fault: mcause=0x7 mtval=0x1", "TSM fault", "tsm fault: store access fault"),
    ("tsmd: TSM domain refused (error -3)", "TSM refused", "tsm init: TSM domain refused"),
    (
        "tsmd: TSM domain dead: SDID 1, hart 1: fault",
        "TSM domain dead",
        "tsm dead: TSM domain dead: SDID N, hart N: fault",
    ),
    (
        "panic occurred in file 'src/vm.rs' at line 42",
        "Salus panic",
        "tsm panic: src/vm.rs",
    ),
    ("panic backtrace:", "Salus panic", "tsm panic"),
    (
        "[    0.718220] Kernel panic - not syncing: sysrq triggered crash",
        "kernel panic",
        "linux panic: sysrq triggered crash",
    ),
    (
        "~ # [    1.0] Unable to handle kernel paging request at virtual address dfff0123456789ab",
        "kernel oops",
        "linux oops: Unable to handle kernel paging request at virtual address N",
    ),
    ("[    1.000000][   T42] Oops [#1]", "kernel oops", "linux oops: Oops [#N]"),
    ("[    1.0] Insufficient stack space to handle exception!", "kernel oops", None),
    (
        "[    1.000000] kernel BUG at mm/slub.c:123!",
        "kernel BUG",
        "linux BUG: kernel BUG at mm/slub.c:N!",
    ),
    ("[    1.0] BUG: scheduling while atomic: sh/42", "kernel BUG", None),
    (
        "[   22.0] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:42]",
        "kernel stall",
        "linux stall: soft lockup",
    ),
    ("[   22.0] watchdog: Watchdog detected hard LOCKUP on cpu 1", "kernel stall", None),
    ("[   21.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", "kernel stall", None),
    (
        "[  242.0] INFO: task sh:42 blocked for more than 120 seconds.",
        "kernel stall",
        "linux stall: task sh",
    ),
    (
        "[   12.0] Out of memory: Killed process 42 (tvm) total-vm:1234kB",
        "out of memory",
        "linux OOM: Out of memory: Killed process N (tvm)",
    ),
    ("  Fatal: unable to load kernel", "kvmtool", "tvm kvmtool: unable to load kernel"),
    (
        "qemu-system-riscv64: ../hw/core.c:12: f: Assertion `x' failed.",
        "QEMU",
        None,
    ),
]


@pytest.mark.parametrize(("line", "name", "title"), LINES)
def test_rule(line: str, name: str, title: str | None) -> None:
    log = b"before\r\n" + line.encode() + b"\r\nafter\r\n"
    death = find_death(log)
    assert death is not None
    assert (death.kind, death.line) == (name, line.strip())
    judged = judge_log(log)
    hangs = name == "kernel stall"
    assert judged.verdict is (Verdict.HANG if hangs else Verdict.CRASH)
    assert judged.signature is not None
    assert (judged.first_line, judged.block) == (2, (line,))
    if title is not None:
        assert judged.signature.title == title
    assert judged.signature.key == f"{judged.verdict} {judged.signature.title}"


def test_every_rule_is_tested() -> None:
    found = {death.rule.start for line, _, _ in LINES for death in deaths_in(line.encode())}
    missing = {rule.start for rule in RULES} - found
    # A build with a stack protector says this; the others are above or in a recorded log.
    assert len(missing) <= 3, missing


@pytest.mark.parametrize(
    "line",
    [
        "[    1.0] WARNING: CPU: 0 PID: 1 at kernel/smp.c:42 fun+0x10/0x20",
        "[    1.0] Memory cgroup out of memory: Killed process 42 (x)",
        "tsmd: TSM domain ready: SDID 1, entry 0x8f000044",
        "echo Kernel panic - not syncing",
        "qemu-system-riscv64: terminating on signal 15 from pid 42",
        "qemu-system-riscv64: warning: disabling zca",
        "Fatal: not at the place of kvmtool's",
        "sbi_hsm_init: harts (error 0 of 2)",
    ],
)
def test_what_is_no_death(line: str) -> None:
    assert find_death(line.encode() + b"\n") is None


def test_warnings_are_named() -> None:
    judged = judge_log(b"[    1.0] WARNING: CPU: 0 at x.c:1\n[    2.0] reboot: Power down\n")
    assert judged.verdict is Verdict.PASS
    assert judged.warnings == ("WARNING: CPU: 0 at x.c:1",)


OLD_TRAP = b"""
sbi_trap_error: hart0: illegal instruction handler failed (error -2)
sbi_trap_error: hart0: mcause=0x0000000000000002 mtval=0x0000000000000000
sbi_trap_error: hart0: mepc=0x0000000080001234 mstatus=0x0000000a00001800
sbi_trap_error: hart0: ra=0x0000000080005678 sp=0x0000000080045e90
"""


def names(address: int) -> str | None:
    table = {
        0x80001234: "OpenSBI: memset+0x4 (lib/sbi/sbi_string.c:1)",
        0x80005677: "OpenSBI: tsmd_fast_teecall.part.0+0x8 (tsmd_fast.c:7)",
    }
    return table.get(address)


def test_trap_is_named_for_what_called_the_helper() -> None:
    judged = judge_death(b"noise\n" + OLD_TRAP + b"\nnext\n", names)
    assert judged is not None and judged.signature is not None
    # The cause is said once.
    assert judged.signature.title == "opensbi trap in tsmd_fast_teecall: illegal instruction"
    assert (judged.first_line, judged.last_line) == (3, 6)
    assert judged.where[1].endswith("tsmd_fast_teecall.part.0+0x8 (tsmd_fast.c:7)")


def test_same_failure_at_other_addresses_and_times() -> None:
    one = b"[    1.5] Unable to handle kernel NULL pointer dereference at virtual address 0008\n"
    one += b"[    1.6] Oops [#1]\n[    1.7] epc : covh_call+0x10/0x40\n"
    other = one.replace(b"1.5", b"  22.123456").replace(b"0x10/0x40", b"0x1c/0x48")
    signatures = {judge_log(log).signature for log in (one, other)}
    assert len(signatures) == 1
    assert judge_log(one.replace(b"covh_call", b"covh_run")).signature not in signatures


def test_recorded_panic() -> None:
    judged = judge_log((LOGS / "kernel-panic.uart.log").read_bytes())
    assert judged.signature == Signature(
        Verdict.CRASH, "linux", "panic", "", "sysrq triggered crash"
    )
    assert judged.block[-1].endswith(
        "---[ end Kernel panic - not syncing: sysrq triggered crash ]---"
    )


def test_log_with_anything_in_it() -> None:
    noise = bytes(range(256)) * 40_000 + b"\n"
    assert len(noise) > 10_000_000
    judged = judge_log(noise + b"tsmd: TSM panic: \xff\x00at last\n")
    assert judged.signature is not None and judged.signature.component == "tsm"
    assert judge_log(b"").verdict is Verdict.HANG
    assert judge_log(noise).verdict is Verdict.HANG


@pytest.mark.parametrize(
    ("log", "title"),
    [
        (b"", "qemu hang: the log ends in: nothing at all"),
        (b"OpenSBI v1.6\n", "opensbi hang: the log ends in: firmware"),
        (b"OpenSBI v1.6\n[    0.0] Linux version 6.12\n", "linux hang: the log ends in: kernel"),
    ],
)
def test_log_that_just_ends(log: bytes, title: str) -> None:
    judged = judge_log(log)
    assert judged.verdict is Verdict.HANG
    assert judged.signature is not None and judged.signature.title == title


def test_allowed_death_is_not_one() -> None:
    mark = expectation(frozenset({"tsm"})).encode() + b"\n"
    done = expectation(frozenset()).encode() + b"\n"
    tsm, linux = b"tsmd: TSM panic: x\n", b"[    1.0] Kernel panic - not syncing: y\n"
    off = b"[    2.0] reboot: Power down\n"
    assert judge_log(mark + tsm + done + off).verdict is Verdict.PASS
    assert judge_log(tsm + mark + done + off).verdict is Verdict.CRASH
    assert judge_log(mark + done + tsm + off).verdict is Verdict.CRASH
    judged = judge_log(mark + tsm + linux + done)
    assert judged.signature is not None and judged.signature.component == "linux"


def test_watch_allows_what_it_is_told() -> None:
    watch = DeathWatch()
    watch.allowed = frozenset({"tsm"})
    assert watch.feed(b"tsmd: TSM panic: x\ntsmd: TSM domain dead: SDID 1\n") is None
    assert [death.kind for death in watch.expected] == ["TSM panic", "TSM domain dead"]
    assert watch.feed(b"[    1.0] Kernel panic - not syncing: y\n") is not None


def test_block_ends_where_another_begins() -> None:
    text = clean(b"tsmd: TSM fault: mcause=0x5 mtval=0x0\n\ntsmd: TSM domain dead: x\ntsmd: more\n")
    death = next(deaths_in(text))
    assert block_of(text, death)[-1] == "tsmd: TSM domain dead: x"


def test_hang_in_firmware_has_its_function() -> None:
    checks = [Check("tsm", Verdict.HANG, "command `x` is silent for 3.0 s", 3.0)]
    table = {1: "Linux: arch_cpu_idle+0x8", 2: "OpenSBI: tsmd_fast_teecall+0x40 (a.c:1)"}
    judged = judge_run(checks, b"", ((False, 1), (False, 2)), table.get)
    assert judged.signature == Signature(Verdict.HANG, "opensbi", "hang", "tsmd_fast_teecall")
    # The same hang, found by the kernel before the harness has lost patience.
    stall = b"[   21.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:\n"
    found = judge_run(checks, stall, ((False, 1), (False, 2)), table.get)
    assert found.signature == judged.signature and found.first_line == 1
    found = judge_run(checks, stall, ((False, 1), (True, 2)), table.get)
    assert found.signature is not None and found.signature.kind == "stall"
    # A guest's address means nothing in the host's images; the kernel waits anywhere.
    judged = judge_run(checks, b"", ((True, 2), (False, 1)), table.get)
    assert judged.signature is not None and judged.signature.function == ""
    assert judged.signature.title == "tsm hang: command `x` is silent for N s"


@pytest.mark.parametrize(
    ("at", "named"),
    [
        (["sbi_hsm_init", "sbi_init"], "sbi_init"),
        (["sbi_init", "sbi_domain_init"], "sbi_domain_init"),
        (["sbi_hsm_hart_wait", "sbi_hsm_init"], "sbi_hsm_init"),
        (["sbi_init", "sbi_init"], "sbi_init"),
    ],
)
def test_the_same_hang_on_another_boot_hart(at: list[str], named: str) -> None:
    def place(pc: int) -> str:
        return f"OpenSBI: {at[pc]}+0x10 (lib/sbi/sbi.c:1)"

    checks = [Check("boot", Verdict.HANG, "no sign of life for 2 s", 2.0)]
    for first in (0, 1):
        judged = judge_run(checks, b"", ((False, first), (False, 1 - first)), place)
        assert judged.signature is not None and judged.signature.function == named


def test_checks_alone() -> None:
    checks = [Check("boot", Verdict.PASS, "", 0.1), Check("launch", Verdict.FAIL, "0x12 != 7", 1)]
    found = signature_of(checks)
    assert found is not None and found.key == "FAIL tvm check launch: N != N"
    assert signature_of(checks[:1]) is None
    spoilt = signature_of([Check("run", Verdict.INFRA, "no space left to write /a/b/c", 0.1)])
    assert spoilt is not None and spoilt.title == "harness check run: no space left to write …/c"


def test_functions() -> None:
    assert function_of("TSM: fault_stack.part.0+0x10 (fault/fault.c:7)") == "fault_stack"
    assert function_of(None) == ""
    assert meaningful(["tsm_panic", "memcpy", "map_page", "covh"]) == "map_page"
    assert meaningful(["panic"]) == ""


def test_normalised() -> None:
    # A number with few digits, one with many and one in hexadecimal are the same.
    assert len({normalised(f"time {n}") for n in ("7", "142679663", "0x8f", "8f00123a")}) == 1
    assert normalised("at 0x8f00 after 1.5 s in /a/b/c.log") == "at N after N s in …/c.log"


@pytest.mark.parametrize(
    ("log", "key"),
    [
        ("tsm-panic", "CRASH tsm panic: injected at time N"),
        (
            "kernel-oops",
            "CRASH linux oops in prepare: Unable to handle kernel NULL pointer dereference at"
            " virtual address N",
        ),
        ("opensbi-trap", "CRASH opensbi trap: illegal instruction"),
        ("kernel-panic", "CRASH linux panic: sysrq triggered crash"),
    ],
)
def test_recorded_log(log: str, key: str) -> None:
    """Whole, and line by line as a run sees it, a log says the same."""
    data = (LOGS / f"{log}.uart.log").read_bytes()
    judged = judge_log(data)
    assert judged.signature is not None and judged.signature.key == key
    lines = clean(data).decode(errors="replace").split("\n")
    shown = [line.rstrip() for line in lines[judged.first_line - 1 : judged.last_line]]
    assert tuple(shown) == judged.block
    watch = DeathWatch()
    for end in range(0, len(data) + 41, 41):
        if watch.feed(data[watch.position : end]):
            break
    assert watch.death is not None
    assert (watch.death.rule.component, watch.death.rule.kind) == (
        judged.signature.component,
        judged.signature.kind,
    )
