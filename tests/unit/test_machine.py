# SPDX-License-Identifier: Apache-2.0
"""A machine's life: memory, supervision, why it ended, its folder, and what it leaves behind."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as changed

from harness.build.artefacts import Artefacts
from harness.config.schema import Config, Machine
from harness.errors import (
    ConfigError,
    InfraError,
    MachineCrash,
    MachineHang,
    NoSpace,
    ToolMissing,
    UsageError,
)
from harness.machine import machine as machine_module
from harness.machine.argv import BootFiles
from harness.machine.deadline import Deadline
from harness.machine.deaths import DeathWatch
from harness.machine.forensics import Symbolizer
from harness.machine.machine import command_text, start_machine
from harness.machine.monitor import Monitor
from harness.machine.process import Qemu
from harness.machine.ram import RAM_BASE, GuestRam
from harness.machine.registers import parse_registers
from harness.machine.rundir import RunDir, new_run, prune
from harness.machine.symbols import ElfSymbols
from tests.unit.elf_maker import RISCV, elf

LOGS = Path(__file__).parent / "logs"
MIB = 1 << 20
CONFIG = Config()
TSM_BASE = CONFIG.memory.tsm_base
FILES = BootFiles(*(Path(f"/f/{name}") for name in ("fw", "tsm", "Image", "initrd", "dtb")))


def test_memory_is_read_by_physical_address() -> None:
    with GuestRam(MIB) as ram:
        os.pwrite(ram.fd, b"hello", 0x1000)
        assert ram.read(RAM_BASE + 0x1000, 5) == b"hello"
        for address in (RAM_BASE - 1, RAM_BASE + MIB - 2):
            with pytest.raises(ValueError, match="not in memory"):
                ram.read(address, 5)


def test_too_much_memory_is_an_error_of_the_environment() -> None:
    with pytest.raises(InfraError, match="MiB"):
        GuestRam(1 << 62)


def fake(script: str, tmp_path: Path) -> Qemu:
    return Qemu(["/bin/sh", "-c", script], [], tmp_path / "stderr")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_process_that_ends_gives_its_status(tmp_path: Path) -> None:
    with fake("echo why >&2; exit 3", tmp_path) as qemu:
        assert qemu.wait(5) == 3
    assert (tmp_path / "stderr").read_text() == "why\n"


def test_block_leaves_nothing_behind(tmp_path: Path) -> None:
    with fake("trap '' TERM INT; sleep 60 & wait", tmp_path) as qemu:
        pid = qemu.pid
        assert alive(pid)
    assert not alive(pid)


def test_stop_asks_first(tmp_path: Path) -> None:
    flag = tmp_path / "quit"
    with fake(f"while [ ! -e {flag} ]; do sleep 0.01; done; exit 0", tmp_path) as qemu:
        assert qemu.stop(flag.touch) == 0


def test_stop_ends_what_does_not_listen(tmp_path: Path) -> None:
    with fake("exec sleep 60", tmp_path) as qemu:
        assert qemu.stop(lambda: os.kill(qemu.pid, signal.SIGTERM)) == -signal.SIGTERM


def test_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no-such-qemu"):
        Qemu(["no-such-qemu"], [], tmp_path / "stderr")


KILLED = """
import sys, time
from pathlib import Path
from harness.machine.process import Qemu
from threading import Thread
def start():
    global qemu
    qemu = Qemu(["sleep", "60"], [], Path(sys.argv[1]) / "stderr")
# A worker's thread, which is gone before its machine is.
thread = Thread(target=start)
thread.start()
thread.join()
print(qemu.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("watched", [True, False])
def test_child_dies_when_its_parent_is_killed(watched: bool, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    if not watched:
        watcher = os.getpgid(pid)
        os.kill(watcher, signal.SIGKILL)
        while alive(watcher):
            time.sleep(0.01)
        # It is guarded still, and has not been ended for nothing.
        assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not alive(pid)


def fake_machine(tmp_path: Path, script: str) -> tuple[Config, RunDir]:
    """A configuration whose QEMU is a script with the machine's descriptors open."""
    binary = tmp_path / "qemu"
    binary.write_text(f"#!{sys.executable}\n{script}")
    binary.chmod(0o755)
    qemu = changed(CONFIG.qemu, binary=str(binary))
    return changed(CONFIG, qemu=qemu, machine=Machine(memory_mib=512)), RunDir(tmp_path)


SAY = """
import os, re, sys, time, signal
fd = int(re.search(r"path=/proc/self/fd/(\\d+),[^ ]*logfile=[^ ]*uart", " ".join(sys.argv))[1])
def say(text): os.write(fd, text.encode())
"""


def await_end(config: Config, run: RunDir) -> None:
    with start_machine(config, FILES, run) as machine:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            machine.check()
            time.sleep(0.005)


def test_words_on_the_uart_decide(tmp_path: Path) -> None:
    config, run = fake_machine(
        tmp_path, SAY + "say('x\\ntsmd: TSM panic: out of pages\\nmore\\n'); time.sleep(30)"
    )
    with pytest.raises(MachineCrash, match="out of pages"):
        await_end(config, run)


def test_last_words_without_line_end_count(tmp_path: Path) -> None:
    config, run = fake_machine(tmp_path, SAY + "say('tsmd: TSM panic: cut sh')")
    with pytest.raises(MachineCrash, match="cut sh"):
        await_end(config, run)


def test_killed_emulator_is_no_failure_of_the_machine(tmp_path: Path) -> None:
    config, run = fake_machine(tmp_path, SAY + "os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(InfraError, match="SIGKILL"):
        await_end(config, run)


def test_emulator_killed_before_its_monitor_answers(tmp_path: Path) -> None:
    config, run = fake_machine(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with (
        start_machine(config, FILES, run) as machine,
        pytest.raises(InfraError, match="QEMU was killed by SIGKILL"),
    ):
        machine.connect_monitor()


def test_stopped_emulator_is_no_hang_of_the_machine(tmp_path: Path) -> None:
    script = SAY + "say('up'); os.kill(os.getpid(), signal.SIGSTOP)"
    config, run = fake_machine(tmp_path, script)
    with start_machine(config, FILES, run) as machine:
        late = Deadline("boot", stall_s=0.1, total_s=60)
        os.waitid(os.P_PID, machine.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(InfraError, match="was stopped from outside"):
            machine.wait_off(late)


def test_interrupted_monitor_leaves_no_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = socket.socketpair()
    monitor = Monitor(ours)
    signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    # The other end never greets, so that the signal finds the connection half made.
    with theirs, ours, pytest.raises(KeyboardInterrupt):
        monitor.connect()
    monitor.close()
    gc.collect()
    assert capsys.readouterr().err == ""


def test_emulator_that_refuses_its_arguments_says_why(tmp_path: Path) -> None:
    config, run = fake_machine(tmp_path, "import sys; sys.exit('qemu: no such option')")
    with pytest.raises(InfraError, match="status 1") as caught:
        await_end(config, run)
    assert caught.value.details == ("qemu: no such option",)


def test_machine_that_goes_off_by_itself_is_a_crash(tmp_path: Path) -> None:
    config, run = fake_machine(tmp_path, SAY + "say('bye\\n')")
    with pytest.raises(MachineCrash, match="switched itself off"):
        await_end(config, run)


def test_logs_are_made_whole(tmp_path: Path) -> None:
    """The emulator's own log may have bytes twice; afterwards it has each once."""
    script = SAY + "open(os.path.dirname(sys.argv[0]) + '/uart.log', 'w').write('bbye\\n')\n"
    config, run = fake_machine(tmp_path, script + "say('bye\\n')")
    with pytest.raises(MachineCrash):
        await_end(config, run)
    assert run.file("uart.log").read_text() == "bye\n"
    assert "qemu" in run.file("command.txt").read_text()


def test_new_run_is_the_latest(cache: Path) -> None:
    first, second = new_run(), new_run()
    assert first.path != second.path
    assert (cache / "runs" / "latest").resolve() == second.path.resolve()


def test_chosen_folder_is_used(tmp_path: Path) -> None:
    run = new_run(tmp_path / "a" / "b")
    assert run.write("x.txt", "text").read_text() == "text"


def test_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    first = new_run(tmp_path / "run")
    with pytest.raises(UsageError, match="another run uses"):
        new_run(tmp_path / "run")
    assert first.lock is not None
    os.close(first.lock)
    new_run(tmp_path / "run")


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="a file is there") as caught:
        new_run(tmp_path / "file" / "run")
    assert "--run-dir" in caught.value.remedy


def test_folder_of_an_earlier_run_loses_its_evidence_and_nothing_else(tmp_path: Path) -> None:
    for name in ("run.json", "forensics.txt", "notes.txt"):
        (tmp_path / name).touch()
    new_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_old_runs_are_pruned_but_not_those_that_failed_lately(tmp_path: Path) -> None:
    now = time.time()
    verdicts = {0: "PASS", 1: "FAIL", 2: "FAIL", 3: ""}
    for index in range(54):
        folder = tmp_path / f"20260101-0000{index:02d}-abcdef"
        folder.mkdir()
        if verdict := verdicts.get(index):
            (folder / "run.json").write_text(json.dumps({"verdict": verdict}, indent=2))
    old = now - 15 * 86400
    os.utime(tmp_path / "20260101-000002-abcdef" / "run.json", (old, old))
    (tmp_path / "mine").mkdir()
    prune(tmp_path, now)
    left = {path.name[9:15] for path in tmp_path.glob("2*")}
    assert left == {"000001", *(f"0000{index:02d}" for index in range(4, 54))}
    assert (tmp_path / "mine").is_dir()


def test_command_says_how_the_initrd_is_made_again(tmp_path: Path) -> None:
    parts = (Path("/s/a.cpio"), Path("/r/b c.cpio"))
    text = command_text(CONFIG, replace(FILES, initrd_parts=parts), RunDir(tmp_path))
    assert "\ncat /s/a.cpio '/r/b c.cpio' >/f/initrd\n" in text
    assert "cat" not in command_text(CONFIG, FILES, RunDir(tmp_path)).split()


def test_full_disk_is_named() -> None:
    with pytest.raises(NoSpace, match="no space left"):
        RunDir(Path("/dev")).write("full", b"x" * 8192)


def test_recorded_registers_are_read() -> None:
    harts = parse_registers((LOGS / "tsm-spins.registers.txt").read_text())
    assert [hart.hart for hart in harts] == [0, 1]
    assert harts[0].registers["pc"] == TSM_BASE
    assert harts[1].registers["pc"] == 0x80011DB4
    assert not harts[0].virtual
    assert {"x1/ra", "mepc", "sepc", "mcause"} <= set(harts[0].registers)


def test_addresses_are_named_wherever_the_image_runs(tmp_path: Path) -> None:
    firmware, monitor = tmp_path / "fw.elf", tmp_path / "tsm.elf"
    firmware.write_bytes(elf(0, bytes(256), functions={"sbi_init": (0x10, 16)}))
    monitor.write_bytes(elf(TSM_BASE, bytes(256), functions={"tsm_main": (TSM_BASE + 8, 64)}))
    nothing = Path("none")
    artefacts = Artefacts(
        nothing, firmware, monitor, nothing, None, None, nothing, nothing, nothing, nothing
    )
    names = Symbolizer(artefacts)
    assert names.describe(RAM_BASE + 0x14) == "OpenSBI: sbi_init+0x4"
    assert names.describe(TSM_BASE + 8) == "TSM: tsm_main+0x0"
    assert names.describe(0x1000) is None
    assert names.annotate("mepc=0x8f000010").endswith("<- TSM: tsm_main+0x8")


def test_symbol_is_found_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "x.elf"
    path.write_bytes(elf(0, bytes(64), symbols={"tsmd_rings": (0x20, 16)}, machine=RISCV))
    assert ElfSymbols(path, runs_at=RAM_BASE).object("tsmd_rings").address == RAM_BASE + 0x20
    with pytest.raises(ConfigError, match="no symbol other"):
        ElfSymbols(path).object("other")


class _Uart:
    """What a UART has said, as `Machine.allow` looks at it."""

    def __init__(self) -> None:
        self.said = b""
        self.notes: list[str] = []

    def read(self, position: int) -> bytes:
        return self.said[position:]

    def note(self, line: str, position: int | None = None) -> None:
        self.notes.append(line)


def allowing() -> tuple[machine_module.Machine, _Uart]:
    """A machine of which only the UART and the watch for deaths are there."""
    uart = _Uart()
    found = object.__new__(machine_module.Machine)
    object.__setattr__(found, "uart", uart)
    object.__setattr__(found, "_deaths", DeathWatch())
    return found, uart


PANIC = b"tsmd: TSM panic: x\n"


def test_death_is_allowed_inside_the_block_only() -> None:
    machine, uart = allowing()
    with machine.allow("tsm") as deaths:
        uart.said += PANIC
    assert [death.kind for death in deaths] == ["TSM panic"]
    assert [note.rpartition(" ")[2] for note in uart.notes] == ["tsm", "none"]
    uart.said += PANIC
    with pytest.raises(MachineCrash, match="TSM panic"), machine.allow("tsm"):
        pytest.fail("what was said before the block is not allowed")


def test_another_death_is_not_allowed() -> None:
    machine, uart = allowing()
    with pytest.raises(MachineCrash, match="kernel panic"), machine.allow("tsm"):
        uart.said += b"[    1.0] Kernel panic - not syncing: y\n"


def test_error_in_the_block_leaves_the_death_allowed() -> None:
    machine, uart = allowing()
    with pytest.raises(NoSpace), machine.allow("tsm"):
        uart.said += PANIC
        raise NoSpace("full")
    assert machine.death() is None
    with pytest.raises(ValueError, match="allow"), machine.allow("tmp"):
        pytest.fail("a component that there is not")


def test_stall_is_a_hang() -> None:
    machine, uart = allowing()
    uart.said += b"[   22.0] watchdog: BUG: soft lockup - CPU#1 stuck for 22s!\n"
    with pytest.raises(MachineHang, match="soft lockup"), machine.allow("tsm"):
        pytest.fail("not reached")
