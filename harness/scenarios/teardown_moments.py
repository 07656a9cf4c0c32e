# SPDX-License-Identifier: Apache-2.0
"""The VMM of a Linux TVM is killed at moments by chance.

From the run's seed follows which part of the way each kill comes at; how long the way is, the
workstation says, so that a repeat comes near the same moments.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.scenarios.linux_tvm import (
    CONSOLE_LOG,
    NIGHTLY,
    console_of,
    console_size,
    words_of,
)
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke
from harness.scenarios.teardown_states import extent
from harness.scenarios.teardown_victim import (
    KILL,
    Victim,
    await_console,
    nothing_left,
)

_MOMENTS = 50 if NIGHTLY else 3
# Kills go on beyond that while a stage has not been met often enough, but not for ever.
_MOST = _MOMENTS + 20
_UP = "linux: userspace at "
HALF_BUILT, BOOTING, USERSPACE = _STAGES = ("half built", "booting", "in its userspace")
# A span grows so much when its end was not met: then it is met once in a while, not each time.
_LONGER = 1.2
_SHORTEST_US = 1000.0
# One kill in so many has to meet each stage on the way to the userspace.
_FEW = 10


def moments(smoke: Smoke) -> str:
    """Kill the VMM with SIGKILL at moments by chance, half of them meant for the launch."""
    smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    life = _one_life(smoke)
    spans = Span(life.launch_us, BOOTING), Span(life.userspace_us, USERSPACE)
    stages: list[str] = []
    delays: list[str] = []
    for turn, share in enumerate(shares_of(smoke.seed, _MOST)):
        if turn >= _MOMENTS and not lacking(stages):
            break
        span = spans[turn % 2]
        delay = span.moment(share)
        stage = _kill(smoke, 1 + turn // 2 % 2, delay, life.used)
        span.learn(delay, stage)
        stages.append(stage)
        delays.append(f"{delay / 1e6:.3f}")
    check_spread(stages)
    return (
        f"killed at {len(stages)} moments, {spread_of(stages)}: nothing left;"
        f" seed {smoke.seed.hex()}: {', '.join(delays)} s"
    )


def _kill(smoke: Smoke, vcpus: int, delay: int, used: int) -> str:
    """Kill a VMM so many microseconds behind its start; return how far its guest had come."""
    start = console_size(smoke)
    victim = _start(smoke, vcpus, f"usleep {delay}; kill -9 $victim", delay / 1e6)
    victim.end(KILL, smoke.config.timeouts.guest_s)
    stage = BOOTING if victim.launched else HALF_BUILT
    if _UP.encode() in smoke.run.file(CONSOLE_LOG).read_bytes()[start:]:
        stage = USERSPACE
    nothing_left(smoke, f"killed {delay} us after its start, {stage}", used)
    return stage


def shares_of(seed: bytes, count: int) -> Sequence[float]:
    """Return so many numbers from 0 to 1 by chance, which follow from the seed."""
    # Imported here: the other scenarios do not need it.
    import random

    chance = random.Random(seed)
    return [chance.random() for _ in range(count)]


@dataclass
class Span:
    """The time from a VMM's start to where its guest gets to a stage, as far as it is known.

    A workstation has other work to do, more at one time than at another: what a guest that was
    watched has needed says little of one that is not. So each kill corrects it.

    Args:
        microseconds: what is known at first.
        stage: where it ends.
    """

    microseconds: float
    stage: str

    def moment(self, share: float) -> int:
        """Return the moment, in microseconds, that is so far on the way to the stage."""
        return round(share * self.microseconds)

    def learn(self, delay: int, stage: str) -> None:
        """Take in how far a guest had come which was killed behind so many microseconds."""
        if _STAGES.index(stage) >= _STAGES.index(self.stage):
            self.microseconds = max(delay, _SHORTEST_US)
        else:
            self.microseconds *= _LONGER


def spread_of(stages: Sequence[str]) -> str:
    """Return how often each stage was met, for people."""
    return ", ".join(f"{stages.count(stage)} {stage}" for stage in _STAGES)


def lacking(stages: Sequence[str]) -> bool:
    """Tell whether hardly any kill has met one of the stages on the way to the userspace."""
    few = max(1, len(stages) // _FEW)
    return any(stages.count(stage) < few for stage in (HALF_BUILT, BOOTING))


def check_spread(stages: Sequence[str]) -> None:
    """Check that the kills did not all meet the same stage.

    Raises:
        CheckFailed: hardly any has met a guest that was half built, or one whose kernel booted.
    """
    if lacking(stages):
        raise CheckFailed(
            f"of {len(stages)} kills {spread_of(stages)}: what is to be shown is not",
            "the moments have to lie within the guests' launch and boot",
        )


@dataclass(frozen=True, slots=True)
class _Life:
    """Microseconds from the VMM's start to stages of its guest, and the bytes that it has."""

    launch_us: int
    userspace_us: int
    used: int


def _start(smoke: Smoke, vcpus: int, then: str = ":", takes_s: float = 0.0) -> Victim:
    words = shlex.join(["tvm", *words_of(smoke.config, console_of(smoke), vcpus, None)])
    return Victim.start(smoke.need_host(), words, then=then, takes_s=takes_s)


def _one_life(smoke: Smoke) -> _Life:
    """Let a guest get to its userspace, and kill its VMM there."""
    start, began = console_size(smoke), time.monotonic()
    victim = _start(smoke, 2)
    victim.await_event("launch")
    # Finding out takes as long as half of it.
    launch = _since(began) // 2
    await_console(smoke, victim, start, _UP)
    userspace = _since(began)
    used = extent(smoke, victim.run().pool)
    victim.end(KILL, smoke.config.timeouts.guest_s)
    nothing_left(smoke, "killed in its userspace", used)
    return _Life(launch, userspace, used)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1e6)
