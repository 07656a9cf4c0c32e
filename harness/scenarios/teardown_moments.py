# SPDX-License-Identifier: Apache-2.0
"""The VMM of a Linux TVM is killed at moments by chance; the run's seed decides them."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.scenarios.linux_tvm import NIGHTLY, console_of, console_size, words_of
from harness.scenarios.runner import Skipped
from harness.scenarios.smoke import Smoke
from harness.scenarios.teardown_states import extent
from harness.scenarios.teardown_victim import (
    KILL,
    Victim,
    await_console,
    nothing_left,
)

_MOMENTS = 50 if NIGHTLY else 3


def moments(smoke: Smoke) -> str:
    """Kill the VMM with SIGKILL at moments by chance up to its guest's userspace."""
    smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    life = _one_life(smoke)
    chosen = moments_of(smoke.seed, _MOMENTS, life.launch_us, life.userspace_us)
    launched = 0
    for turn, delay in enumerate(chosen):
        victim = _start(smoke, 1 + turn % 2, f"usleep {delay}; kill -9 $victim")
        victim.end(KILL, smoke.config.timeouts.guest_s)
        launched += victim.launched
        nothing_left(smoke, f"killed {delay} us after its start", life.used)
    when = ", ".join(f"{delay / 1e6:.3f}" for delay in chosen)
    return (
        f"killed at {len(chosen)} moments, {launched} of them behind finalize_tvm: nothing left;"
        f" seed {smoke.seed.hex()}: {when} s"
    )


def moments_of(seed: bytes, count: int, launch: int, userspace: int) -> Sequence[int]:
    """Return moments in microseconds behind the VMM's start, which follow from the seed.

    Args:
        seed: of the run.
        count: how many.
        launch: microseconds that a launch takes; every other moment is within them.
        userspace: microseconds until the guest is in its userspace; the others are within them.
    """
    # Imported here: the other scenarios do not need it.
    import random

    chance = random.Random(seed)
    return [chance.randrange(userspace if turn % 2 else launch) for turn in range(count)]


@dataclass(frozen=True, slots=True)
class _Life:
    """Microseconds from the VMM's start to stages of its guest, and the bytes that it has."""

    launch_us: int
    userspace_us: int
    used: int


def _start(smoke: Smoke, vcpus: int, then: str = ":") -> Victim:
    words = shlex.join(["tvm", *words_of(smoke.config, console_of(smoke), vcpus, None)])
    return Victim.start(smoke.need_host(), words, then=then)


def _one_life(smoke: Smoke) -> _Life:
    """Let a guest get to its userspace, and kill its VMM there."""
    start, began = console_size(smoke), time.monotonic()
    victim = _start(smoke, 2)
    victim.await_event("launch")
    # Finding out takes as long as half of it.
    launch = _since(began) // 2
    await_console(smoke, victim, start, "linux: userspace at ")
    userspace = _since(began)
    used = extent(smoke, victim.run().pool)
    victim.end(KILL, smoke.config.timeouts.guest_s)
    nothing_left(smoke, "killed in its userspace", used)
    return _Life(launch, userspace, used)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1e6)
