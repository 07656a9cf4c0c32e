# SPDX-License-Identifier: Apache-2.0
"""A night on half a page of Markdown: for a job summary, a merge request or a mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.record import Night, RunRecord
from harness.verdict import Verdict

_SHOWN = 20
_ORDER = (*(str(verdict) for verdict in Verdict), "ERROR")


def markdown(night: Night) -> str:
    """Return the summary of a night."""
    return "\n".join(_lines(night)) + "\n"


def counts_line(night: Night) -> str:
    """Return the counts in one line, as `12 PASS, 1 CRASH, 2 not run`."""
    counts = night.counts
    parts = [f"{counts[name]} {name}" for name in _ORDER if name in counts]
    parts += [f"{len(night.not_run)} not run"] if night.not_run else []
    return ", ".join(parts) or "no run"


def kinds(night: Night) -> list[tuple[str, list[RunRecord]]]:
    """Return the failed runs by the way they failed, the most frequent way first."""
    found: dict[str, list[RunRecord]] = {}
    for run in night.runs:
        if run.verdict not in (Verdict.PASS, Verdict.SKIP):
            found.setdefault(run.signature or f"{run.verdict or 'ERROR'}", []).append(run)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def _lines(night: Night) -> Iterator[str]:
    yield f"## teecall: {counts_line(night)}"
    yield ""
    if night.end is None:
        yield "**The night has not come to its end.**"
        yield ""
    elif night.end.why:
        yield f"**Ended early:** {_cell(night.end.why)}"
        yield ""
    groups = kinds(night)
    if groups:
        yield from _failures(groups)
    yield from _versions(night)


def _failures(groups: Sequence[tuple[str, list[RunRecord]]]) -> Iterator[str]:
    yield "| runs | verdict | what broke | first seen in |"
    yield "|---:|---|---|---|"
    for signature, runs in groups[:_SHOWN]:
        first = runs[0]
        quarantined = " (quarantined)" if all(run.quarantine for run in runs) else ""
        what = _cell(first.title or signature)
        verdict = first.verdict or "ERROR"
        yield f"| {len(runs)} | {verdict}{quarantined} | {what} | {_cell(first.label)} |"
    if len(groups) > _SHOWN:
        yield ""
        yield f"and {len(groups) - _SHOWN} more kinds of failure"
    yield ""


def _versions(night: Night) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    for run in night.runs:
        for name, version in run.versions.items():
            found.setdefault(name, set()).add(version)
    if found:
        told = (f"{name} {', '.join(sorted(found[name]))}" for name in sorted(found))
        yield f"<sub>{_cell('; '.join(told))}</sub>"


def _cell(text: str) -> str:
    """Return text that stays inside a cell of a table and is shown as it is."""
    flat = " ".join(text.split())
    for special in ("\\", "|", "<", "`", "*", "_", "["):
        flat = flat.replace(special, "&lt;" if special == "<" else f"\\{special}")
    return flat
