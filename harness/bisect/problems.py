# SPDX-License-Identifier: Apache-2.0
"""What makes a search impossible: each is a value with a message and a remedy."""

from __future__ import annotations

from harness.errors import CallerError, InfraError


class SearchProblem(CallerError):
    """What the user asked to search between does not allow a search."""


class DagError(SearchProblem):
    """The commits are not a history: one is missing, is there twice, or is its own ancestor."""


class UnrelatedHistories(SearchProblem):
    """Two ends have no common ancestor among the commits given."""


class WrongOrder(SearchProblem):
    """The end that should be the newer one is an ancestor of the older one."""


class BadEndPasses(SearchProblem):
    """The failure did not show at the end where it should."""


class GoodEndFails(SearchProblem):
    """The failure shows at an end where it should not."""


class EndsSwapped(SearchProblem):
    """The failure shows at the good end, and does not at the bad one."""


class EndUntestable(SearchProblem):
    """An end does not build or does not boot, so nothing can be compared with it."""


class InfraPersists(InfraError):
    """The environment fails again and again at one commit, which so cannot be judged."""
