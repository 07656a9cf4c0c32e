# SPDX-License-Identifier: Apache-2.0
"""Three worlds: the host's own work, a plain KVM guest and a TVM, both with Linux, at once.

All compute, use memory and files, and every result is checked. Then each is ended, in several
orders, while the others go on; in the end nothing is left of any of them.
"""

from __future__ import annotations

import itertools
import random
import re
import time
from collections.abc import Sequence

from harness.build.builder import Builder
from harness.build.guest_files import check_fits, guest_kernel, recipes
from harness.build.linux_guest import GuestInitramfsRecipe
from harness.build.work import INITRAMFS, PROGRAM, WorkRecipe
from harness.scenarios import teardown_memory, vmm
from harness.scenarios.linux_tvm import INITRD, KERNEL, add_port
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, boot, poweroff, sources, tools
from harness.scenarios.smp import begin, healthy
from harness.scenarios.teardown_victim import nothing_left
from harness.scenarios.world import NAMES, WORK, World, clear, log_of, start

# A KVM guest has 128 MiB; what the kernel keeps of its own beside that comes and goes.
_LOST_KIB = 32 << 10
_WORKING: dict[int, dict[str, World]] = {}
# Between two looks at the logs, which QEMU writes.
_LOOK_S = 0.05


def build(smoke: Smoke) -> str:
    """Build what is missing, with the worlds' work; give the machine a console for each world.

    Both guests have the kernel that `tvm.kernel` names, and an initramfs with nothing but the work.
    """
    kernel = [one for one in recipes(smoke.config) if one.name != GuestInitramfsRecipe.name]
    extra = (WorkRecipe(), *kernel, *vmm.recipes(smoke.config))
    smoke.builder = Builder(smoke.config, smoke.ui, offline=smoke.offline, extra=extra)
    outcome = smoke.builder.run()
    smoke.artefacts = outcome.artefacts
    smoke.versions.update(outcome.artefacts.versions)
    smoke.keys = {name: place.name for name, place in outcome.places.items()}
    image = guest_kernel(smoke.config, outcome.places)
    smoke.files[KERNEL] = image.content
    smoke.files[INITRD] = (outcome.places[WorkRecipe.name] / INITRAMFS).read_bytes()
    check_fits(smoke.config, image, len(smoke.files[INITRD]))
    smoke.files[WORK] = (outcome.places[WorkRecipe.name] / PROGRAM).read_bytes()
    vmm.give_files(smoke, outcome.places)
    for name in NAMES:
        add_port(smoke, name, log_of(name))
    return f"built {', '.join(outcome.built)}" if outcome.built else "all is up to date"


def work(smoke: Smoke) -> str:
    """Let all three work at once for a while; each gets on, and every result is right."""
    _ready(smoke)
    worlds = _started(smoke, "work")
    vmm.prove(smoke, worlds["kvm"].processes)
    marks = {name: world.rounds for name, world in worlds.items()}
    end = time.monotonic() + smoke.config.worlds.seconds
    while time.monotonic() < end:
        smoke.need_host().machine.check()
        for world in worlds.values():
            world.look()
        time.sleep(_LOOK_S)
    for name, world in worlds.items():
        world.await_rounds(marks[name] + 1)
    _WORKING[id(smoke)] = worlds
    smoke.stack.callback(_WORKING.pop, id(smoke), None)
    rounds = {name: world.rounds for name, world in worlds.items()}
    smoke.metrics.update({f"{name}_rounds": count for name, count in rounds.items()})
    said = ", ".join(f"{name} {count}" for name, count in rounds.items())
    # The host's banner is looked at as it boots.
    kernels = ", ".join(f"{name} Linux {worlds[name].release()}" for name in ("kvm", "tvm"))
    return (
        f"{smoke.config.worlds.seconds} s at once, {kernels};"
        f" rounds of each process, all right: {said}"
    )


def teardown(smoke: Smoke) -> str:
    """End them in several orders; what still runs goes on with the right results."""
    _ready(smoke)
    worlds = _WORKING.pop(id(smoke), None)
    if worlds is None:
        raise Skipped("they did not work together")
    orders = orders_of(smoke.seed, smoke.config.worlds.orders)
    for order in orders:
        words = " then ".join(order)
        worlds = worlds or _started(smoke, words)
        used = _end_all(worlds, order)
        worlds = None
        _check_left(smoke, words, used)
    return (
        f"{'; '.join(' then '.join(order) for order in orders)}: the others went on, nothing left"
    )


def _started(smoke: Smoke, purpose: str) -> dict[str, World]:
    """Start all three and wait until all are at work."""
    # The host's own work does not wait for anything: it would have the guests boot slowly.
    worlds = {name: start(smoke, name, purpose) for name in reversed(NAMES) if name != "host"}
    for world in worlds.values():
        world.await_rounds(1)
    worlds["host"] = start(smoke, "host", purpose)
    worlds["host"].await_rounds(1)
    return worlds


def _end_all(worlds: dict[str, World], order: Sequence[str]) -> int:
    """End one after the other, each while the rest gets on; return the bytes of the TVM."""
    left = dict(worlds)
    for name in order:
        left.pop(name).end()
        marks = {other: world.rounds for other, world in left.items()}
        for other, world in left.items():
            # The round that was under way as the other ended, and a whole one behind it.
            world.await_rounds(marks[other] + 2)
    return worlds["tvm"].used


def orders_of(seed: bytes, count: int) -> list[tuple[str, ...]]:
    """Return so many of the orders in which three worlds can end, chosen by the seed."""
    return random.Random(seed).sample(list(itertools.permutations(NAMES)), count)


def _ready(smoke: Smoke) -> None:
    smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")


def usable(smoke: Smoke) -> str:
    """Check that the whole pool can be converted and reclaimed, once no world is left."""
    _ready(smoke)
    clear(smoke)
    return teardown_memory.usable(smoke)


def begin_memory(smoke: Smoke) -> str:
    """Note what the TSM counts and what memory the host has before anything is launched."""
    detail = begin(smoke)
    smoke.metrics["memory_before_kib"] = _available(smoke)
    return detail


def _available(smoke: Smoke) -> int:
    text = smoke.need_host().shell.run("echo 3 >/proc/sys/vm/drop_caches; cat /proc/meminfo").output
    match = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    if match is None:
        raise CheckFailed("/proc/meminfo of the host has no line MemAvailable")
    return int(match[1])


def _check_left(smoke: Smoke, ended: str, used: int) -> None:
    """Check that nothing is left of the TVM, nor of the KVM guest's memory."""
    nothing_left(smoke, f"ended {ended}", used)
    lost = smoke.metrics["memory_before_kib"] - _available(smoke)
    if lost > _LOST_KIB:
        raise CheckFailed(f"ended {ended}: the host has {lost:.0f} KiB less than before")


_CHECKS = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin_memory),
    ("vmm", vmm.short_life),
    ("work", work),
    ("teardown", teardown),
    ("usable", usable),
    ("healthy", healthy),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
