# SPDX-License-Identifier: Apache-2.0
"""One run of a scenario from its folder to its report."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import (
    CallerError,
    InfraError,
    OutputLost,
    TeecallError,
    interrupted_code,
    own_error,
)
from harness.machine.rundir import RunDir, tidy_beside
from harness.scenarios.runner import Step, run_steps
from harness.scenarios.smoke import Smoke
from harness.ui import Ui
from harness.verdict import Check, Verdict, worst

if TYPE_CHECKING:
    from harness.machine.machine import Machine
    from harness.scenarios.report import Failure, OwnCommit, Report
    from harness.signature.signature import Signature

# Each is the module in this package that has the scenario's STEPS.
SCENARIOS: dict[str, str] = {
    "attest": "attest",
    "audit": "audit",
    "beside-kvm": "beside_kvm",
    "conformance": "conformance",
    "containment": "containment",
    "covi": "covi",
    "domains": "domains",
    "interrupt-sweep": "sweep",
    "linux-devices": "linux_devices",
    "linux-tvm": "linux",
    "payload": "own_payload",
    "smoke": "smoke",
    "smp": "smp",
    "switch": "switch",
    "teardown-matrix": "teardown",
    "three-worlds": "worlds",
    "tsm-calls": "tsm_calls",
}


# The same without a dialogue, for runs that can be repeated to the instruction.
DETERMINISTIC: dict[str, str] = {"audit": "audit_scripted", "smoke": "scripted"}


def steps_of(name: str, deterministic: bool = False) -> Sequence[Step[Smoke]]:
    """Return the steps of a scenario; its module is imported only now."""
    found = DETERMINISTIC if deterministic else SCENARIOS
    module = importlib.import_module(f"harness.scenarios.{found[name]}")
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

    `ended` is called with every check as it ends, `line` with every line of the consoles (None:
    nobody follows them). `hold` is called with a machine that still runs when the first check has
    failed on it. A `deterministic` run has no dialogue with its machine. `seed` repeats an earlier
    run's secrets and nonces (None: chance). `arguments` are those of the `teecall` that asked for
    the run (None: this one).
    """

    config: Config
    run: RunDir
    ui: Ui
    offline: bool
    ended: Callable[[Check], None]
    line: Callable[[str, str], None] | None = None
    seed: bytes | None = None
    arguments: Sequence[str] | None = None
    hold: Callable[[Machine], None] | None = None
    deterministic: bool = False


class _Witness:
    """Collects failures, with the machine's own evidence while there is a machine."""

    def __init__(self, session: Session, smoke: Smoke) -> None:
        self.checks: list[Check] = []
        self.failures: list[Failure] = []
        self.error: CallerError | None = None
        self.exit_code = 0
        self.signature: Signature | None = None
        self.first = True
        self._session = session
        self._smoke = smoke

    def ended(self, check: Check) -> None:
        """Keep and show the check."""
        self.checks.append(check)
        self._session.ended(check)

    def interrupted(self, seconds: float, code: int) -> None:
        """The user has ended the run."""
        self.exit_code = code
        # After a hang-up there is nobody to tell.
        with contextlib.suppress(OutputLost):
            self.ended(Check("run", Verdict.INFRA, "interrupted", seconds))

    def broke(self, seconds: float, error: TeecallError) -> None:
        """The run itself, and not one of its checks, went wrong."""
        from harness.scenarios.report import failure_of

        self.failures.append(failure_of("run", error))
        with contextlib.suppress(OutputLost):
            self.ended(Check("run", Verdict.INFRA, error.message, seconds))

    def explained(self, error: TeecallError) -> TeecallError:
        """Return the machine's death when it has one: it explains whatever else is wrong."""
        machine = self._smoke.machine
        if machine is None or error.verdict not in (Verdict.FAIL, Verdict.HANG, Verdict.TIMEOUT):
            return error
        death = machine.death()
        if death is None:
            return error
        from harness.machine.machine import death_error

        cause = death_error(death)
        cause.details = (f"then: {error.message}",)
        return cause

    def failed(self, name: str, error: TeecallError) -> None:
        """Keep the error; let a machine that died, hangs or is late tell why."""
        from harness.scenarios.report import failure_of

        failure = failure_of(name, error)
        machine, artefacts = self._smoke.machine, self._smoke.artefacts
        died = error.verdict in (Verdict.CRASH, Verdict.HANG, Verdict.TIMEOUT)
        if died and machine is not None and artefacts is not None:
            check = Check(name, error.verdict or Verdict.INFRA, error.message, 0.0)
            failure, signature = told(failure, machine, artefacts, check)
            self.signature = self.signature or (None if self.failures else signature)
        elif machine is not None and not isinstance(error, InfraError):
            failure = replace(failure, evidence=machine.run.file(_EVIDENCE.get(name, "uart.log")))
        self.failures.append(failure)
        alive = machine is not None and machine.status is None
        if self._session.hold is not None and machine is not None and alive and self.first:
            self.first = False
            self._session.hold(machine)


def told(
    failure: Failure, machine: Machine, artefacts: Artefacts, check: Check
) -> tuple[Failure, Signature | None]:
    """Add what the machine still tells; the failure stands also when it tells nothing."""
    from harness.machine.forensics import Symbolizer, collect
    from harness.signature.judge import judge_run

    try:
        found = collect(machine, artefacts, f"{check.verdict}: {failure.message}")
        describe = Symbolizer(artefacts).describe
        judged = judge_run([check], machine.uart_log(), found.counters, describe)
    except Exception as error:
        lost = f"no forensics: {own_error(error).message}"
        return replace(failure, details=(*failure.details, lost)), None
    # Of the TSM's death its backtrace says the same and more; where the harts are after another
    # death, when all is over, explains nothing.
    of_tsm = any(line.startswith("#") for line in found.summary)
    told = replace(
        failure,
        where=found.summary if of_tsm or not judged.where else judged.where,
        evidence=found.report,
        block=judged.block,
        block_line=judged.first_line,
    )
    return told, judged.signature


def run_scenario(name: str, session: Session) -> Report:
    """Run a scenario and leave everything about it in the run's folder.

    Ctrl-C and SIGTERM end it early: nothing is left of the machine, the report says INFRA and has
    the exit code of the signal. An error of the caller's ends it without a verdict.
    """
    started = time.monotonic()
    commits: list[OwnCommit] = []
    with contextlib.ExitStack() as stack:

        def on_power(machine: Machine) -> None:
            # What is needed behind the last check is asked for while the machine boots.
            from harness.scenarios.report import OwnCommit

            commits.append(OwnCommit())
            if machine.run.stopped:
                from harness.machine.debugport import await_debugger

                await_debugger(machine.monitor)
            tidy_beside(session.run)
            if session.line is not None:
                from harness.machine.follow import following

                stack.enter_context(following(machine, session.line))

        smoke = Smoke(session.config, session.run, session.ui, stack, session.offline, on_power)
        if session.seed is not None:
            smoke.seed = session.seed
        witness = _Witness(session, smoke)
        try:
            run_steps(steps_of(name, session.deterministic), smoke, witness)
            _save_trace(smoke)
        except KeyboardInterrupt as error:
            witness.interrupted(time.monotonic() - started, interrupted_code(error))
        except CallerError as error:
            witness.error = error
        except Exception as error:
            witness.broke(time.monotonic() - started, own_error(error))
    commit = commits[0] if commits else None
    report = _report(name, session, smoke, witness, time.monotonic() - started, commit)
    session.run.write_json("run.json", report.for_run_folder())
    if report.verdict is Verdict.PASS:
        # command.txt says how it is made again.
        session.run.drop("initrd.cpio")
    return report


def _save_trace(smoke: Smoke) -> None:
    """Write the records of the firmware; memory can be read although the machine is off."""
    if smoke.recorder is not None and smoke.machine is not None:
        trace = smoke.recorder.trace(smoke.machine.ram)
        smoke.run.write("events.json", trace.as_json())
        smoke.run.write("tsm.log", trace.log)
        if trace.second_log is not None:
            smoke.run.write("tsm2.log", trace.second_log)


def _report(
    name: str,
    session: Session,
    smoke: Smoke,
    witness: _Witness,
    seconds: float,
    commit: OwnCommit | None,
) -> Report:
    from harness.scenarios.report import Report, provenance
    from harness.signature.signature import signature_of

    started = time.time() - seconds
    report = Report(
        checks=tuple(witness.checks),
        duration_s=seconds,
        evidence_dir=session.run.path,
        metrics={name: round(value, 4) for name, value in smoke.metrics.items()},
        versions=smoke.versions,
        artefacts=dict(smoke.keys),
        failures=tuple(witness.failures),
        extra={
            **provenance(started, session.arguments, commit),
            "scenario": name,
            "deterministic": session.deterministic,
            "seed": smoke.seed.hex(),
            "images": _images(smoke.artefacts),
            "config": msgspec.to_builtins(session.config),
        },
        error=witness.error,
        signature=witness.signature or signature_of(witness.checks),
        started=started,
    )
    return replace(report, exit_code=witness.exit_code or _exit_code(report))


def _images(artefacts: Artefacts | None) -> list[str]:
    """Return the ELF files that name the addresses in the run's logs."""
    if artefacts is None:
        return []
    files = (artefacts.opensbi_elf, *artefacts.tsm_elfs, artefacts.vmlinux)
    return [str(file) for file in files if file is not None]


def _exit_code(report: Report) -> int:
    if report.error is not None:
        return report.error.exit_code
    return worst(check.verdict for check in report.checks).exit_code
