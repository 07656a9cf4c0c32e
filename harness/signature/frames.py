# SPDX-License-Identifier: Apache-2.0
"""Which of the functions on the way to a death says where it was."""

from __future__ import annotations

import re
from collections.abc import Iterable

# They report a death, or do another's work: what called them is what matters.
_HELPERS = re.compile(
    r"""(?:
      tsm_panic | tsmd_panic | tsm_trap_panic | tsmd_kill | tsmd_give_up | print_place
    | sbi_panic | sbi_trap_\w+ | sbi_hart_hang | _trap_handler\w* | sbi_(?:printf|puts|putc)
    | (?:__)?(?:memcpy|memset|memmove|memcmp|strcmp|strlen|copy_page|clear_page)\w*
    | sbi_(?:memcpy|memset|memmove|memcmp|strcmp|strlen)
    | (?:v?panic | die | die_kernel_fault | no_context | bad_area\w* | page_fault_oops
      | dump_\w+ | show_\w+ | walk_stackframe | do_page_fault | do_trap_\w+ | do_irq
      | handle_exception\w* | ret_from_exception | handle_bug | report_bug | __warn\w*
      | _?printk | vprintk\w* | console_\w+ | oops_\w+ | __die | crash_kexec | bust_spinlocks)
    | core::panicking\S* | rust_begin_unwind | \S*panic_fmt
    )(?:\.\w+)*""",
    re.VERBOSE,
)
# Where a hart is that has nothing to do, or that was told to stay out of the way.
_IDLE = re.compile(
    r"(?:arch_cpu_idle|default_idle_call|do_idle|cpu_startup_entry|cpu_do_idle|wait_for_interrupt"
    r"|ipi_stop|machine_power_off|secondary_start\w*|relocate_hart|wfi|sbi_hsm_hart_wait)(?:\.\w+)*"
)
# Where OpenSBI's other harts wait for the one that boots, which may be any: the more certain, the
# later. The waits are inlined in functions that have other work too.
_ROOMS = (
    frozenset({"sbi_init", "init_warmboot", "wait_for_coldboot"}),
    frozenset({"sbi_hsm_init", "_wait_for_boot_hart"}),
)
# The compiler gives parts and copies of a function names of their own.
_COPY = re.compile(r"\.(?:part|constprop|isra|cold|lto_priv|llvm)\b.*")


def function_of(described: str | None) -> str:
    """Return the function in `image: function+0x10 (file:line)`, or nothing."""
    if not described:
        return ""
    name = described.rpartition(": ")[2] if ": " in described else described
    return _COPY.sub("", name.split("+")[0].split(" ")[0])


def meaningful(functions: Iterable[str]) -> str:
    """Return the first function, innermost first, that is no helper; nothing if there is none."""
    for name in functions:
        if name and not _HELPERS.fullmatch(name):
            return _COPY.sub("", name)
    return ""


def is_idle(function: str) -> bool:
    """Tell whether a hart in this function has nothing to do."""
    return _IDLE.fullmatch(function) is not None


def patience(function: str) -> int:
    """Return how likely a hart in this function only waits for another one; 0 is least."""
    return next((at for at, room in enumerate(_ROOMS, 1) if function in room), 0)
