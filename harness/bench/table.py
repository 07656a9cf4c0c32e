# SPDX-License-Identifier: Apache-2.0
"""The costs of domain switches side by side: one column a machine, the last one OpenSBI's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.bench.samples import ContextCost, HartsCost, TsmCost
from harness.bench.switch import SwitchCost

_NONE = "-"


def switch_table(
    costs: Sequence[SwitchCost],
    harts: Mapping[int, HartsCost],
    context: ContextCost | None,
    why: str,
) -> list[str]:
    """Return the lines of the table.

    Args:
        costs: one a machine, the configured one first.
        harts: costs of the first machine by its number of harts.
        context: of OpenSBI's own switch, which has no driver beside it.
        why: reason for which `context` could not be measured.
    """
    own_plain, own_trip = (context.plain, context.round_trip) if context else (None, None)
    rows = [
        ["", *(each.machine for each in costs), "no driver"],
        _row("plain SBI call", [each.mmode.plain for each in costs], own_plain),
        _row("domain round trip", [_null(each) for each in costs], own_trip),
        _row("  M-mode in", [each.mmode.enter for each in costs]),
        _row("  TSM", [each.tsm_alone for each in costs]),
        _row("  M-mode out", [each.mmode.leave for each in costs]),
        _row("  more by each range", _of_tsm(costs, lambda tsm: tsm.null_per_range)),
        _row("into a TVM", _of_tsm(costs, lambda tsm: tsm.tvm_enter)),
        _row("out of a TVM", _of_tsm(costs, lambda tsm: tsm.tvm_exit)),
        _row("tick to host in a TVM", _of_tsm(costs, lambda tsm: tsm.tick)),
        _row("convert a page", _of_tsm(costs, lambda tsm: tsm.convert_by_ranges[0])),
        _row("  more by each range", _of_tsm(costs, lambda tsm: tsm.convert_per_range)),
        _row("reclaim it", _of_tsm(costs, lambda tsm: tsm.reclaim_by_ranges[0])),
        [],
        ["harts", *(str(count) for count in harts)],
        _row("null, others in WFI", [each.null for each in harts.values()], None, last=False),
        _row("convert, others stopped", [each.convert for each in harts.values()], last=False),
    ]
    return [
        "instructions, from the ECALL to the caller's next instruction; two equal rounds each",
        "",
        *_aligned(rows),
        "",
        "domain round trip: a TEECALL that the TSM refuses; no driver: "
        + (
            f"OpenSBI {context.opensbi},"
            if context
            else f"OpenSBI's own switch is not measured, {why};"
        ),
        "  sbi_domain_context_enter and _exit, without the TSM-driver in the firmware",
        "into a TVM: run_tvm_vcpu to the guest's first instruction; out: the guest's ECALL to the",
        "  host's next instruction; tick: the time in stimecmp to that instruction",
        "without H there is no TSM: M-mode's part is measured with a TSM that answers at once",
    ]


def _row(
    name: str, values: Sequence[float | None], own: float | None = None, *, last: bool = True
) -> list[str]:
    cells = [*values, own] if last else values
    return [name, *(_NONE if value is None else f"{value:g}" for value in cells)]


def _null(cost: SwitchCost) -> int | None:
    return cost.tsm.null if cost.tsm else None


def _of_tsm(costs: Sequence[SwitchCost], value: Callable[[TsmCost], float]) -> list[float | None]:
    return [value(each.tsm) if each.tsm else None for each in costs]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    first = max(len(row[0]) for row in rows if row)
    columns = range(1, len(rows[0]))
    width = [0, *(max(len(row[at]) for row in rows if len(row) > at) for at in columns)]
    lines = []
    for row in rows:
        cells = [cell.rjust(width[at]) for at, cell in enumerate(row) if at]
        lines.append("  ".join([*(name.ljust(first) for name in row[:1]), *cells]).rstrip())
    return lines
