# SPDX-License-Identifier: Apache-2.0
"""One run of a scenario from its folder to its report."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from harness.config.schema import Config
from harness.errors import InfraError, TeecallError
from harness.machine.follow import following
from harness.machine.machine import Machine
from harness.machine.rundir import RunDir
from harness.scenarios.report import Failure, Report, failure_of
from harness.scenarios.runner import Step, run_steps
from harness.scenarios.smoke import Smoke
from harness.ui import Ui
from harness.verdict import Check, Verdict

# Each is the module in this package that has the scenario's STEPS.
SCENARIOS: dict[str, str] = {"smoke": "smoke"}
_INTERRUPTED = 130


def steps_of(name: str) -> Sequence[Step[Smoke]]:
    """Return the steps of a scenario; its module is imported only now."""
    module = importlib.import_module(f"harness.scenarios.{SCENARIOS[name]}")
    steps: Sequence[Step[Smoke]] = module.STEPS
    return steps


# Where to look first when a check fails on a machine that lives.
_EVIDENCE = {
    "tsm": "tsm.log",
    "launch": "tsm.log",
    "steps": "events.json",
    "isolation": "events.json",
    "teardown": "tsm.log",
    "relaunch": "tsm.log",
}


@dataclass(frozen=True, slots=True)
class Session:
    """What a run is told beside its configuration.

    `ended` is called with every check as it ends, `line` with every line of the consoles
    (None: nobody follows them).
    """

    config: Config
    run: RunDir
    ui: Ui
    offline: bool
    ended: Callable[[Check], None]
    line: Callable[[str, str], None] | None = None


class _Witness:
    """Collects failures, with the machine's own evidence while there is a machine."""

    def __init__(self, session: Session, smoke: Smoke) -> None:
        self.checks: list[Check] = []
        self.failures: list[Failure] = []
        self.exit_code: int | None = None
        self._session = session
        self._smoke = smoke

    def ended(self, check: Check) -> None:
        """Keep and show the check."""
        self.checks.append(check)
        self._session.ended(check)

    def interrupted(self, seconds: float) -> None:
        """The user has ended the run."""
        self.ended(Check("run", Verdict.INFRA, "interrupted", seconds))
        self.exit_code = _INTERRUPTED

    def failed(self, name: str, error: TeecallError) -> None:
        """Keep the error; let a machine that died, hangs or is late tell why."""
        failure = failure_of(name, error)
        machine, artefacts = self._smoke.machine, self._smoke.artefacts
        died = error.verdict in (Verdict.CRASH, Verdict.HANG, Verdict.TIMEOUT)
        if died and machine is not None and artefacts is not None:
            from harness.machine.forensics import collect

            found = collect(machine, artefacts, f"{error.verdict}: {error.message}")
            failure = replace(failure, where=found.summary, evidence=found.report)
        elif machine is not None and not isinstance(error, InfraError):
            failure = replace(failure, evidence=machine.run.file(_EVIDENCE.get(name, "uart.log")))
        self.failures.append(failure)
        if isinstance(error, InfraError) or error.exit_code == 2:
            self.exit_code = self.exit_code or error.exit_code


def run_scenario(name: str, session: Session) -> Report:
    """Run a scenario and leave everything about it in the run's folder.

    Ctrl-C ends it early: nothing is left of the machine, the report says INFRA and exit code 130.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:

        def on_power(machine: Machine) -> None:
            if session.line is not None:
                stack.enter_context(following(machine, session.line))

        smoke = Smoke(session.config, session.run, session.ui, stack, session.offline, on_power)
        witness = _Witness(session, smoke)
        try:
            run_steps(steps_of(name), smoke, witness)
            _save_trace(smoke)
        except KeyboardInterrupt:
            witness.interrupted(time.monotonic() - started)
    report = _report(session, smoke, witness, time.monotonic() - started)
    session.run.write_json("run.json", report.for_run_folder())
    return report


def _save_trace(smoke: Smoke) -> None:
    """Write the records of the firmware; memory can be read although the machine is off."""
    if smoke.recorder is not None and smoke.machine is not None:
        trace = smoke.recorder.trace(smoke.machine.ram)
        smoke.run.write("events.json", trace.as_json())
        smoke.run.write("tsm.log", trace.log)


def _report(session: Session, smoke: Smoke, witness: _Witness, seconds: float) -> Report:
    report = Report(
        checks=tuple(witness.checks),
        duration_s=seconds,
        evidence_dir=session.run.path,
        metrics={name: round(value, 4) for name, value in smoke.metrics.items()},
        versions=smoke.versions,
        failures=tuple(witness.failures),
        extra={"seed": smoke.seed.hex(), "config": msgspec.to_builtins(session.config)},
    )
    return replace(report, exit_code=witness.exit_code or report.verdict.exit_code)
