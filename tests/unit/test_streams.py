# SPDX-License-Identifier: Apache-2.0
"""The command's streams when they are closed, full, or not UTF-8; and its signals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import _streams
from harness.errors import Interrupted, OutputLost

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "harness", "config", "explain", "console.mode"]
# What an interpreter says about an error that nobody has caught.
UNCAUGHT = ("Traceback", "Exception ignored")


def run(redirection: str, command: str = "config explain console.mode") -> tuple[int, str]:
    """Run the command under a shell's redirection; return exit code and stderr."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m harness {command} {redirection}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not any(word in done.stderr for word in UNCAUGHT), done.stderr
    return done.returncode, done.stderr


@pytest.mark.parametrize("redirection", [">/dev/full", "| exec 0<&-; exit ${PIPESTATUS[0]}"])
def test_result_that_cannot_be_written_is_infra(redirection: str) -> None:
    code, told = run(redirection)
    assert code == 99
    assert told.count("error:") == 1
    assert "cannot write the result to stdout" in told


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_streams_that_nobody_wants_cost_nothing(redirection: str) -> None:
    assert run(redirection)[0] == 0


def test_errors_keep_their_code_without_stderr() -> None:
    for redirection in ("2>&-", "2>/dev/full"):
        assert run(redirection, "config explain no.such.key")[0] == 2


def test_paths_need_not_be_ascii(tmp_path: Path) -> None:
    config = tmp_path / "ché.yaml"
    config.write_text("host: {cmdline: é}\n", encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [*COMMAND[:-1], "host.cmdline", "-c", str(config)],
        cwd=ROOT,
        env={**os.environ, **plain},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ché.yaml" in done.stdout.decode()


def test_deleted_working_directory(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    program = f"import os; os.mkdir({gone!r}); os.chdir({gone!r}); os.rmdir({gone!r});"
    program += f"import sys; sys.path.insert(0, {str(ROOT)!r}); from harness.cli.main import run;"

    def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", f"{program} sys.exit(run({list(arguments)!r}))"]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended("config", "show", "--set", "console.mode=serial").returncode == 0
    done = ended("config", "show", "--set", "opensbi.source=path:../x")
    assert done.returncode == 2
    assert "the working directory is deleted" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_with_their_code_and_clean_up(number: signal.Signals, tmp_path: Path) -> None:
    # A QEMU that does not answer keeps the command in the middle of its work.
    fake = tmp_path / "qemu"
    started = tmp_path / "started"
    os.mkfifo(started)
    fake.write_text(f"#!/bin/sh\necho >{started}\nexec sleep 60\n")
    fake.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "doctor", "--set", f"qemu.binary={fake}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    started.read_text()
    process.send_signal(number)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert told.strip() == "interrupted"


def test_ignored_hangup_stays_ignored() -> None:
    program = "import signal; from harness.cli import main; main._listen_to_signals();"
    program += "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    command = ["nohup", sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.fixture
def closed_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[_streams._Result]:
    """Standard output on a terminal that is closed, and whose SIGHUP has not come yet."""
    ours, theirs = pty.openpty()
    monkeypatch.setattr(_streams, "_hung_up", False)
    stream = _streams._Result(os.fdopen(theirs, "wb"), encoding="utf-8", line_buffering=True)
    stream.terminal = stream.isatty()
    os.close(ours)
    before = signal.getsignal(signal.SIGHUP)
    yield stream
    signal.signal(signal.SIGHUP, before)


def test_hangup_outranks_the_lost_output(closed_terminal: _streams._Result) -> None:
    def end(number: int, _: object) -> None:
        raise Interrupted(number)

    signal.signal(signal.SIGHUP, end)
    sender = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGHUP))
    sender.start()
    with pytest.raises(Interrupted):
        closed_terminal.write("result\n")
    sender.join()


def test_output_is_not_missed_after_a_hangup(closed_terminal: _streams._Result) -> None:
    _streams.hang_up()
    closed_terminal.write("result\n")


def test_terminal_without_hangup_is_lost_output(
    closed_terminal: _streams._Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("nohup: no signal comes"))
    with pytest.raises(OutputLost):
        closed_terminal.write("result\n")
