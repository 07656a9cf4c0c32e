# SPDX-License-Identifier: Apache-2.0
"""The moments at which a VMM is killed follow from the seed."""

from __future__ import annotations

from harness.scenarios.teardown_moments import moments_of


def test_a_seed_gives_its_moments_again() -> None:
    assert moments_of(b"a", 50, 400, 4000) == moments_of(b"a", 50, 400, 4000)
    assert moments_of(b"a", 50, 400, 4000) != moments_of(b"b", 50, 400, 4000)


def test_every_other_moment_is_in_the_launch() -> None:
    found = moments_of(b"seed", 50, 400, 4000)
    assert len(found) == 50
    assert all(0 <= moment < 400 for moment in found[::2])
    assert all(0 <= moment < 4000 for moment in found[1::2])
    assert max(found[1::2]) >= 400
