# SPDX-License-Identifier: Apache-2.0
"""The search: says what to test next, is told what came out, and says what the culprit is.

It does nothing by itself. Its whole state is the list of observations, so a search that was
interrupted goes on by being told its journal again, and any order of the same observations leads
to the same answer. All choices are deterministic.

    search = Search(dag, good=["v1.5"], bad="master")
    while not search.ended:
        for trial in search.next(slots):
            search.observe(trial.commit, boot(trial.commit))
    raise search.problem, or use search.answer()

The failure is taken for a sure one while that is likely (`Posterior.deterministic`); then this is
git bisect, and between n candidates on a line it takes at most ceil(log2 n) + 2 steps: each is a
commit to test, the last two are the culprit and its parent again (two trials of the parent). The
trials of the ends, whenever they are made, are not among these.
Otherwise trials go on until the culprit is known to the stated error, which is the stopping rule
of Wald's SPRT for many hypotheses (Baum and Veeravalli, "A sequential procedure for multihypothesis
testing", 1994).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.bisect.ahead import likely_next
from harness.bisect.belief import Belief, Posterior
from harness.bisect.candidates import Candidates, bits
from harness.bisect.choose import Known, choose
from harness.bisect.dag import Dag
from harness.bisect.ends import Ends, infra_problem
from harness.bisect.oracle import JUDGED, Model, Observation, Outcome
from harness.bisect.plan import Answer, Options, Purpose, Trial
from harness.bisect.problems import InfraPersists, SearchProblem
from harness.bisect.progress import Progress, expected_if_flaky, expected_if_sure, remaining

# Trials of a bad end for each failure that is wanted of it; a rarer one is learnt as it goes.
_MOST = 8
# The posterior keeps the stated error on the average over all rates; with this margin (three trials
# at a rate of 30 %) it is kept at each rate.
_MARGIN = 3
# Verdicts at the end, of the culprit and of each parent. A parent's pass is what luck can forge:
# when the failure was wrongly taken for a sure one, one commit has passed by luck, and it is this.
_CULPRIT = 2
_PARENT = 3


class Search:
    """A search between the ends.

    Args:
        dag: the history, at least the commits of `git rev-list --boundary good...bad`.
        good: commits at which the failure does not show, at least one; for `find_fix` exactly one,
            the newer end.
        bad: the commit at which it shows.
        options: how to search.
        observations: what a journal has of this search; nothing in it is asked for again.

    Raises:
        DagError, UnrelatedHistories, WrongOrder: see `Candidates`.
    """

    def __init__(
        self,
        dag: Dag,
        good: Sequence[str],
        bad: str,
        options: Options = Options(),  # noqa: B008 (frozen)
        observations: Iterable[Observation] = (),
    ) -> None:
        fixing = options.find_fix
        if fixing and len(good) != 1:
            raise SearchProblem(
                "a fix is searched between one good and one bad commit", "give --good once"
            )
        old, new = ((bad,), good[0]) if fixing else (tuple(good), bad)
        self.options = options
        self.candidates = Candidates(dag, old, new, first_parent=options.first_parent)
        older = tuple(dict.fromkeys((*old, *self.candidates.starts)))
        self._ends = Ends(
            bad=older if fixing else (new,),
            good=(new,) if fixing else older,
            failures=options.end_failures,
            patience=options.patience,
            most=max(options.patience, _MOST * options.end_failures),
        )
        self._belief = Belief(self.candidates, Model.of_rate(options.failure_rate), fixing=fixing)
        self._counts: dict[str, Counter[Outcome]] = {c: Counter() for c in dag.parents}
        self._observations: list[Observation] = []
        self._infra: Counter[str] = Counter()
        self._judged = 0
        self._steps = 0
        self._met = 0
        self._tested: set[int] = set()
        self._skipped: set[int] = set()
        for seen in observations:
            self.observe(seen.commit, seen.outcome)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """All that was observed, in order: the whole state."""
        return tuple(self._observations)

    def observe(self, commit: str, outcome: Outcome) -> None:
        """Take note of a finished trial, whether or not the search has asked for it.

        Raises:
            KeyError: the commit is not in the history.
        """
        if outcome in JUDGED:
            self._judged += 1
            self._steps += commit not in self._ends.bad and commit not in self._ends.good
        self._counts[commit][outcome] += 1
        self._met += outcome is Outcome.BAD and commit not in self._ends.bad
        self._observations.append(Observation(commit, outcome))
        self._infra[commit] = self._infra[commit] + 1 if outcome is Outcome.INFRA else 0
        node = self.candidates.index.get(commit)
        if node is None or outcome is Outcome.INFRA:
            return
        (self._skipped if outcome is Outcome.SKIP else self._tested).add(node)
        self._belief.observe(node, outcome)

    @property
    def problem(self) -> SearchProblem | InfraPersists | None:
        """What makes the search impossible, to be raised by the caller; None when nothing does."""
        limit = self.options.infra_limit
        stuck = next((commit for commit, times in self._infra.items() if times >= limit), None)
        if stuck is not None:
            return infra_problem(stuck, self._infra[stuck])
        return self._ends.problem(self._counts)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to do: there is an answer or a problem."""
        return self.problem is not None or self.answer() is not None

    def next(self, slots: int = 1, running: Sequence[str] = ()) -> list[Trial]:
        """Return the trials to start now.

        Args:
            slots: how many can be started.
            running: the commits of the trials that have been started and are not observed yet; a
                commit is in it as often as it is being tested.

        None are returned when the search has ended, or must wait for those that run.
        """
        if self.ended or slots < 1:
            return []
        if self._verifying:
            return self._end_trials(slots, running)
        if self._narrow():
            retests = _without(self._retests(self._best()[0]), running)
            # The ends first: where they have passed by luck, it is another culprit.
            last = self._end_trials(None, running) + [Trial(c, Purpose.RETEST) for c in retests]
            if last:
                return last[:slots]
            if running and (self._certain() or self._owing):
                return []
        found = choose(self._belief, self._known, slots, self._between(running))
        return [Trial(self.candidates.nodes[node], Purpose.SEARCH) for node in found]

    def answer(self) -> Answer | None:
        """Return the culprit, or None while it is not known to the error that is allowed."""
        if self._verifying or self.problem is not None:
            return None
        limit = self.options.max_trials
        stopped = limit is not None and self._judged >= limit
        best, confidence = self._best()
        conclusive = self._certain() and not self._retests(best) and not self._owing
        if not conclusive and not stopped:
            return None
        commits = self.candidates.commits
        return Answer(
            culprits=tuple(commits[number] for number in bits(best)),
            skipped=tuple(commits[n] for n in bits(best) if n in self._untestable),
            confidence=confidence,
            conclusive=conclusive,
            failure_rate=self._posterior.rate,
            trials=self._judged,
        )

    @property
    def progress(self) -> Progress:
        """How far the search is."""
        waiting = sum(1 for _ in self._ends.missing(self._counts, self._met))
        posterior = self._posterior
        if self.ended:
            expected = 0
        elif posterior.deterministic:
            expected = waiting + expected_if_sure(
                remaining(posterior, len(self.candidates), self.options.error),
                len(self._retests(self._best()[0])),
            )
        else:
            expected = waiting + expected_if_flaky(posterior, self._best()[1], self.options.error)
        return Progress(
            remaining=remaining(posterior, len(self.candidates), self.options.error),
            expected=expected,
            trials=self._judged,
            steps=self._steps,
            failure_rate=posterior.rate,
            sure=posterior.deterministic,
        )

    def speculate(self, count: int, running: Sequence[str] = (), slots: int = 1) -> list[str]:
        """Return the commits that are likely to be tested soon, likeliest first, to build ahead.

        Args:
            count: how many at most, beside the ends.
            running: see `next`; whatever they show, the next step is among those returned.
            slots: how many trials are made at once.
        """
        belief = self._belief.copy()
        if self._verifying:
            for end in self._ends.bad[:1]:
                belief.observe(self.candidates.index[end], Outcome.BAD)
            for start in self.candidates.starts if not belief.fixing else ():
                belief.observe(self.candidates.index[start], Outcome.GOOD)
        # The ends first: nothing between them is tested before.
        ends_first = dict.fromkeys(end for end, _ in self._ends.missing(self._counts, self._met))
        nodes = self._between(running)
        found = likely_next(belief, self._known, count, nodes, slots)
        likely = [*ends_first, *(self.candidates.nodes[node] for node in found)]
        return [commit for commit in likely if commit not in running][: count + len(ends_first)]

    def _between(self, running: Sequence[str]) -> list[int]:
        """Return the nodes of those that are not an end: of an end it is known what it shows."""
        ends = {*self._ends.bad, *self._ends.good}
        index = self.candidates.index
        return [index[commit] for commit in running if commit in index and commit not in ends]

    @property
    def _posterior(self) -> Posterior:
        return self._belief.posterior

    @property
    def _verifying(self) -> bool:
        return self._ends.urgent(self._counts)

    @property
    def _owing(self) -> bool:
        return next(self._ends.missing(self._counts, self._met), None) is not None

    @property
    def _known(self) -> Known:
        # A commit that was judged once and could not be tested later is not tried again.
        return Known(frozenset(self._tested - self._skipped), frozenset(self._skipped))

    @property
    def _untestable(self) -> frozenset[int]:
        # What was judged once tells candidates apart, whatever stood in its way later.
        return frozenset(self._skipped - self._tested)

    def _best(self) -> tuple[int, float]:
        """Return the likeliest set of candidates that trials can tell from the others."""
        weights = self._posterior.weights
        if not self._untestable:
            best = max(range(len(self.candidates)), key=weights.__getitem__)
            return 1 << best, weights[best]
        masses = {
            members: sum(weights[number] for number in bits(members))
            for members in self._belief.classes(self._untestable)
        }
        best = max(masses, key=masses.__getitem__)
        return best, min(masses[best], 1.0)

    def _certain(self) -> bool:
        error = self.options.error
        if not self._posterior.deterministic:
            error /= _MARGIN
        return self._best()[1] >= 1 - error

    def _narrow(self) -> bool:
        """Whether there is nothing to find but reasons to doubt."""
        if self._certain():
            return True
        posterior = self._posterior
        best = self._best()[0]
        return posterior.deterministic and all(
            best >> number & 1 for number, left in enumerate(posterior.left) if left
        )

    def _retests(self, culprits: int) -> list[str]:
        """Return what is to be tested (again) before these are the answer: they and their parents.

        Parents that are ancestors of the older end, and are not that end, are taken for known.
        """
        commits = [self.candidates.commits[number] for number in bits(culprits)]
        parents = [parent for commit in commits for parent in self.candidates.parents[commit]]
        wanted = dict.fromkeys(parents, _PARENT) | dict.fromkeys(commits, _CULPRIT)
        return [
            commit
            for commit, verdicts in wanted.items()
            if commit in self.candidates.index
            and self.candidates.index[commit] not in self._skipped
            # One that has not been judged may have to be skipped, so it is tried once first.
            for _ in range(verdicts - self._judged_at(commit) if self._judged_at(commit) else 1)
        ]

    def _judged_at(self, commit: str) -> int:
        return sum(self._counts[commit][outcome] for outcome in JUDGED)

    def _end_trials(self, slots: int | None, running: Sequence[str]) -> list[Trial]:
        missing = list(self._ends.missing(self._counts, self._met))
        fails = dict(missing)
        commits = _without([commit for commit, _ in missing], running)
        purposes = {True: Purpose.BAD_END, False: Purpose.GOOD_END}
        return [Trial(commit, purposes[fails[commit]]) for commit in commits[:slots]]


def _without(commits: Sequence[str], running: Sequence[str]) -> list[str]:
    left = Counter(running)
    found: list[str] = []
    for commit in commits:
        if left[commit]:
            left[commit] -= 1
        else:
            found.append(commit)
    return found
