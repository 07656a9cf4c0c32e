# SPDX-License-Identifier: Apache-2.0
"""A shell behind a console: commands with exact output and exit status.

The same protocol runs on both channels. On the virtio port nothing else is said. On the UART
the kernel talks in between, so its messages are taken out of what a command printed, and a
shell is used that neither echoes nor edits lines.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pexpect
from pexpect.spawnbase import SpawnBase

from harness.errors import InfraError, MachineCrash, UsageError
from harness.machine import frames
from harness.machine.deadline import Deadline, scaled
from harness.machine.deaths import clean
from harness.machine.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    _Spawn = SpawnBase[bytes]
else:
    _Spawn = SpawnBase

# A terminal in canonical mode takes no longer line.
_LONGEST_LINE = 4000
# pexpect searches only this much of the end of what has arrived, since output may be megabytes.
# One read is shorter than that by more than a marker, so that none falls between two searches.
_SEARCH_WINDOW = 8192
_LONGEST_READ = _SEARCH_WINDOW - 256
# The port keeps what is sent until the guest opens it; a UART loses it, so ask again soon.
_PROBE_FIRST_S = {False: 1.0, True: 0.02}
_PROBE_LAST_S = 1.0
# On the UART the answer to a request may be lost in noise: after this silence it is sent again.
_REPEAT_S = 2.0
# As often a range of an output is asked for that does not get shorter.
_MOST_ASKED = 20
# A sign on the UART that a shell is there or comes at once: our init's line, or a prompt.
_SHELL_SIGN = rb"teecall: host ready|(?:^|\n)[^\n]{0,40}[#$] \Z"
# The kernel's own messages: with its default log level and `printk.time`, each is one line.
_KERNEL_MESSAGE = re.compile(rb"\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? [^\n]*\n")
# What may be the beginning of one, at the end of what has arrived so far.
_KERNEL_BEGINNING = re.compile(rb"\[(?: *\d*|(?: *\d+\.\d*)|(?: *\d+\.\d{6}\][^\n]*))\Z")
_UNFINISHED_ESCAPE = re.compile(rb"\x1b(?:\[[0-9;?]*)?\Z")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command in the guest did.

    `output` has stdout and stderr as the command wrote them, as text; `raw` the very bytes.
    """

    command: str
    status: int
    output: str
    raw: bytes = b""

    @property
    def ok(self) -> bool:
        """True when the exit status is 0."""
        return self.status == 0


class Life(Protocol):
    """What a wait has to keep an eye on: the machine."""

    def check(self) -> None:
        """Raise the error that says how the machine died, if it did."""

    def said(self) -> int:
        """Bytes that the machine has said so far on all its consoles."""

    def check_awake(self) -> bool:
        """Tell whether a debugger keeps the machine from answering.

        Raises:
            InfraError: somebody has stopped it in another way.
        """


class _StreamSpawn(_Spawn):
    """pexpect on a stream that is already in memory.

    Every read also looks after the machine, so that a death ends a wait at once.
    """

    def __init__(self, stream: Stream, life: Life, settle: Callable[[bytes], tuple[bytes, bytes]]):
        super().__init__(maxread=_LONGEST_READ, searchwindowsize=_SEARCH_WINDOW)
        self.delaybeforesend = None
        self.delayafterread = None
        self.deadline: Deadline | None = None
        self._stream = stream
        self._life = life
        self._settle = settle
        self._position = 0
        self._unsettled = b""
        self._ready = b""

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> bytes:
        """Return at most `size` bytes of text that have arrived, or wait for some."""
        assert self.deadline is not None
        end = self.deadline.clock() + (timeout or 0.0)
        while True:
            seen = self._life.said()
            closed = self._stream.closed
            self._take()
            self.deadline.progress(seen)
            self._life.check()
            if self._ready:
                text, self._ready = self._ready[:size], self._ready[size:]
                return text
            if closed:
                raise MachineCrash(f"console {self._stream.name} was closed by QEMU")
            self._wait_for_news(seen, end - self.deadline.clock())

    def _take(self) -> None:
        """Take over what has arrived, as far as it is settled."""
        new = self._stream.read(self._position)
        self._position += len(new)
        if new:
            text, self._unsettled = self._settle(self._unsettled + new)
            self._ready += text

    def _wait_for_news(self, seen: int, seconds: float) -> None:
        """Wait until somebody says something or `seconds` are over."""
        if seconds <= 0:
            raise pexpect.TIMEOUT("nothing arrived")
        with self._stream.news:
            if self._life.said() == seen and not self._stream.closed:
                self._stream.news.wait(seconds)


def settle_port(data: bytes) -> tuple[bytes, bytes]:
    """Split what arrived on the port into text and rest: it is all text."""
    return data, b""


def settle_serial(data: bytes) -> tuple[bytes, bytes]:
    """Split what arrived on the UART into settled text and a rest that may still change.

    Kernel messages are removed wherever they are, also inside a line of somebody else. The rest
    is what could be the beginning of one, or of an escape sequence.
    """
    escape = _UNFINISHED_ESCAPE.search(data)
    rest = data[escape.start() :] if escape else b""
    text = _KERNEL_MESSAGE.sub(b"", clean(data[: len(data) - len(rest)]))
    beginning = _KERNEL_BEGINNING.search(text)
    if beginning is None:
        return text, rest
    return text[: beginning.start()], text[beginning.start() :] + rest


class Console:
    """The shell of the host behind one stream.

    Args:
        stream: where it talks.
        life: the machine, watched during every wait.
        serial: the stream is the UART, shared with the kernel and a terminal.
        command_s: default seconds of silence after which a command hangs.
    """

    def __init__(self, stream: Stream, life: Life, *, serial: bool, command_s: float) -> None:
        self.serial = serial
        self._stream = stream
        self._life = life
        self._command_s = command_s
        self.framed = False
        self._running = ""
        self._spawn = _StreamSpawn(stream, life, settle_serial if serial else settle_port)

    def connect(self, deadline: Deadline) -> None:
        """Probe until the shell answers: what is sent before it listens is lost.

        Raises:
            MachineCrash, MachineHang, DeadlineExceeded: it never did.
        """
        if self.serial:
            self._wait_for_sign(deadline)
        self._probe(deadline)
        if not self.serial:
            return
        # Off with echo and line editing: a shell that reads a file does neither. The
        # kernel keeps the console for what is at least an error. The trap lets Ctrl-C end the
        # command and not the shell.
        self._type(
            "stty -echo; dmesg -n 4; [ -x /bin/tvm ] && tvm agent;"
            " exec sh -c 'trap : INT; . /dev/tty'"
        )
        self._probe(deadline)

    def run(self, command: str, timeout: float | None = None) -> CommandResult:
        """Run a shell command and return its output and exit status.

        Args:
            command: for the host's `sh`; of any length where the agent runs there.
            timeout: seconds of silence after which it hangs (scaled by the workstation's
                speed; four times that is the limit for one that keeps talking).

        Raises:
            UsageError: there is no agent, and the command does not fit in a line.
            InfraError: the output did not arrive whole, however often it was asked for.
            MachineCrash, MachineHang, DeadlineExceeded: the machine died or does not answer.
        """
        deadline = scaled(f"command `{_short(command)}`", timeout or self._command_s)
        name = secrets.token_hex(4)
        line = self._request(name, command)
        self._stream.note(f"$ {command}")
        self._running = name
        self._stream.send(line)
        try:
            seal, output = self._answer(name, line, deadline)
            if not seal.fits(output):
                output = self._recovered(name, seal, deadline)
        except MachineCrash:
            raise
        except BaseException:
            self._interrupt()
            raise
        return CommandResult(command, seal.status, output.decode(errors="replace"), output)

    def _request(self, name: str, command: str) -> bytes:
        """Return what is sent to have a command run."""
        if self.framed:
            return frames.request(name, command.encode(errors="surrogateescape"))
        line = (
            f"printf '%s%s\\n' 'TEE' 'BEGIN-{name}'; {{ {command}; }} 2>&1; "
            f"printf '\\n%s%s %d\\n' 'TEE' 'CALL-{name}' $?"
        )
        if len(line) > _LONGEST_LINE or "\n" in command:
            raise UsageError(
                "a command for the host is one line of at most 3900 bytes",
                "put a script into the initramfs, or `tvm` into /bin: it has the agent",
            )
        return line.encode() + b"\n"

    def _answer(self, name: str, line: bytes, deadline: Deadline) -> tuple[frames.Seal, bytes]:
        """Wait for the end of a command; return how it ended and what arrived of its output."""
        key = name.encode()
        end = frames.END % key
        if not self.framed:
            self._expect(re.escape(frames.BEGIN % key), deadline)
            return frames.Seal.from_match(self._expect(end, deadline)), self._spawn.before or b""
        answers = b"(?:%s)|(?:%s)" % (end, frames.REFUSED % key)
        # The agent runs a request that comes twice once.
        repeat = (lambda: self._stream.send(line)) if self.serial else None
        while True:
            match = self._expect(answers, deadline, repeat)
            if match["status"] is not None:
                break
            self._stream.send(line)
        output = self._spawn.before or b""
        return frames.Seal.from_match(match), output.rpartition(frames.BEGIN % key)[2]

    def _recovered(self, name: str, seal: frames.Seal, deadline: Deadline) -> bytes:
        """Ask the agent for an output until every byte of it is there."""
        assert seal.length is not None
        recovery = frames.Recovery(name, seal.length)
        asked, last = 0, None
        while missing := recovery.missing():
            asked = asked + 1 if missing == last else 0
            if asked == _MOST_ASKED:
                raise InfraError(
                    f"bytes {missing[0]} to {missing[1]} of a command's output do not arrive",
                    "see uart.log for what is in between; console.mode=port has no noise",
                )
            line, last = frames.ask(name, *missing), missing
            self._stream.send(line)
            again = (lambda line=line: self._stream.send(line)) if self.serial else None
            self._expect(frames.END % name.encode(), deadline, again)
            recovery.feed(self._spawn.before or b"")
        output = recovery.output()
        if not seal.fits(output):
            raise InfraError("a command's output is not what the host says it is")
        return output

    def send(self, line: str) -> None:
        """Have a command run, without waiting for what it does."""
        if self.framed:
            self._stream.send(frames.request(secrets.token_hex(4), line.encode()))
        else:
            self._type(line)

    def _type(self, line: str) -> None:
        """Type a line to whatever reads there."""
        self._stream.send(line.encode() + b"\n")

    def _interrupt(self) -> None:
        """Stop a command that is given up, so that the next one finds a shell."""
        if self.framed:
            self._stream.send(frames.interrupt(self._running))
        elif self.serial:
            self._stream.send(b"\x03")

    def _wait_for_sign(self, deadline: Deadline) -> None:
        """Wait for a sign of a shell, or for a silence in which asking costs nothing."""
        self._spawn.deadline = deadline
        said = -1
        while said != self._stream.end:
            said = self._stream.end
            try:
                pause = min(_PROBE_LAST_S, deadline.remaining())
                self._spawn.expect([_SHELL_SIGN], timeout=pause)
                return
            except pexpect.TIMEOUT:
                deadline.check(self._life.check_awake)

    def _probe(self, deadline: Deadline) -> None:
        self._spawn.deadline = deadline
        pause = _PROBE_FIRST_S[self.serial]
        while True:
            name = secrets.token_hex(4)
            # The backslash keeps an echo from looking like the answer. There is no quote in the
            # line: of one whose beginning is lost, a quote would swallow all that follows. The line
            # feed ends what an earlier loss has left behind.
            self._type(f"\necho TEE\\READY-{name}")
            try:
                timeout = min(pause, deadline.remaining())
                answer = rb"TEE(READY|AGENT)-%s\n" % name.encode()
                self._spawn.expect([answer], timeout=timeout)
                self.framed = self._matched()[1] == b"AGENT"
                return
            except pexpect.TIMEOUT:
                deadline.check(self._life.check_awake)
            pause = min(_PROBE_LAST_S, pause * 2)

    def _expect(
        self, pattern: bytes, deadline: Deadline, repeat: Callable[[], None] | None = None
    ) -> re.Match[bytes]:
        """Wait for `pattern` as long as the deadline allows; it moves while there is progress.

        Args:
            pattern: regular expression.
            deadline: what runs out.
            repeat: is called whenever nothing was heard for a while, to ask once more.
        """
        self._spawn.deadline = deadline
        while True:
            said, wait = self._stream.end, deadline.remaining()
            try:
                self._spawn.expect(pattern, timeout=min(wait, _REPEAT_S) if repeat else wait)
                return self._matched()
            except pexpect.TIMEOUT:
                deadline.check(self._life.check_awake)
                if repeat is not None and said == self._stream.end:
                    repeat()

    def _matched(self) -> re.Match[bytes]:
        match = self._spawn.match
        assert isinstance(match, re.Match)
        return match


def _short(command: str) -> str:
    return command if len(command) <= 60 else command[:57] + "..."
