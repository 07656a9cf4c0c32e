# SPDX-License-Identifier: Apache-2.0
"""A machine that stays for many scripts, and the scripts that Hypothesis writes for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from harness.config.kept import load_config
from harness.conformance.author import KIND_NAMES, LIMIT, Author, Steps
from harness.conformance.bench import Bench
from harness.conformance.judge import Divergence
from harness.conformance.shrink import clean, shrink
from harness.machine.rundir import RunDir
from harness.scenarios.conformance import bench
from harness.scenarios.smoke import Smoke, boot, build, poweroff, sources, tools
from harness.scenarios.smp import begin
from harness.ui import QuietUi

_NUMBER = st.integers(0, LIMIT - 1)


@contextlib.contextmanager
def live(folder: Path, *words: str) -> Iterator[Bench]:
    """Boot a machine with these settings (`--set`), and switch it off in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        smoke = Smoke(load_config((), words), RunDir(folder), QuietUi(), stack)
        for step in (tools, sources, build, boot, begin):
            step(smoke)
        yield bench(smoke)
        poweroff(smoke)


class Calls(RuleBasedStateMachine):
    """Writes a script rule by rule; at its end the machine makes the calls.

    The model says while a script is written what each call will do, so that the next rule has
    something to work with. What differs on the machine is kept in `found`.
    """

    bench: ClassVar[Bench]
    found: ClassVar[Divergence | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.author = Author(self.bench.machine, self.bench.can)
        self.steps = Steps(self.author)

    def teardown(self) -> None:
        """Make the calls and compare."""
        found = self.bench.run([self.author.finish()])
        if found is not None:
            type(self).found = found
            clean(self.bench)
            raise AssertionError(str(found))


def _rule(kind: int) -> Callable[[Calls, int, int, int], None]:
    def step(self: Calls, a: int, b: int, c: int) -> None:
        self.steps.take((kind, a, b, c))

    return step


def _calls_on(on: Bench) -> type[Calls]:
    """Return the state machine for a bench, with a rule for each thing that a script can do."""
    rules = {
        f"{name}_{kind}": rule(a=_NUMBER, b=_NUMBER, c=_NUMBER)(_rule(kind))
        for kind, name in enumerate(KIND_NAMES)
    }
    return type("CallsOnMachine", (Calls,), {**rules, "bench": on})


def difference(on: Bench, examples: int, *, same: bool = False) -> Divergence | None:
    """Let Hypothesis write scripts, and return what differs first, made short; None: nothing does.

    Calls are left out one by one: that makes it shorter than Hypothesis would, which knows of
    steps only, and takes less time on the machine.

    Args:
        on: where the calls are made.
        examples: how many scripts there are at most.
        same: write the same scripts each time, not others by chance.
    """
    calls = _calls_on(on)
    wanted = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        derandomize=same,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(calls, settings=wanted)
    except AssertionError:
        if calls.found is None:
            raise
        return shrink(on, calls.found)
    return None
