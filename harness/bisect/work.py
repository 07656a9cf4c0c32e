# SPDX-License-Identifier: Apache-2.0
"""What is done for a trial beside a scenario, each in a process of its own."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Self

from harness.bisect.judge import ScriptRan
from harness.bisect.orphans import none_left
from harness.bisect.subject_build import BuiltCandidate, build
from harness.build.builder import build_all
from harness.build.share import VARIABLE
from harness.cells.cell import Cell, CellResult, spoilt, without_run
from harness.config.schema import Config
from harness.errors import CallerError, MachineError, TeecallError, own_error
from harness.machine.bare import bare_machine
from harness.machine.deadline import scaled
from harness.machine.machine import Machine
from harness.machine.rundir import new_run
from harness.scenarios.runner import CheckFailed
from harness.signature.judge import judge_death
from harness.signature.signature import signature_of
from harness.ui import QuietUi
from harness.verdict import Check, Verdict

_TAIL_LINES = 20
_TAIL_BYTES = 16 << 10
# Time that the last end of a pipe takes to close, in seconds.
_CLOSED_S = 5.0
# Of the beginning of what a script prints.
_LOG_BYTES = 16 << 20
_WAIT_S = 0.2
# What a build of chance is nicer by.
_PATIENT = 10


def build_candidate(
    config: Config,
    offline: bool,
    store: str | None,
    *,
    ahead: bool = False,
    at_once: int = 1,
) -> BuiltCandidate:
    """Build a candidate; see `subject_build.build`.

    Args:
        config: with the candidate's settings.
        offline: never touch the network.
        store: where artefacts are shared; None: not shared.
        ahead: nobody waits for it, so that this process gets what time others leave.
        at_once: how many builds of the same history go on at once.
    """
    if ahead:
        os.nice(_PATIENT)
    if store is not None:
        os.environ[VARIABLE] = store
    return build(config, QuietUi(), offline=offline, at_once=at_once)


@dataclass(frozen=True, slots=True)
class PayloadJob:
    """A payload in the host kernel's place, and what it has to say, or must not, on the UART."""

    cell: Cell
    payload: Path
    expect: str
    reject: str | None


def run_payload(job: PayloadJob) -> CellResult:
    """Run a payload until its line has come; what goes wrong is in the result."""
    started = time.monotonic()
    cell = job.cell
    log = b""
    try:
        run = new_run(cell.place)
        artefacts = build_all(cell.config, QuietUi(), offline=cell.offline)
        with bare_machine(cell.config, artefacts, job.payload, run) as machine:
            try:
                said = _wait_for(machine, job, cell.limit_s or cell.config.timeouts.stall_s)
            finally:
                log = machine.uart.read(0)
    except Exception as caught:
        seconds = time.monotonic() - started
        return _failed(cell, own_error(caught), log, seconds)
    seconds = time.monotonic() - started
    check = Check("payload", Verdict.PASS, said, seconds)
    started_at = time.time() - seconds
    return CellResult(
        cell, Verdict.PASS, 0, seconds, (check,), node=platform.node(), started=started_at
    )


def _wait_for(machine: Machine, job: PayloadJob, limit_s: float) -> str:
    """Wait for the line; raise CheckFailed when it cannot come any more, or another has come."""
    expect = re.compile(job.expect.encode(), re.MULTILINE)
    reject = re.compile(job.reject.encode(), re.MULTILINE) if job.reject else None
    deadline = scaled(f"the payload to say {job.expect}", limit_s)
    while True:
        ended: MachineError | None = None
        try:
            machine.check()
        except MachineError as error:
            ended = error
        said = machine.uart.read(0).replace(b"\r", b"")
        if reject is not None and (match := reject.search(said)):
            raise CheckFailed(f"the payload says {match[0].decode(errors='replace')}")
        if match := expect.search(said):
            return match[0].decode(errors="replace")
        if ended is not None:
            raise ended
        with machine.uart.news:
            machine.uart.news.wait(min(_WAIT_S, deadline.remaining()))
        deadline.check(machine.check_awake)


def _failed(cell: Cell, error: TeecallError, log: bytes, seconds: float) -> CellResult:
    verdict = error.verdict
    if isinstance(error, CallerError):
        return CellResult(cell, None, error.exit_code, seconds, error=error, node=platform.node())
    if verdict is None or verdict is Verdict.INFRA:
        return spoilt(cell, error, seconds)
    result = without_run(cell, error, verdict, seconds, "payload")
    died = judge_death(log)
    signature = died.signature if died else signature_of(result.checks)
    return replace(result, signature=signature)


@dataclass(frozen=True, slots=True)
class ScriptJob:
    """A script of the user's: its command, what it is told, its folder and time in seconds.

    `options` come before the settings: the `-c` files.
    """

    command: str
    candidate: str
    component: str
    settings: Sequence[str]
    folder: Path
    limit_s: float
    options: Sequence[str] = ()

    @property
    def environment(self) -> Mapping[str, str]:
        """What it finds in its environment beside ours.

        TEECALL_SETTINGS are the options with which `teecall smoke` and others run the candidate.
        """
        words = (word for setting in self.settings for word in ("--set", setting))
        options = [*self.options, *words]
        return {
            "TEECALL_CANDIDATE": self.candidate,
            "TEECALL_COMPONENT": self.component,
            "TEECALL_SETTINGS": shlex.join(options),
            "TEECALL_RUN_DIR": str(self.folder),
        }


def run_script(job: ScriptJob) -> ScriptRan:
    """Run a script in a session of its own; what it leaves running ends with it, and on ctrl-C.

    All that this process has started besides ends then too.

    Raises:
        InfraError: its output cannot be kept.
    """
    started = time.monotonic()
    new_run(job.folder)
    code: int | None = None
    # What is left behind ends before the log does, which waits for it.
    with (
        _Log(job.folder / "script.log") as log,
        none_left(),
        suppress(subprocess.TimeoutExpired),
    ):
        process = subprocess.Popen(
            ["/bin/sh", "-c", job.command],
            stdin=subprocess.DEVNULL,
            stdout=log.end,
            stderr=subprocess.STDOUT,
            env={**os.environ, **job.environment},
            start_new_session=True,
        )
        code = process.wait(job.limit_s)
    lines = log.last.decode(errors="replace").splitlines()
    tail = tuple(line for line in lines if line.strip())[-_TAIL_LINES:]
    return ScriptRan(code, tail, time.monotonic() - started)


class _Log:
    """What a script prints: the beginning and the end, as one that hangs may print without end.

    Args:
        path: the file for it.

    Attributes:
        end: where it is written to; when the last that has it open is gone, all is in the file.
        last: the last that was printed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._come, self.end = os.pipe()
        self.last = b""
        self._error: OSError | None = None
        self._reader = Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.end)
        # Who could not be ended may hold it open.
        self._reader.join(_CLOSED_S)
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        left = _LOG_BYTES
        with os.fdopen(self._come, "rb", buffering=0) as pipe:
            try:
                with self._path.open("wb") as file:
                    while data := pipe.read(_TAIL_BYTES):
                        file.write(data[:left])
                        left -= min(left, len(data))
                        self.last = (self.last + data)[-_TAIL_BYTES:]
                    if not left:
                        file.write(b"\n... and at the end:\n" + self.last)
            except OSError as error:
                # The script ends when nobody reads any more.
                self._error = error
