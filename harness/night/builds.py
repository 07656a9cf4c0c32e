# SPDX-License-Identifier: Apache-2.0
"""What the runs of a night boot, built once: what is built alike is a group.

Building goes on in a process of its own, beside the first runs, so that it can be ended like a
run. When a component does not build, the groups that need the very same component fail with the
same message and without another attempt; the others go on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness import resources
from harness.build.builder import Builder, Step
from harness.build.share import VARIABLE
from harness.build.store import Store
from harness.config.schema import Config
from harness.errors import CallerError, InfraError, TeecallError, own_error
from harness.night.journal import now
from harness.night.plan import Planned
from harness.report.record import BuildRecord
from harness.ui import QuietUi

# A build that the environment spoilt is made again this many times.
RETRIES = 2


@dataclass(frozen=True, slots=True)
class Built:
    """What came of the build of a group.

    `keys` has the store's key of each component; `error` is why there is not all of it, and
    `broken` the key of the component that does not build, if it was one.
    """

    records: tuple[BuildRecord, ...]
    keys: dict[str, str]
    error: TeecallError | None = None
    broken: str | None = None


@dataclass
class Group:
    """Runs that boot the same artefacts.

    `is_ready` says that all of them are there; `error` why they never will be.
    """

    config: Config
    keys: dict[str, str]
    runs: list[Planned] = field(default_factory=list)
    is_ready: bool = False
    error: TeecallError | None = None
    attempts: int = 0

    def take(self, built: Built) -> bool:
        """Take what came of a build; tell whether it is to be made again."""
        self.attempts += 1
        self.keys = built.keys or self.keys
        self.is_ready = built.error is None
        if isinstance(built.error, InfraError) and self.attempts <= RETRIES:
            return True
        self.error = built.error
        return False


class _Clock(QuietUi):
    """Notes how long each component took."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def start(self, component: str, text: str) -> None:
        """The component begins."""
        self.begun[component] = time.monotonic()

    def done(self, component: str, text: str) -> None:
        """The component is finished."""
        self.seconds[component] = time.monotonic() - self.begun.get(component, time.monotonic())

    def failed(self, component: str, text: str) -> None:
        """The component failed."""
        self.done(component, text)


def grouped(runs: Sequence[Planned], offline: bool) -> list[Group]:
    """Return the runs by what they boot, in the order in which they are planned.

    Groups that need no build are ready. What cannot even be planned is a group with an error.
    """
    groups: dict[str, Group] = {}
    of_cell: dict[str, Group] = {}
    for run in runs:
        # A configuration has many runs, and its plan costs some milliseconds.
        group = of_cell.get(run.spec.id)
        if group is None:
            planned = _planned(run, offline)
            name = repr(sorted(planned.keys.items())) if planned.keys else run.spec.id
            group = of_cell[run.spec.id] = groups.setdefault(name, planned)
        group.runs.append(run)
    return list(groups.values())


def _planned(run: Planned, offline: bool) -> Group:
    config = run.spec.config
    try:
        plan = Builder(config, QuietUi(), offline=offline).plan()
    except CallerError as error:
        return Group(config, {}, error=error)
    except Exception:
        # Such as a network that is down at the moment: the build itself will tell.
        return Group(config, {})
    store = Store(resources.cache_dir())
    ready = all(store.find(step.key) is not None for step in plan.values())
    return Group(config, _digests(plan), is_ready=ready)


def _digests(plan: dict[str, Step]) -> dict[str, str]:
    return {name: step.key.digest for name, step in plan.items()}


def present(groups: Sequence[Group]) -> list[BuildRecord]:
    """Return a record for each component of the groups that are ready."""
    found = {
        (name, key): BuildRecord(dt=now(), component=name, key=key, cached=True)
        for group in groups
        if group.is_ready
        for name, key in group.keys.items()
    }
    return list(found.values())


def build(config: Config, offline: bool, store: str | None = None) -> Built:
    """Build what a configuration lacks; what goes wrong is in the result.

    Args:
        config: what to build.
        offline: never touch the network.
        store: URL of the store that artefacts are shared by.
    """
    if store is not None:
        os.environ[VARIABLE] = store
    clock = _Clock()
    builder = Builder(config, clock, offline=offline)
    keys: dict[str, str] = {}
    try:
        keys = _digests(builder.plan())
        outcome = builder.run()
        keys = _digests(builder.plan())
    except Exception as caught:
        error = own_error(caught)
        component = str(getattr(error, "component", ""))
        records = [_record(name, keys, s) for name, s in clock.seconds.items() if name != component]
        if component:
            seconds = clock.seconds.get(component, 0.0)
            records.append(_record(component, keys, seconds, error=error.message))
        return Built(tuple(records), keys, error, keys.get(component))
    return Built(
        tuple(
            _record(name, keys, clock.seconds.get(name, 0.0), cached=name not in outcome.built)
            for name in keys
        ),
        keys,
    )


def _record(
    name: str, keys: dict[str, str], seconds: float, cached: bool = False, error: str | None = None
) -> BuildRecord:
    return BuildRecord(
        dt=now(),
        component=name,
        key=keys.get(name, ""),
        seconds=round(seconds, 3),
        cached=cached,
        error=error,
    )
