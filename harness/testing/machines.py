# SPDX-License-Identifier: Apache-2.0
"""Machines for tests: booted when the first test asks, shared, and given up when one fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import msgspec
import pytest

from harness.build.artefacts import Artefacts
from harness.build.builder import Builder, build_all
from harness.config.schema import Config
from harness.errors import CallerError, InfraError, TeecallError
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.machine.emulator import check_emulator
from harness.machine.machine import Machine
from harness.machine.rundir import RunDir, new_run
from harness.testing.marker import resolved
from harness.ui import QuietUi, choose

Key = bytes
_FOLDER_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass
class Station:
    """A machine with its host, its build and its evidence.

    `spoilt` is True once a test has failed on it; `saved` once its records are in the folder.
    """

    config: Config
    artefacts: Artefacts
    run: RunDir
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _machine: Machine | None = None
    _host: Host | None = None
    spoilt: bool = False
    saved: bool = False

    @property
    def powered(self) -> Machine | None:
        """The machine, None before QEMU was started."""
        return self._machine

    @property
    def machine(self) -> Machine:
        """The machine, booted."""
        assert self._machine is not None
        return self._machine

    @property
    def host(self) -> Host:
        """The host, which answers."""
        assert self._host is not None
        return self._host

    def boot(self) -> None:
        """Start the machine and wait for the host's shell.

        Raises:
            TeecallError: it does not come up.
        """
        self._machine = self.stack.enter_context(powered(self.config, self.artefacts, self.run))
        self._host = reach_shell(self._machine)


class Machines:
    """The machines of a module.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shared: dict[Key, Station] = {}

    def __enter__(self) -> Machines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.ExitStack() as stack:
            for station in self._shared.values():
                stack.push(station.stack)

    @contextlib.contextmanager
    def station(self, item: pytest.Item) -> Iterator[Station]:
        """Give the machine that a test needs, booted.

        Args:
            item: the test; `station_of` finds the machine by it from then on.

        Raises:
            TeecallError: it does not come up, or is not built.
        """
        need, config = resolved(item)
        key = msgspec.json.encode(config)
        station = None if need.fresh else self._shared.get(key)
        if station is None:
            station = self._new(item, config)
        else:
            item.stash[STATION] = station
            self._check(item, key, station)
        station.machine.uart.note(f"teecall: test {item.nodeid}")
        if not need.fresh:
            self._shared[key] = station
        yield station
        if need.fresh or station.spoilt:
            self._shared.pop(key, None)
            station.stack.close()

    def _check(self, item: pytest.Item, key: Key, station: Station) -> None:
        """Give up a shared machine that has died since the test before; this test tells of it."""
        try:
            station.machine.check()
        except TeecallError:
            del self._shared[key]
            item.addfinalizer(station.stack.close)
            raise

    def _new(self, item: pytest.Item, config: Config) -> Station:
        artefacts = _built(config, offline=self._config.getoption("--teecall-offline"))
        station = Station(config, artefacts, new_run(_folder(self._config, item)))
        item.stash[STATION] = station
        try:
            station.boot()
        except BaseException:
            # The report of the failed setup still has to look at it.
            item.addfinalizer(station.stack.close)
            raise
        return station


STATION = pytest.StashKey[Station]()


def station_of(item: pytest.Item) -> Station | None:
    """Return the machine of a test, None when it got none."""
    return item.stash.get(STATION, None)


def _folder(config: pytest.Config, item: pytest.Item) -> Path | None:
    given = config.getoption("--teecall-evidence")
    if not given:
        return None
    name = "".join(letter if letter in _FOLDER_LETTERS else "-" for letter in item.nodeid)
    return Path(given) / name.strip("-")[-120:]


def _built(config: Config, *, offline: bool) -> Artefacts:
    """Return the files of a machine, which must have been built.

    Raises:
        InfraError: something is missing; a test is no place to compile a kernel in.
    """
    check_emulator(config)
    builder = Builder(config, QuietUi(), offline=offline)
    missing = builder.missing()
    if missing:
        raise InfraError(
            f"the machine of this test is not built: {', '.join(missing)}",
            "run the tests by `teecall test PATH`, or by `pytest --teecall-build`",
        )
    return builder.run().artefacts


def prepare(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Check what tests need, all of them, and build it when asked to.

    Raises:
        pytest.UsageError: a marker or the configuration is wrong, or a part does not build.
    """
    needed: dict[Key, Config] = {}
    for item in items:
        _, wanted = resolved(item)
        needed[msgspec.json.encode(wanted)] = wanted
    if not config.getoption("--teecall-build") or config.getoption("collectonly"):
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    shown = capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
    with shown:
        for wanted in needed.values():
            _build(wanted, offline=config.getoption("--teecall-offline"))


def _build(config: Config, *, offline: bool) -> None:
    ui = choose(False, False)
    try:
        build_all(config, ui, offline=offline)
    except CallerError as error:
        raise pytest.UsageError(_told(error)) from None
    except TeecallError as error:
        # Each test that needs it says so again, by its own report; here is why.
        raise pytest.exit.Exception(_told(error), returncode=error.exit_code) from None
    finally:
        ui.close()


def _told(error: TeecallError) -> str:
    lines = [error.message, *(f"  | {line}" for line in error.details)]
    return "\n".join([*lines, f"  remedy: {error.remedy}"] if error.remedy else lines)
