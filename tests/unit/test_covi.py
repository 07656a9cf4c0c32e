# SPDX-License-Identifier: Apache-2.0
"""The judge of the covi scenario, and the machine that it makes."""

from __future__ import annotations

import pytest

from harness.config.load import load
from harness.machine.argv import machine_args
from harness.scenarios.covi import judge, with_files
from harness.scenarios.runner import CheckFailed


@pytest.mark.parametrize(
    ("sets", "machine", "harts"),
    [
        ((), "virt,aia=aplic-imsic,aia-guests=1", 2),
        (("machine.harts=1",), "virt,aia=aplic-imsic,aia-guests=1", 2),
        (("machine.harts=4", "machine.aia_guests=3"), "virt,aia=aplic-imsic,aia-guests=3", 4),
    ],
)
def test_the_machine_has_guest_files(sets: tuple[str, ...], machine: str, harts: int) -> None:
    config = with_files(load((), sets).value)
    assert machine_args(config)[:2] == ["-machine", machine]
    assert config.machine.harts == harts


def test_guest_files_need_an_imsic() -> None:
    config = load((), ("machine.aia=aplic", "machine.aia_guests=3")).value
    assert machine_args(config)[1] == "virt,aia=aplic"


def test_right_answers_are_counted() -> None:
    assert judge({"bind": 0, "run": -3, "more": 1}, {"bind": 0, "run": -3}) == 2


@pytest.mark.parametrize(
    ("values", "says"),
    [({"bind": 0}, "`run` was never said"), ({"bind": 0, "run": 0}, "`run` is 0, not -3")],
)
def test_wrong_answers_are_named(values: dict[str, int], says: str) -> None:
    with pytest.raises(CheckFailed, match=says):
        judge(values, {"bind": 0, "run": -3})
