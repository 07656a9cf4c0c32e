# SPDX-License-Identifier: Apache-2.0
"""What became of a test on a machine: its verdict, its signature, and its section of the report."""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import pytest

from harness.errors import CallerError, MachineCrash, TeecallError
from harness.machine.machine import Machine
from harness.scenarios.report import Failure, Report, failure_of, last_screen, provenance
from harness.scenarios.session import told
from harness.signature.signature import Signature, of_check
from harness.testing.machines import Station, station_of
from harness.trace.record import read_trace
from harness.verdict import Check, Verdict

PROPERTY = "teecall.verdict"
_PACKAGE = Path(__file__).resolve().parents[1]
_DEATHS = (Verdict.CRASH, Verdict.HANG, Verdict.TIMEOUT)


class Told:
    """What pytest shows of a failure that has no place in the test: the machine's own."""

    class _Crash:
        def __init__(self, path: str, message: str) -> None:
            self.path, self.lineno, self.message = path, 0, message

    def __init__(self, item: pytest.Item, message: str) -> None:
        self.reprcrash = self._Crash(str(item.path), message)

    def __str__(self) -> str:
        return self.reprcrash.message

    def toterminal(self, writer: Any) -> None:
        """Write it as pytest writes errors."""
        for line in str(self).splitlines():
            writer.line(f"E   {line}", red=True, bold=True)


def after_test(item: pytest.Item, outcome: Any) -> None:
    """Put the machine's death in the place of whatever the test has made of it.

    Args:
        item: the test that has just ended.
        outcome: pluggy's; has the exception that ended it.
    """
    station = station_of(item)
    machine = station.powered if station is not None else None
    error: BaseException | None = outcome.excinfo[1] if outcome.excinfo else None
    if station is None or machine is None or isinstance(error, (KeyboardInterrupt, SystemExit)):
        return
    if error is not None and not isinstance(error, pytest.skip.Exception):
        station.spoilt = True
        # What the firmware prints of its death may be on its way.
        machine.last_words()
    cause = _death(machine)
    # A test may switch it off, or let a part of it die: it is no machine for others then.
    if machine.status is not None or machine.maimed:
        station.spoilt = True
    if cause is None:
        if isinstance(error, TeecallError):
            _trim(error.__traceback__, item.path)
        return
    station.spoilt = True
    if error is None:
        cause.details = (*cause.details, "the test itself noticed nothing")
        outcome.force_exception(cause.with_traceback(None))
    elif not isinstance(error, TeecallError) or error.verdict is not cause.verdict:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        cause.details = (*cause.details, f"then: {first}")
        _trim(error.__traceback__, item.path)
        outcome.force_exception(cause.with_traceback(error.__traceback__))
    else:
        _trim(error.__traceback__, item.path)


def _death(machine: Machine) -> TeecallError | None:
    """Return how the machine has died; None when it lives, or was switched off in order."""
    try:
        machine.check()
    except MachineCrash as error:
        if machine.status == 0 and machine.death() is None:
            return None
        return error
    except TeecallError as error:
        return error
    return None


def _trim(trace: TracebackType | None, path: Path) -> None:
    """End a traceback at the test's own line: what is below it is teecall's."""
    inside = False
    while trace is not None and trace.tb_next is not None:
        inside = inside or Path(trace.tb_frame.f_code.co_filename) == path
        below = Path(trace.tb_next.tb_frame.f_code.co_filename)
        if inside and below.is_relative_to(_PACKAGE):
            trace.tb_next = None
            return
        trace = trace.tb_next


def _in_test(error: BaseException, path: Path) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path:
            return True
        trace = trace.tb_next
    return False


def complete(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Add teecall's section to the report of a test that failed, and keep the evidence.

    What the environment has spoilt is an error and no failure; a machine that dies as it boots
    is a failure, although it comes before the test.
    """
    assert call.excinfo is not None
    if report.outcome != "failed":
        return
    error, station = call.excinfo.value, station_of(item)
    verdict = _verdict(error)
    failure, signature = _explained(item, error, verdict, station, call.duration)
    if isinstance(error, TeecallError):
        if not _in_test(error, item.path):
            report.longrepr = Told(item, f"{verdict}: {error.message}")  # type: ignore[assignment]
        if verdict is Verdict.INFRA and report.when == "call":
            report.when = "setup"
        elif verdict is not Verdict.INFRA and report.when == "setup":
            report.when = "call"
    lines = _lines(failure, signature, station, item)
    report.sections.append((f"teecall: {verdict}", "\n".join(lines)))
    report.user_properties.append((PROPERTY, str(verdict)))
    if signature is not None:
        report.user_properties.append(("teecall.signature", signature.key))
    if station is not None:
        report.user_properties.append(("teecall.evidence", str(station.run.path)))


def _verdict(error: BaseException) -> Verdict:
    if isinstance(error, TeecallError) and not isinstance(error, CallerError):
        return error.verdict or Verdict.FAIL
    return Verdict.FAIL


def _explained(
    item: pytest.Item,
    error: BaseException,
    verdict: Verdict,
    station: Station | None,
    seconds: float,
) -> tuple[Failure, Signature]:
    """Return what the machine tells of a failure; its records go to the run's folder."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    failure = Failure(item.name, text)
    if isinstance(error, TeecallError):
        failure = failure_of(item.name, error)
    check = Check(item.name, verdict, text, seconds)
    # It is the user's own test, of whatever it looks at.
    signature = of_check(verdict, item.name, text, component="test")
    machine = station.powered if station is not None else None
    if station is None or machine is None:
        return failure, signature
    if verdict in _DEATHS:
        failure, own = told(failure, machine, station.artefacts, check)
        signature = own or signature
    else:
        failure = replace(failure, evidence=station.run.path)
        _save(station, machine)
    _write(item, station, check, failure, signature)
    return failure, signature


def _save(station: Station, machine: Machine) -> None:
    trace = read_trace(machine.ram, station.artefacts, station.config.machine.harts)
    station.run.write("events.json", trace.as_json())
    station.run.write("tsm.log", trace.log)


def _write(
    item: pytest.Item,
    station: Station,
    check: Check,
    failure: Failure,
    signature: Signature | None,
) -> None:
    """Write run.json, by which `teecall parse` and others know the folder."""
    artefacts = station.artefacts
    images = (artefacts.opensbi_elf, artefacts.tsm_elf, artefacts.vmlinux)
    report = Report(
        checks=(check,),
        duration_s=check.duration_s,
        evidence_dir=station.run.path,
        versions=artefacts.versions,
        failures=(failure,),
        signature=signature,
        exit_code=check.verdict.exit_code,
        extra={
            **provenance(time.time() - check.duration_s),
            "scenario": "test",
            "test": item.nodeid,
            "command": _repeat(item),
            "images": [str(image) for image in images if image is not None],
            "config": msgspec.to_builtins(station.config),
        },
    )
    station.run.write_json("run.json", report.for_run_folder())


def _lines(
    failure: Failure, signature: Signature | None, station: Station | None, item: pytest.Item
) -> list[str]:
    lines = last_screen(failure)
    if signature is not None:
        lines.append(f"signature: {signature.key}")
    if station is not None and failure.evidence != station.run.path:
        lines.append(f"evidence: {station.run.path}")
    return [*lines, f"repeat: {_repeat(item)}"]


def _repeat(item: pytest.Item) -> str:
    """Return the command that runs this test alone, from the folder where pytest was started."""
    where = os.path.relpath(item.path, item.config.invocation_params.dir)
    _, separator, name = item.nodeid.partition("::")
    words = ["teecall", "test", f"{where}{separator}{name}"]
    for file in item.config.getoption("--teecall-config"):
        words += ["-c", str(file)]
    for text in item.config.getoption("--teecall-set"):
        words += ["--set", text]
    return shlex.join(words)
