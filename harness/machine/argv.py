# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line, as a pure function of the configuration, the files and the wiring."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.config.schema import Config

SHELL_PORT = "org.teecall.shell"
DEBUGGER = "debugger"


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What QEMU loads.

    `initrd` is None for a payload that takes the host's place. `initrd_parts` has the files that,
    one after the other, make the initrd; empty when it is a file of its own. `tsm2` is the TSM of
    the second domain, None without one.
    """

    firmware: Path
    tsm: Path
    kernel: Path
    initrd: Path | None
    device_tree: Path
    initrd_parts: tuple[Path, ...] = field(default=(), kw_only=True)
    tsm2: Path | None = field(default=None, kw_only=True)

    @property
    def tsms(self) -> tuple[Path, ...]:
        """The TSM of each domain, by SDID."""
        return (self.tsm,) if self.tsm2 is None else (self.tsm, self.tsm2)


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the machine's memory and consoles are reached from outside.

    Args:
        memory: the memory backend, without id and size.
        uart: character device behind UART0.
        shell: character device behind the command port.
        monitor: arguments for the monitor.
        interrupt_log: file for QEMU's own log.
        debugger: arguments for the port that `teecall gdb` connects to.
    """

    memory: str
    uart: str
    shell: str
    monitor: tuple[str, ...]
    interrupt_log: Path
    debugger: tuple[str, ...] = ()


def inherited_wiring(
    folder: Path, uart: str, ram: int, shell: int, monitor: int, debugger: int
) -> Wiring:
    """Wire the machine to descriptors that QEMU inherits; the consoles' logs go to `folder`.

    Args:
        folder: of the run.
        uart: character device on what it inherits for UART0.
        ram: memory file.
        shell: socket of the command port.
        monitor: socket of the monitor.
        debugger: socket that waits for gdb.
    """
    return Wiring(
        memory=f"memory-backend-file,mem-path=/proc/self/fd/{ram},share=on",
        uart=f"{uart},logfile={_escape(folder / 'uart.log')}",
        shell=f"socket,fd={shell},logfile={_escape(folder / 'shell.log')}",
        monitor=("-chardev", f"socket,id=qmp,fd={monitor}", "-mon", "chardev=qmp,mode=control"),
        interrupt_log=folder / "interrupts.log",
        # Nothing happens on this port until somebody connects to it.
        debugger=(
            *("-chardev", f"socket,id={DEBUGGER},fd={debugger},server=on,wait=off"),
            *("-gdb", f"chardev:{DEBUGGER}"),
        ),
    )


def terminal_wiring(folder: Path) -> Wiring:
    """Wire the machine for a repeat by hand: UART0 and the monitor on the terminal.

    Ctrl-a c switches between the two; the command port is a socket in `folder`.
    """
    return Wiring(
        memory="memory-backend-memfd,share=on",
        uart="stdio,mux=on,signal=off",
        shell=f"socket,server=on,wait=off,path={_escape(folder / 'shell.sock')}",
        monitor=("-mon", "chardev=uart0,mode=readline"),
        interrupt_log=folder / "interrupts-by-hand.log",
    )


def machine_args(config: Config) -> list[str]:
    """Return the arguments that shape the machine, and with it its device tree."""
    machine = config.machine
    aia = "" if machine.aia == "none" else f",aia={machine.aia}"
    if machine.aia == "aplic-imsic" and machine.aia_guests:
        aia += f",aia-guests={machine.aia_guests}"
    return [
        *("-machine", f"virt{aia}"),
        *("-cpu", machine.cpu),
        *("-smp", str(machine.harts)),
        *("-m", f"{machine.memory_mib}M"),
    ]


# The kernel's own watchdogs measure by the clock on the wall. On a crowded workstation a hart that
# spins for another one, which does not run, is taken for stuck after 20 seconds. Ours scale their
# limits by the workstation's speed, and see a hart that is stuck as well.
_PATIENCE = ("rcupdate.rcu_cpu_stall_timeout=60", "watchdog_thresh=30")


def command_line(config: Config) -> str:
    """Return the host kernel's command line; the configuration's words are the last, and win."""
    # printk.time makes every kernel message recognisable between other output on the UART.
    words = ["console=ttyS0", "printk.time=1", f"teecall.console={config.console.mode}", *_PATIENCE]
    return " ".join([*words, *config.host.cmdline.split()])


def qemu_argv(config: Config, files: BootFiles, wiring: Wiring) -> list[str]:
    """Return the argument vector of QEMU."""
    return list(_arguments(config, files, wiring))


def _arguments(config: Config, files: BootFiles, wiring: Wiring) -> Iterator[str]:
    yield config.qemu.binary
    machine, name, *rest = machine_args(config)
    yield from (machine, f"{name},memory-backend=ram", *rest)
    yield from ("-object", f"{wiring.memory},id=ram,size={config.machine.memory_mib}M")
    yield from ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
    yield from ("-chardev", f"{wiring.uart},id=uart0", "-serial", "chardev:uart0")
    if config.console.mode == "port":
        yield from ("-chardev", f"{wiring.shell},id=shell")
        yield from ("-device", "virtio-serial-device")
        yield from ("-device", f"virtserialport,chardev=shell,name={SHELL_PORT}")
    yield from wiring.monitor
    yield from wiring.debugger
    # No -d: the log stays empty until somebody switches it on through the monitor.
    yield from ("-D", str(wiring.interrupt_log))
    yield from ("-bios", str(files.firmware))
    for tsm in files.tsms:
        yield from ("-device", f"loader,file={_escape(tsm)}")
    yield from ("-kernel", str(files.kernel))
    if files.initrd is not None:
        yield from ("-initrd", str(files.initrd))
    yield from ("-dtb", str(files.device_tree))
    yield from ("-append", command_line(config))
    yield from config.qemu.extra_args


def printable(argv: list[str]) -> str:
    """Return `argv` as a shell command, one option to a line."""
    lines: list[str] = []
    for word in argv:
        if lines and not word.startswith("-"):
            lines[-1] += " " + shlex.quote(word)
        else:
            lines.append(shlex.quote(word))
    return " \\\n    ".join(lines)


def _escape(path: Path) -> str:
    """Double the commas: QEMU's option syntax splits at single ones."""
    return str(path).replace(",", ",,")
