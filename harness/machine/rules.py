# SPDX-License-Identifier: Apache-2.0
"""What firmware, TSM, kernel and emulator print when they die: one table, no state.

Each rule names the component and the kind of death, the line that begins it and the lines that
belong to it. The formats are those of OpenSBI 1.0 to 1.8 (lib/sbi/sbi_trap.c, sbi_init.c and the
callers of sbi_panic), of this project's tsmd, of Salus (src/main.rs), of Linux 6.x (kernel/panic.c,
arch/riscv/kernel/traps.c and arch/riscv/mm/fault.c, kernel/watchdog.c, kernel/hung_task.c,
kernel/rcu/tree_stall.h, mm/oom_kill.c) and of kvmtool (util/util.c).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A line of the kernel's; behind a shell's prompt it does not begin a line.
_LINE = rb"(?:^|[#$] )"
KERNEL = _LINE + rb"(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? "


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to die.

    Args:
        name: for people.
        component: opensbi, tsm, linux, tvm or qemu.
        kind: trap, fault, panic, oops, BUG, stall, hang, OOM or init.
        needle: text that is in each such line, by which it is found fast in megabytes.
        start: in the line that begins it; a group `what` is what it says.
        body: the beginning of each line that belongs to it; empty lines are skipped.
        end: in the line that ends it; None when it ends with its last line.
        spared: in the first line, what is harmless although `start` matches.
    """

    name: str
    component: str
    kind: str
    needle: bytes
    start: bytes
    body: bytes
    end: bytes | None = None
    spared: bytes | None = None


def _linux(name: str, kind: str, needle: bytes, start: bytes) -> Rule:
    return Rule(name, "linux", kind, needle, KERNEL + start, KERNEL, rb"---\[ end ")


def _tsm(name: str, kind: str, start: bytes) -> Rule:
    start = _LINE + rb"tsmd: " + start
    return Rule(name, "tsm", kind, b"tsmd: ", start, rb"^tsmd: ", rb"tsmd: TSM domain dead")


RULES = (
    Rule(
        "OpenSBI trap",
        "opensbi",
        "trap",
        b"sbi_trap_error:",
        # Before 1.4 there was no depth: `hart0: load fault handler failed (error -2)`.
        rb"sbi_trap_error: hart ?\d+:(?: trap\d+:)? (?P<what>[^=\n]*)\(error -?\d+\)",
        rb"^sbi_trap_error: ",
    ),
    # The first line was lost, or is of a version with another text.
    Rule(
        "OpenSBI trap",
        "opensbi",
        "trap",
        b"sbi_trap_error:",
        rb"sbi_trap_error: hart ?\d+:",
        rb"^sbi_trap_error: ",
    ),
    Rule(
        "OpenSBI initialisation failed",
        "opensbi",
        "init",
        b"(error -",
        rb"^(?P<what>(?:init_\w+|sbi_\w+|fw_\w+): [^\n]*)\(error -?\d+\)",
        rb"^(?:init_|sbi_)\w+: ",
    ),
    Rule(
        "OpenSBI panic",
        "opensbi",
        "panic",
        b"called with NULL output",
        rb"^(?P<what>sbi_\w+ called with NULL output string)",
        rb"^output size is not zero",
    ),
    Rule(
        "OpenSBI panic",
        "opensbi",
        "panic",
        b"Stack Protector",
        rb"^(?:\w+: )?(?P<what>[^\n]*Stack Protector Guard[^\n]*)",
        rb"^\w+: hang",
    ),
    # What tsmd says first; `domain dead` comes last and alone only when the first was lost.
    _tsm("TSM panic", "panic", rb"TSM panic: ?(?P<what>[^\n]*)"),
    _tsm("TSM fault", "fault", rb"TSM fault: (?P<what>mcause=0x[0-9a-f]+)"),
    _tsm("TSM hang", "hang", rb"TSM hang: (?P<what>[^\n]*)"),
    _tsm("TSM refused", "init", rb"(?P<what>TSM domain (?:refused|rejected|not started))[^\n]*"),
    _tsm(
        "TSM domain dead",
        "dead",
        rb"(?P<what>[^\n]*\b(?:dead|died|killed|panic|crash\w*|fault\w*|hang)\b[^\n]*)",
    ),
    Rule(
        "Salus panic",
        "tsm",
        "panic",
        b"panic occurred in file",
        rb"panic occurred in file '(?P<what>[^'\n]+)' at line \d+",
        rb"^(?:panic|\[?0x|\s|Aborting)",
        rb"Aborting boot",
    ),
    Rule(
        "Salus panic", "tsm", "panic", b"panic backtrace:", rb"^panic backtrace:", rb"^(?:\[?0x|\s)"
    ),
    _linux(
        "kernel panic",
        "panic",
        b"Kernel panic - not",
        rb"Kernel panic - not syncing: ?(?P<what>[^\n]*)",
    ),
    _linux(
        "kernel oops", "oops", b"Unable to handle", rb"(?P<what>Unable to handle kernel [^\n]*)"
    ),
    _linux("kernel oops", "oops", b"Oops", rb"(?:Internal error: )?(?P<what>Oops\b[^\n]*)"),
    _linux("kernel oops", "oops", b"Insufficient stack", rb"(?P<what>Insufficient stack space)"),
    _linux("kernel oops", "oops", b"Kernel stack over", rb"(?P<what>Kernel stack overflow)"),
    _linux("kernel BUG", "BUG", b"kernel BUG at", rb"(?P<what>kernel BUG at [^\n]*)"),
    _linux("kernel stall", "stall", b"lockup", rb"watchdog: BUG: (?P<what>(?:soft|hard) lockup)"),
    _linux(
        "kernel stall",
        "stall",
        b"hard LOCKUP",
        rb"watchdog: (?P<what>Watchdog detected hard LOCKUP)",
    ),
    _linux(
        "kernel stall",
        "stall",
        b"rcu: INFO: ",
        rb"rcu: INFO: (?P<what>rcu_\w+ (?:self-)?detected[^\n]*)",
    ),
    _linux(
        "kernel stall",
        "stall",
        b"blocked for more",
        rb"INFO: (?P<what>task \S+?):\d+ blocked for more than",
    ),
    _linux("kernel BUG", "BUG", b"BUG: ", rb"(?P<what>BUG: [^\n]*)"),
    _linux(
        "out of memory",
        "OOM",
        b"Out of memory: Kill",
        rb"(?P<what>Out of memory: Kill(?:ed)? process \d+ \([^)\n]*\))",
    ),
    Rule(
        "kvmtool",
        "tvm",
        "kvmtool",
        b"Fatal: ",
        rb"^ {1,4}Fatal: (?P<what>[^\n]*)",
        rb"^ {1,4}Fatal: ",
    ),
    Rule(
        "QEMU",
        "qemu",
        "error",
        b"qemu-system-riscv64: ",
        rb"^(?:\S*/)?qemu-system-riscv64: (?P<what>[^\n]*)",
        rb"^(?:\S*/)?qemu-system-riscv64: ",
        # What it says of the signal that ended it, and what it only wants to be known.
        spared=rb"terminating on signal|: warning: |: info: ",
    ),
)
# Not a death, but worth to be known when something else goes wrong.
WARNING = re.compile(KERNEL + rb"(WARNING: [^\n]*)", re.MULTILINE)

STARTS = tuple(re.compile(rule.start, re.MULTILINE) for rule in RULES)
BODIES = tuple(re.compile(rule.body) for rule in RULES)
ENDS = tuple(re.compile(rule.end) if rule.end else None for rule in RULES)
SPARED = tuple(re.compile(rule.spared) if rule.spared else None for rule in RULES)
