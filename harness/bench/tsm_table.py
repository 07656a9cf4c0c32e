# SPDX-License-Identifier: Apache-2.0
"""The costs of TVMs' memory, with the limit of each number."""

from __future__ import annotations

from harness.bench.memory_samples import PAGES_A_MIB
from harness.bench.tsm import FLAT, LINEAR, PAGE_RATIO, KindCost, LiveCost, MemoryCost


def tsm_table(cost: MemoryCost) -> list[str]:
    """Return the lines that are printed."""
    parts = cost.parts
    blocks = "not on these harts" if parts.blocks is None else f"{parts.blocks}"
    return [
        "instructions; what is done twice costs the same twice",
        "",
        "a page of 4 KiB by itself:",
        f"  copy {parts.copy}, SHA-384 {parts.hash}, zero by stores {parts.words},"
        f" by cbo.zero {blocks}",
        "",
        f"{'launch of a TVM, MiB':<24}{'measured':>14}{'a MiB':>13}{'zero':>12}{'a MiB':>10}",
        *_sizes(cost),
        *_kind(cost.measured, "copy + SHA-384"),
        *_kind(cost.zero, "zeroing"),
        "",
        *_live(cost.live),
    ]


def _sizes(cost: MemoryCost) -> list[str]:
    zero = cost.zero.launch
    return [
        f"{mib:<24}{measured:>14}{measured / mib:>13.0f}{zero[mib]:>12}{zero[mib] / mib:>10.0f}"
        for mib, measured in cost.measured.launch.items()
    ]


def _verdict(kept: bool) -> str:
    return "PASS" if kept else "over"


def _kind(cost: KindCost, part: str) -> list[str]:
    line = cost.line
    return [
        "",
        f"{cost.kind}: {line.fixed:.0f} + {line.per_unit:.0f} a MiB, worst size"
        f" {line.worst:.2%} off the line (limit {LINEAR:.0%}) {_verdict(cost.linear)}",
        f"  a page {cost.page:.0f} = {part} {cost.part} + bookkeeping {cost.bookkeeping:.0f};"
        f" limit {PAGE_RATIO} x = {cost.bound:.0f} {_verdict(cost.within)}",
        f"  release: {_release(cost):.0f} a page, destroy and reclaim",
    ]


def _release(cost: KindCost) -> float:
    mib = max(cost.release)
    return cost.release[mib] / mib / PAGES_A_MIB


def _live(live: LiveCost) -> list[str]:
    return [
        f"{'live TVMs':<24}" + "".join(f"{count:>10}" for count in live.create),
        *_row("create_tvm", live.create),
        *_row("all up to finalize", live.whole),
        *_row("destroy_tvm", live.destroy),
        f"limit {FLAT:.0%} between them {_verdict(live.flat)}",
    ]


def _row(name: str, costs: dict[int, int]) -> list[str]:
    numbers = "".join(f"{cost:>10}" for cost in costs.values())
    return [f"{name:<24}{numbers}   {LiveCost.spread(costs):.1%}"]
