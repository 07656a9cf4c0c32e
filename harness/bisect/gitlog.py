# SPDX-License-Identifier: Apache-2.0
"""What was found, as `git bisect log` writes it: `git bisect replay` goes on with git alone."""

from __future__ import annotations

from collections.abc import Callable

from harness.bisect.journal import AnswerRecord, LegRecord, OptionsRecord, Step
from harness.bisect.oracle import Outcome


def git_log(
    leg: LegRecord,
    steps: tuple[Step, ...],
    options: OptionsRecord,
    answer: AnswerRecord | None,
    title: Callable[[str], str],
) -> str:
    """Return the log of a search.

    git believes every trial, so each commit is there once: it is bad when the failure has shown,
    good when it never has, and skipped when it could not be judged.

    Args:
        leg: the search.
        steps: its trials.
        options: how it was searched.
        answer: what was found, if it was.
        title: the subject line of a commit.
    """
    fixing = options.find_fix
    words = {Outcome.GOOD: "good", Outcome.BAD: "bad", Outcome.SKIP: "skip"}
    start = "git bisect start"
    if fixing:
        # git searches from old to new: the older state is the failing one.
        start += " --term-new=fixed --term-old=broken"
        words |= {Outcome.GOOD: "fixed", Outcome.BAD: "broken"}
    start += " --first-parent" if options.first_parent else ""
    found: dict[str, Outcome] = {leg.bad: Outcome.BAD} | dict.fromkeys(leg.good, Outcome.GOOD)
    for step in steps:
        # One failure outweighs all passes, and a verdict a commit that could not be judged.
        known = found.get(step.candidate)
        if step.outcome is Outcome.INFRA or known is Outcome.BAD:
            continue
        if step.outcome is Outcome.BAD or known is None or known is Outcome.SKIP:
            found[step.candidate] = step.outcome
    lines = [start]
    for commit, outcome in found.items():
        lines.append(f"# {words[outcome]}: [{commit}] {title(commit)}")
        lines.append(f"git bisect {words[outcome]} {commit}")
    if answer is not None and len(answer.culprits) == 1:
        (culprit,) = answer.culprits
        new = words[Outcome.GOOD if fixing else Outcome.BAD]
        lines.append(f"# first {new} commit: [{culprit}] {title(culprit)}")
    return "\n".join(lines) + "\n"
