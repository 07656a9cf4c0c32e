# SPDX-License-Identifier: Apache-2.0
"""What a person sees: the machine's UART on a terminal, progress, colours, commands in logs."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.config.schema import Config, Timeouts
from harness.errors import MachineHang, UsageError
from harness.machine import terminal
from harness.machine.deadline import Deadline
from harness.machine.machine import Machine
from harness.machine.streams import Drain, with_notes
from harness.machine.terminal import Unasked, interact, require_input
from harness.ui import LiveUi, PlainUi, brief, choose, styled


class Host:
    """The far end of a UART: a shell that says a prompt and does as it is told."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.drain = Drain()
        self.uart = self.drain.add("uart", self.near)
        self.drain.start()
        self.typed: list[bytes] = []
        self.early = b""
        self.config = Config(timeouts=Timeouts(boot_s=5, stall_s=5, command_s=1))

    def serve(self) -> None:
        """Answer each line as busybox does, its question for the cursor included."""
        self.far.sendall(b"\r\n~ # \x1b[6")
        self.far.setblocking(False)
        try:
            self.early = self.far.recv(4096)
        except BlockingIOError:
            self.early = b""
        self.far.setblocking(True)
        self.far.sendall(b"n")
        with self.far.makefile("rb") as lines:
            for line in lines:
                self.typed.append(line)
                self.far.sendall(line[:-1] + b"\r\n")
                if line.startswith(b"poweroff"):
                    break
                self.far.sendall(b"done " + line + b"~ # \x1b[6n")
        self.far.close()

    def check(self) -> None:
        """Nothing ever goes wrong here."""

    def said(self) -> int:
        """As of a machine."""
        return self.drain.total

    def wait_off(self, deadline: Deadline) -> int:
        """As of a machine."""
        while not self.uart.closed:
            with self.uart.news:
                self.uart.news.wait(0.01)
            deadline.check()
        return 0


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.far.close()
    made.drain.finish()
    made.near.close()


def play(host: Host, script: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Run `interact` with a script on standard input; return what was shown."""
    read, write = os.pipe()
    os.write(write, script)
    os.close(write)
    shown = io.BytesIO()
    with os.fdopen(read, "rb") as source:
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=shown))
        interact(cast(Machine, host))
    return shown.getvalue()


def test_script_is_typed_after_the_prompt_and_ends_the_machine(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    threading.Thread(target=host.serve, daemon=True).start()
    shown = play(host, b"one\ntwo", monkeypatch)
    assert host.early == b""
    assert host.typed == [b"one\n", b"two\n", b"poweroff -f\n"]
    assert shown.endswith(b"~ # two\r\ndone two\n~ # poweroff -f\r\n")


def test_shell_that_is_offered_is_started(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bytes] = []

    def offer() -> None:
        host.far.sendall(b"noise\r\nteecall: press Enter ")
        host.far.sendall(b"for a shell\r\n")
        answers.append(host.far.recv(4096))
        host.serve()

    threading.Thread(target=offer, daemon=True).start()
    play(host, b"one\n", monkeypatch)
    assert answers == [b"\n"]
    assert host.typed == [b"one\n", b"poweroff -f\n"]


def test_empty_script_ends_the_machine(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    threading.Thread(target=host.serve, daemon=True).start()
    play(host, b"", monkeypatch)
    assert host.typed == [b"poweroff -f\n"]


def test_program_that_gives_no_prompt_gets_the_next_line(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_NO_PROMPT_S", 0.01)
    host.far.sendall(b"~ # ")
    with pytest.raises(MachineHang, match="end of the script") as caught:
        play(host, b"cat\nhello\n", monkeypatch)
    assert host.far.recv(4096) == b"cat\nhello\npoweroff -f\n"
    assert caught.value.exit_code == 1


def test_question_for_the_cursor_is_not_shown_however_it_is_cut() -> None:
    said = b"~ # \x1b[6necho \x1b[1mx\x1b[6\n\x1b[6n\x1b"
    for cut in range(1, len(said)):
        unasked = Unasked()
        shown = unasked.feed(said[:cut]) + unasked.feed(said[cut:]) + unasked.rest()
        assert shown == said.replace(b"\x1b[6n", b"")


def test_closed_input_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input is closed"):
        require_input()


def test_notes_stand_where_they_were_made() -> None:
    assert with_notes(b"a\nb\n", 10, [(12, "$ x"), (14, "$ y")]) == b"a\n$ x\nb\n$ y\n"
    assert with_notes(b"ab", 0, [(1, "$ x")]) == b"a\n$ x\nb"
    assert with_notes(b"", 5, [(5, "$ x")]) == b"$ x\n"
    assert with_notes(b"ab\n", 0, []) == b"ab\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "")])
def test_no_escapes_where_they_are_not_wanted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" in styled("PASS", fg="green")
    assert isinstance(choose(), LiveUi)
    monkeypatch.setenv(name, value)
    assert styled("PASS", fg="green", bold=True) == "PASS"
    assert isinstance(choose(), PlainUi)


def test_live_table_leaves_no_row_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    live = LiveUi()
    live.start("kernel", "fetching")
    live.close()
    rows: Any = live._table().rows
    assert not rows
    live.close()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "/x/riscv64-linux-gnu-gcc -O2 -Wall -o /w/o/hart.o -c /w/tsm/arch/hart.c",
            "gcc arch/hart.c",
        ),
        ("riscv64-linux-gnu-ld -T tsm.ld -o /w/output/tsm.elf a.o", "ld output/tsm.elf"),
        (" CC        lib/sbi/sbi_init.o", "CC lib/sbi/sbi_init.o"),
        ("make[1]: Entering directory '/w'", "make[1]: Entering directory '/w'"),
        ("", ""),
    ],
)
def test_progress_names_the_file(line: str, shown: str) -> None:
    assert brief(line) == shown


def test_help_of_run_lists_the_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli.main import run
    from harness.scenarios.session import SCENARIOS

    assert run(["run", "--help"]) == 0
    told = capsys.readouterr().out
    for name in SCENARIOS:
        assert f"\n  {name} " in told


def test_header_of_scripts_test_is_its_help() -> None:
    import subprocess

    script = Path(__file__).parents[2] / "scripts" / "test"
    done = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0
    assert "tests/unit" in done.stdout
