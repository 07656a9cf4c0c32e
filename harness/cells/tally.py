# SPDX-License-Identifier: Apache-2.0
"""What many runs say together: counts, the rate of passes and how sure it is, kinds of failure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.cells.cell import CellResult
from harness.signature.signature import signature_of
from harness.verdict import Verdict, worst

_JUDGED_BAD = (Verdict.FAIL, Verdict.TIMEOUT, Verdict.HANG, Verdict.CRASH)
# 97.5 % of a normal distribution lie below: two sides make 95 %.
_Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Kind:
    """Runs that failed in the same way."""

    signature: str
    results: tuple[CellResult, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """All runs of a series, in the order in which they ended."""

    results: tuple[CellResult, ...]

    @property
    def counts(self) -> dict[Verdict, int]:
        """Runs of each verdict that was seen, from the best to the worst."""
        found = Counter(result.verdict for result in self.results if result.verdict is not None)
        return {verdict: found[verdict] for verdict in sorted(found, key=lambda v: v.severity)}

    @property
    def passed(self) -> int:
        """Runs that passed."""
        return self.counts.get(Verdict.PASS, 0)

    @property
    def judged(self) -> int:
        """Runs that say something about what is under test: they passed, or it was at fault."""
        return self.passed + sum(self.counts.get(verdict, 0) for verdict in _JUDGED_BAD)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict that a run has; INFRA when there is none.

        A failure outranks INFRA here: each run has a machine of its own, so one that could not
        be judged says nothing against one that was.
        """
        found = self.counts
        if not found:
            return Verdict.INFRA
        bad = [verdict for verdict in found if verdict in _JUDGED_BAD]
        return worst(bad or found)

    @property
    def spoilt(self) -> int:
        """Attempts that the environment spoilt and that were made again."""
        return sum(len(result.spoilt) for result in self.results)

    @property
    def seconds(self) -> tuple[float, float]:
        """Median and longest duration of a run in seconds; of none, zeros."""
        times = [result.duration_s for result in self.results]
        return (median(times), max(times)) if times else (0.0, 0.0)

    @property
    def kinds(self) -> list[Kind]:
        """Runs that neither passed nor were skipped, by the way they failed; most first."""
        found: dict[str, list[CellResult]] = {}
        for result in self.results:
            if result.verdict not in (Verdict.PASS, Verdict.SKIP, None):
                signature = result.signature or signature_of(result.checks)
                key = signature.key if signature is not None else str(result.verdict)
                found.setdefault(key, []).append(result)
        kinds = [Kind(name, tuple(results)) for name, results in found.items()]
        return sorted(kinds, key=lambda kind: -len(kind.results))

    def as_json(self) -> dict[str, object]:
        """Return what the JSON of a series says."""
        middle, longest = self.seconds
        low, high = wilson(self.passed, self.judged)
        return {
            "ran": len(self.results),
            "verdicts": {str(verdict): number for verdict, number in self.counts.items()},
            "pass_rate": {
                "passed": self.passed,
                "judged": self.judged,
                "low_95": round(low, 6),
                "high_95": round(high, 6),
            },
            "spoilt_attempts": self.spoilt,
            "median_s": round(middle, 3),
            "longest_s": round(longest, 3),
            "kinds": [
                {"signature": kind.signature, "runs": [r.cell.label for r in kind.results]}
                for kind in self.kinds
            ],
            "runs": [result.as_json() for result in self.results],
        }


def wilson(passed: int, judged: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a rate, by Wilson's score.

    Unlike the textbook's interval it is right for few runs and for rates near 0 and 1: of 200
    runs that all pass, the rate is 98.1 % at least.

    Args:
        passed: successes.
        judged: trials; with none, nothing is known.
    """
    if judged == 0:
        return 0.0, 1.0
    rate = passed / judged
    z2 = _Z95 * _Z95 / judged
    middle = (rate + z2 / 2) / (1 + z2)
    half = _Z95 / (1 + z2) * math.sqrt(rate * (1 - rate) / judged + z2 / (4 * judged))
    return max(0.0, middle - half), min(1.0, middle + half)


def is_bad(verdict: Verdict | None) -> bool:
    """Tell whether what is under test was at fault."""
    return verdict in _JUDGED_BAD


def tally_of(results: Sequence[CellResult]) -> Tally:
    """Return what runs say together."""
    return Tally(tuple(results))
