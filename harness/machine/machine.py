# SPDX-License-Identifier: Apache-2.0
"""One QEMU, from its start to the moment when nothing of it is left."""

from __future__ import annotations

import contextlib
import shlex
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from harness.config.schema import Config
from harness.errors import InfraError, MachineCrash, MachineError, MachineHang, TeecallError
from harness.machine.argv import (
    BootFiles,
    inherited_wiring,
    printable,
    qemu_argv,
    terminal_wiring,
)
from harness.machine.debugport import DebugPort, held_by_debugger
from harness.machine.monitor import Monitor
from harness.machine.pipe import UartPipes
from harness.machine.process import Qemu
from harness.machine.ram import GuestRam
from harness.machine.rundir import RunDir
from harness.machine.streams import Drain, Stream, with_notes

if TYPE_CHECKING:
    from harness.machine.deadline import Deadline
    from harness.machine.deaths import Death, DeathWatch

_MIB = 1 << 20
# After the consoles are closed QEMU is all but gone; its status follows at once.
_LAST_BREATH_S = 2.0
# What a program brings on itself; other signals somebody else has sent.
_OWN_FAULTS = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP", "SIGSYS"})
# A dying kernel or firmware needs a moment to print why.
_LAST_WORDS_S = 0.15


@dataclass(frozen=True, slots=True)
class Machine:
    """A running machine.

    Use `start_machine`, which ends it too.
    """

    config: Config
    files: BootFiles
    run: RunDir
    ram: GuestRam
    monitor: Monitor
    uart: Stream
    shell: Stream | None
    _qemu: Qemu
    _drain: Drain
    _deaths: DeathWatch

    @property
    def pid(self) -> int:
        """Process id of QEMU."""
        return self._qemu.pid

    @property
    def status(self) -> int | None:
        """QEMU's exit status (negative: the signal that killed it), None while it runs."""
        return self._qemu.status

    def said(self) -> int:
        """Return the bytes that the machine has said so far on all its consoles."""
        return self._drain.total

    def check(self) -> None:
        """Raise the error that says how the machine died, if it did.

        Raises:
            MachineCrash: firmware, TSM or kernel said so on the UART, or the machine went off.
            MachineHang: firmware or kernel said that something does not go on.
            InfraError: QEMU was killed or is stopped from outside, or ended by itself with an
                error.
        """
        self._check_uart()
        if self._drain.any_closed:
            status = self._qemu.wait(_LAST_BREATH_S)
            self._check_uart(all_of_it=True)
            raise self._ended(status)

    @contextlib.contextmanager
    def allow(self, *components: str, from_power_on: bool = False) -> Iterator[list[Death]]:
        """Let components die inside the `with` block: `check` does not raise for it.

        For scenarios in which a part dies on purpose and the rest has to live on. The log says
        where this was so, for whoever reads it later.

        Args:
            components: opensbi, tsm, linux, tvm or qemu.
            from_power_on: the block begins with the first byte on the UART, however much has come
                already, so that the log of a boot that repeats another is the same.

        Returns:
            The list that takes the deaths that `check` and the end of the block find.
        """
        from harness.machine.deaths import COMPONENTS, expectation

        unknown = set(components) - COMPONENTS
        if unknown or not components:
            raise ValueError(f"allow() takes components of {sorted(COMPONENTS)}, not {components}")
        watch, before = self._deaths, self._deaths.allowed
        # What was said before the block is judged as it was then.
        if not from_power_on:
            self._check_uart()
        found = len(watch.expected)
        deaths: list[Death] = []
        watch.allowed = before | frozenset(components)
        self.uart.note(expectation(watch.allowed), 0 if from_power_on else None)
        try:
            yield deaths
        finally:
            # What was said in the block is judged as in the block, also when it ends by an error.
            self.death()
            watch.allowed = before
            self.uart.note(expectation(before))
            deaths[:] = watch.expected[found:]
        self._check_uart()

    @property
    def maimed(self) -> bool:
        """Whether a part of it has died so far, expected or not."""
        return bool(self._deaths.death or self._deaths.expected)

    def death(self) -> Death | None:
        """Return the unexpected death that the machine has told of so far, if any."""
        new = self.uart.read(self._deaths.position)
        return self._deaths.feed(new)

    def uart_log(self) -> bytes:
        """Return what uart.log is: all that was said, with the lines of the harness's own."""
        said = self.uart.all()
        if said is None:
            return self.run.file("uart.log").read_bytes()
        return with_notes(said, 0, self.uart.notes)

    def check_awake(self) -> bool:
        """Tell whether a silence is a debugger's doing, so that its time does not count.

        Raises:
            InfraError: QEMU is stopped, so that a silence says nothing about the machine.
        """
        self._check_stopped()
        return self.status is None and held_by_debugger(self.monitor)

    def _check_stopped(self) -> None:
        if self._qemu.stopped:
            raise InfraError(
                f"QEMU (process {self.pid}) was stopped from outside",
                "something sent it SIGSTOP or debugs it; run again",
            )

    def wait_off(self, deadline: Deadline) -> int:
        """Wait until QEMU has ended by itself and return its status.

        Raises:
            MachineCrash, MachineHang, DeadlineExceeded: it did not.
        """
        while not self.uart.closed:
            with self._drain.news:
                if not self.uart.closed:
                    self._drain.news.wait(deadline.remaining())
            deadline.progress(self.said())
            self._check_uart()
            if not self.uart.closed:
                deadline.check(self.check_awake)
        status = self._qemu.wait(_LAST_BREATH_S)
        if status:
            raise self._ended(status)
        return 0

    def connect_monitor(self) -> None:
        """Connect to QEMU's monitor now; otherwise its first use does.

        Raises:
            InfraError: QEMU did not come up; its own messages are in the details.
        """
        with self._monitored():
            self.monitor.connect()

    @contextlib.contextmanager
    def _monitored(self) -> Iterator[None]:
        """Let the end of QEMU, where there is one, explain why its monitor does not answer."""
        try:
            yield
        except InfraError:
            self._check_stopped()
            if self._qemu.wait(_LAST_BREATH_S) is not None:
                self.uart.wait_closed(_LAST_BREATH_S)
                self.check()
            raise

    @contextlib.contextmanager
    def interrupt_log(self) -> Iterator[None]:
        """Let QEMU log every trap to interrupts.log inside the `with` block."""
        with self._monitored():
            self.monitor.human("log int")
        try:
            yield
        finally:
            # A machine that has died inside has said so by another error.
            with contextlib.suppress(InfraError):
                self.monitor.human("log none")

    def last_words(self) -> None:
        """Give a dying machine the time to print why, as long as it keeps printing."""
        for _ in range(10):
            before = self.said()
            with self._drain.news:
                self._drain.news.wait(_LAST_WORDS_S)
            if self.said() == before:
                return

    def _check_uart(self, *, all_of_it: bool = False) -> None:
        new = self.uart.read(self._deaths.position)
        death = self._deaths.feed(new + (b"\n" if all_of_it else b""))
        if death is not None:
            raise death_error(death)

    def _ended(self, status: int | None) -> TeecallError:
        if status is None:
            return InfraError("QEMU closed its consoles but still runs")
        messages = self.stderr_tail()
        if status < 0:
            name = signal.Signals(-status).name
            if name in _OWN_FAULTS:
                return MachineCrash(f"QEMU crashed: {name}", details=messages)
            return InfraError(f"QEMU was killed by {name}", "run again", details=messages)
        if status > 0:
            return InfraError(
                f"QEMU ended with status {status}", "see qemu.stderr", details=messages
            )
        return MachineCrash("the machine switched itself off", details=messages)

    def stderr_tail(self) -> list[str]:
        """Return the last lines QEMU wrote on stderr."""
        with contextlib.suppress(OSError):
            text = self.run.file("qemu.stderr").read_text(errors="replace")
            return text.splitlines()[-5:]
        return []

    def stop(self) -> int:
        """End QEMU with the ladder QMP quit, SIGTERM, SIGKILL; return its status."""
        return self._qemu.stop(self.monitor.quit)

    def kill(self) -> None:
        """End QEMU at once."""
        self._qemu.kill()


def death_error(death: Death) -> MachineError:
    """Return the error for what a machine has told of its end: a hang, or else a crash."""
    kind = MachineHang if death.is_hang else MachineCrash
    return kind(f"{death.kind}: {death.line}")


class _Wires:
    """Socket pairs between QEMU and this process; QEMU's ends are closed here once it runs."""

    def __init__(self, names: tuple[str, ...]) -> None:
        pairs = {name: socket.socketpair() for name in names}
        for _, theirs in pairs.values():
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MIB)
        self.ours = {name: pair[0] for name, pair in pairs.items()}
        self.theirs = {name: pair[1] for name, pair in pairs.items()}

    def hand_over(self) -> None:
        """Close QEMU's ends, so that the end of QEMU is the end of the streams."""
        for end in self.theirs.values():
            end.close()

    def __enter__(self) -> _Wires:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for end in (*self.ours.values(), *self.theirs.values()):
            end.close()


@contextlib.contextmanager
def start_machine(
    config: Config, files: BootFiles, run: RunDir, *, silent: bool = False
) -> Iterator[Machine]:
    """Start QEMU; at the end of the `with` block nothing of it is left.

    Its memory stays readable until then, also when QEMU is dead. `command.txt` in the run's
    folder repeats the boot by hand. To a `silent` machine's UART nothing can be sent; in return no
    slow reader can delay what it says, so that its timing is its own.
    """
    with contextlib.ExitStack() as stack:
        ram = stack.enter_context(GuestRam(config.machine.memory_mib * _MIB))
        wires = stack.enter_context(_Wires(("shell", "monitor")))
        pipes = stack.enter_context(UartPipes(deaf=silent))
        numbers = {name: end.fileno() for name, end in wires.theirs.items()}
        port = stack.enter_context(DebugPort(run.path))
        numbers["debugger"] = port.fileno()
        wiring = inherited_wiring(run.path, pipes.device, ram=ram.fd, **numbers)
        argv = [*qemu_argv(config, files, wiring), *(["-S"] if run.stopped else [])]
        run.write("command.txt", command_text(config, files, run))
        drain = Drain()
        has_shell = config.console.mode == "port"
        # A machine that is timed must never wait for room.
        uart = drain.add("uart", pipes, patient=has_shell and not silent)
        shell = drain.add("shell", wires.ours["shell"]) if has_shell else None
        monitor = Monitor(wires.ours["monitor"])
        stack.callback(_write_readable, run, drain, time.monotonic())
        stack.callback(_correct_logs, drain, run)
        stack.callback(drain.finish)
        stack.callback(monitor.close)
        qemu = Qemu(argv, [ram.fd, *pipes.theirs, *numbers.values()], run.file("qemu.stderr"))
        stack.enter_context(qemu)
        wires.hand_over()
        port.hand_over()
        pipes.hand_over()
        drain.start()
        # The machine boots beside whatever is loaded from here on.
        from harness.machine.deaths import DeathWatch

        yield Machine(config, files, run, ram, monitor, uart, shell, qemu, drain, DeathWatch())


def _write_readable(run: RunDir, drain: Drain, started: float) -> None:
    from harness.machine.timeline import write_readable

    write_readable(run, drain.streams, started)


def _correct_logs(drain: Drain, run: RunDir) -> None:
    """Make each log what the machine has said.

    QEMU writes the logs itself, so that they are there whatever happens to this process. When a
    socket is full for a moment, it logs the byte that has to wait, and again when it is sent.
    The commands that were sent are not echoed; they stand before what they made the host say.
    """
    for stream in drain.streams:
        log, said = run.file(f"{stream.name}.log"), stream.all()
        with contextlib.suppress(OSError):
            if said is not None and (stream.notes or log.read_bytes() != said):
                log.write_bytes(with_notes(said, 0, stream.notes))


def command_text(config: Config, files: BootFiles, run: RunDir) -> str:
    """Return the command that repeats the boot on a terminal."""
    by_hand = qemu_argv(config, files, terminal_wiring(run.path))
    parts = " ".join(shlex.quote(str(part)) for part in files.initrd_parts)
    # The initrd is not kept after a run that passed: it is the same megabytes each time.
    whole = f"cat {parts} >{shlex.quote(str(files.initrd))}\n" if parts else ""
    return (
        "# Repeats this boot by hand: UART0 is this terminal, Ctrl-a c the monitor, Ctrl-a x ends"
        f" it.\n{whole}{printable(by_hand)}\n"
    )
