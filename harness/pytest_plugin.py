# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin: fixtures `machine`, `host` and `tvm`, and the marker `teecall`.

Every pytest on a workstation with teecall loads this module, so it imports nothing but pytest;
what it does is in `harness.testing`, which the first test that asks for a machine imports.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.host.host import Host
    from harness.machine.machine import Machine
    from harness.testing.guests import Tvm
    from harness.testing.machines import Machines, Station

_MARKER = (
    "teecall(harts=…, aia=…, config=FILE, set={KEY: VALUE}, fresh=True): the machine that a test"
    " needs; see `teecall test --help`"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of teecall."""
    group = parser.getgroup("teecall", "machines for tests (teecall)")
    group.addoption(
        "--teecall-config",
        action="append",
        default=[],
        metavar="FILE",
        help="lay a YAML file over teecall's defaults; may be repeated",
    )
    group.addoption(
        "--teecall-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set one key of teecall's configuration; may be repeated",
    )
    group.addoption(
        "--teecall-evidence",
        metavar="DIR",
        help="folder for the logs of machines [default: runs in teecall's cache]",
    )
    group.addoption(
        "--teecall-build",
        action="store_true",
        help="build what the machines need before the first test, as `teecall test` does",
    )
    group.addoption("--teecall-offline", action="store_true", help="never touch the network")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for --strict-markers and `pytest --markers`."""
    config.addinivalue_line("markers", _MARKER)


def _uses(item: pytest.Item) -> bool:
    return "_teecall_station" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Check what the chosen tests ask for, before the first one runs; build it if asked to."""
    items = [item for item in session.items if _uses(item)]
    if items:
        from harness.testing.machines import prepare

        prepare(session.config, items)


@pytest.fixture(scope="module")
def _teecall_machines(request: pytest.FixtureRequest) -> Iterator[Machines]:
    """The machines that the tests of a module share."""
    from harness.testing.machines import Machines

    with Machines(request.config) as machines:
        yield machines


@pytest.fixture
def _teecall_station(
    request: pytest.FixtureRequest, _teecall_machines: Machines
) -> Iterator[Station]:
    """The machine of one test, with what its build and its evidence are."""
    with _teecall_machines.station(request.node) as station:
        yield station


@pytest.fixture
def machine(_teecall_station: Station) -> Machine:
    """The machine, booted to the host's shell (`harness.machine.machine.Machine`).

    Tests of a module whose markers ask for the same machine share it, until one of them fails;
    `@pytest.mark.teecall(fresh=True)` gives a test one of its own.
    """
    return _teecall_station.machine


@pytest.fixture
def host(_teecall_station: Station) -> Host:
    """The host on the machine (`harness.host.host.Host`): run(), call(), peek(), put(), get()."""
    return _teecall_station.host


@pytest.fixture
def tvm(request: pytest.FixtureRequest, _teecall_station: Station) -> Iterator[Tvm]:
    """The launcher of TVMs: run(), linux(), payload(). What still runs at the end is destroyed."""
    from harness.testing.guests import Tvm

    with Tvm(_teecall_station.host, request.path.parent) as launcher:
        yield launcher


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Let a test fail whose machine has died, whatever the test itself has noticed."""
    outcome = yield
    if _uses(item):
        from harness.testing.judging import after_test

        after_test(item, outcome)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """Tell verdict, signature, place, evidence and how to repeat a test that failed."""
    outcome = yield
    if call.excinfo is not None and _uses(item):
        from harness.testing.judging import complete

        complete(item, call, outcome.get_result())
