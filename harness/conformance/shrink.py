# SPDX-License-Identifier: Apache-2.0
"""Makes a script that shows a difference shorter, on the machine itself.

Calls are left out, large parts first, as long as the last call is still answered otherwise than the
model says (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.conformance.bench import Bench
from harness.conformance.calls import MASK, Answer, Call
from harness.conformance.judge import Divergence
from harness.conformance.model.machine import Model
from harness.conformance.model.outcome import Unpredictable
from harness.errors import MachineError

_NUMBER = re.compile(r"0x[0-9a-f]+")
# Batches that may be spent: each is a short one.
_BUDGET = 40


def shrink(bench: Bench, found: Divergence) -> Divergence:
    """Return a difference in the same function with fewer calls before it.

    What the TSM holds after a difference is not what the model knows, so each try begins with
    taking everything back, by ids and pages alike.
    """
    best = found
    part = max(1, best.index // 2)
    spent = 0
    while part and spent < _BUDGET:
        at, shorter = 0, False
        while at < best.index and spent < _BUDGET:
            calls = [*best.calls[:at], *best.calls[at + part : best.index]]
            calls.append(best.calls[best.index])
            spent += 1
            again = _differs(bench, calls)
            if again is not None and _kind(again) == _kind(best):
                best, shorter = again, True
            else:
                at += part
        part = part if shorter and part == 1 else part // 2
    clean(bench)
    return best


def _kind(found: Divergence) -> tuple[str, str]:
    """The function, and how its answer differs; numbers are another in each script."""
    return found.calls[found.index].function, _NUMBER.sub("N", found.what)


def _differs(bench: Bench, calls: Sequence[Call]) -> Divergence | None:
    model = Model(bench.machine, bench.can)
    try:
        # A script of which the model knows nothing is none.
        for call in calls[:-1]:
            expected = model.predict(call)
            value = expected.value or 0
            if expected.learn is not None and call.function == "create_tvm":
                value = 1 + max(model.tvms, default=0)
                expected.learn(value)
            ok = any(error == 0 for error in expected.errors)
            model.save(call, 0 if ok else -1, value)
        model.predict(calls[-1])
    except Unpredictable:
        return None
    clean(bench)
    return bench.run([calls])


def clean(bench: Bench) -> None:
    """Take back whatever the TSM has: every id that it gives, and every page of the scripts."""
    fence, whole = _fences(bench), bench.ground.whole
    ids = [Call("covh", "destroy_tvm", (number,)) for number in sorted(bench.told.ids)]
    # Most scripts have given all of it back: then it can be converted as it is, and comes back.
    probe = [Call("covh", "convert_pages", whole), *fence, Call("covh", "reclaim_pages", whole)]
    # A script that has set no NACL area counts on there being none.
    areas = [
        Call("nacl", "set_shmem", (MASK, MASK, 0), hart) for hart in range(bench.machine.harts)
    ]
    calls = [
        *areas,
        *ids,
        *fence,
        *fence,
        *_reclaim(bench.ground.others()),
        *_reclaim([whole]),
        *probe,
    ]
    bench.told.ids.clear()
    if _make(bench, calls)[-1].error:
        _make(bench, _reclaim(bench.ground.parts()))


def _fences(bench: Bench) -> list[Call]:
    local = [Call("covh", "local_fence", cpu=hart) for hart in range(bench.machine.harts)]
    return [*local, Call("covh", "global_fence"), *local]


def _reclaim(places: Iterable[tuple[int, int]]) -> list[Call]:
    return [Call("covh", "reclaim_pages", place) for place in places]


def _make(bench: Bench, calls: Sequence[Call]) -> list[Answer]:
    answers = bench.answers(calls)
    if len(answers) != len(calls):
        raise MachineError("the TSM does not answer after a difference", "see tsm.log")
    return answers
