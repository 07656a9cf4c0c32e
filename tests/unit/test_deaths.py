# SPDX-License-Identifier: Apache-2.0
"""A death that was expected can be forgiven, and only that one."""

from __future__ import annotations

from harness.machine.deaths import DeathWatch

DEAD = b"tsmd: TSM domain dead: panic\n"
OOPS = b"[    1.000000] Oops [#1]\n"


def test_what_was_forgiven_is_not_found_again() -> None:
    watch = DeathWatch()
    assert watch.feed(b"hello\n" + DEAD) is not None
    watch.forgive()
    assert watch.death is None
    assert watch.position == len(b"hello\n" + DEAD)
    assert watch.feed(b"the host goes on\n") is None


def test_the_next_death_is_found_all_the_same() -> None:
    watch = DeathWatch()
    watch.feed(DEAD)
    watch.forgive()
    death = watch.feed(b"the host goes on\n" + OOPS)
    assert death is not None
    assert death.kind == "kernel oops"


def test_a_death_that_is_not_forgiven_stays() -> None:
    watch = DeathWatch()
    first = watch.feed(DEAD)
    assert watch.feed(OOPS) is first
