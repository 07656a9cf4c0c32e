# SPDX-License-Identifier: Apache-2.0
"""The report of a bisection as lines for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.bisect.report import Culprit, Finding, Report, Row
from harness.bisect.report_evidence import Evidence, Pair
from harness.report.html.clean import clean
from harness.ui import styled

_ID = 12
_DIFF = 40
_TITLE = 60
# Lines of a commit's message.
_BODY = 20
_COLOURS = {"GOOD": "green", "BAD": "red", "SKIP": "yellow", "INFRA": "yellow"}
_SIGNS = {"replace": "!", "delete": "-", "insert": "+", "equal": " ", "gap": " "}


def report_lines(report: Report, *, table: bool = True) -> Iterator[str]:
    """Give the lines of a report; text of commits and guests is made safe to print.

    Args:
        report: what to tell.
        table: whether every candidate that was tried has a line.
    """
    if not report.findings:
        yield _bold(f"{report.state}: no commit is named")
    for finding in report.findings:
        yield from _finding(report, finding)
    if report.why:
        yield f"why: {clean(report.why)}"
    if report.remedy:
        yield f"remedy: {clean(report.remedy)}"
    if table and report.rows:
        yield ""
        yield from _table(report.rows)
    yield ""
    yield (
        f"{len(report.rows)} steps, {report.builds} builds, {report.cache_hits} found built,"
        f" {report.seconds:.1f} s"
    )
    if report.damaged:
        yield f"{report.damaged} lines of the journal could not be read"
    if report.repeat:
        yield f"repeat: {clean(report.repeat)}"
    if report.state != "answered":
        yield f"resume: {clean(report.resume)}"


def headline(report: Report, finding: Finding) -> str:
    """Return the answer of one search in one line."""
    if finding.blame:
        return f"which tree: {finding.blame}"
    what = "commit without the failure" if report.fixing else "bad commit"
    if len(finding.culprits) == 1:
        return f"first {what}: {finding.culprits[0].candidate}"
    return f"first {what}: one of {len(finding.culprits)}, those between were skipped"


def sureness(finding: Finding) -> str:
    """Return how sure an answer is, and after how much."""
    doubt = "" if finding.conclusive else ", less than was asked for"
    rate = "" if finding.failure_rate >= 0.995 else f", fails in {finding.failure_rate:.0%}"
    return f"confidence {_percent(finding.confidence)} after {finding.trials} trials{doubt}{rate}"


def _percent(part: float) -> str:
    """Return a probability; one that is not sure is never rounded to 100 %."""
    return "100 %" if part == 1 else f"{min(part * 100, 99.99):.4g} %"


def _finding(report: Report, finding: Finding) -> Iterator[str]:
    yield _bold(clean(headline(report, finding)))
    for culprit in finding.culprits:
        yield from _culprit(culprit, alone=len(finding.culprits) == 1)
    if finding.culprits:
        yield f"  {sureness(finding)}"
    if finding.evidence is not None:
        yield from _evidence(finding.evidence)


def _culprit(culprit: Culprit, *, alone: bool) -> Iterator[str]:
    skipped = " (skipped)" if culprit.skipped else ""
    if not alone:
        yield f"  {culprit.candidate[:_ID]}{skipped} {clean(culprit.told.title, _TITLE)}"
        return
    for name, value in (("author", culprit.told.author), ("date", culprit.told.date)):
        if value:
            yield f"  {name}: {clean(value, 200)}"
    yield f"    {clean(culprit.told.title, 200)}"
    body = culprit.told.body.split("\n") if culprit.told.body else []
    yield from (f"    {clean(line, 200)}".rstrip() for line in ["", *body][: _BODY + 1] if body)
    if len(body) > _BODY:
        yield f"    … {len(body) - _BODY} more lines"
    if culprit.stat:
        yield f"  {culprit.stat}"


def _evidence(found: Evidence) -> Iterator[str]:
    for name, side in (("bad", found.bad), ("good", found.good)):
        if side is not None:
            where = f", {side.folder}" if side.folder else ""
            yield f"  {name:<4} {side.candidate[:_ID]} {side.verdict} {side.title}{clean(where)}"
    if found.bad is not None and found.bad.forensics:
        yield "  where the bad one ended:"
        yield from (f"    {line}" for line in found.bad.forensics.splitlines()[:12])
    if found.console:
        yield "  console, bad (-) against good (+):"
        lines = [line for pair in found.console for line in _diff(pair)]
        yield from (f"    {line}" for line in lines[:_DIFF])
        if len(lines) > _DIFF:
            yield f"    … {len(lines) - _DIFF} more lines"


def _diff(pair: Pair) -> Iterator[str]:
    if pair.kind in ("equal", "gap"):
        yield f"{_SIGNS[pair.kind]} {pair.bad}"
        return
    if pair.bad:
        yield styled(f"- {pair.bad}", fg="red")
    if pair.good:
        yield styled(f"+ {pair.good}", fg="green")


def _table(rows: Sequence[Row]) -> Iterator[str]:
    yield _bold(f"{'#':>3}  {'candidate':<{_ID}}  {'says':<5} {'verdict':<7} {'time':>7}  build")
    for row in rows:
        outcome = styled(f"{row.outcome:<5}", fg=_COLOURS.get(row.outcome))
        what = clean(row.signature or row.why, _TITLE).replace("\n", " ")
        yield (
            f"{row.number:>3}  {clean(row.candidate)[:_ID]:<{_ID}}  {outcome} {row.verdict:<7}"
            f" {row.seconds:6.1f}s  {row.build:<17} {what}"
        ).rstrip()


def _bold(text: str) -> str:
    return styled(text, bold=True)
