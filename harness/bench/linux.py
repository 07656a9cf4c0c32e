# SPDX-License-Identifier: Apache-2.0
"""What a Linux guest costs as a TVM, beside a plain KVM guest and the host.

Everything runs under `-icount` on one hart, where an instruction takes 1 ns of guest time: a tick
of the timebase is 100 instructions, of the guest and of all that serves it. The program `work`
(guest-images/tvm/work) is the same on the host, in the KVM guest and in the TVM, and so are the
guests' kernel and initramfs. The host on OpenSBI as upstream has it, without a TSM, tells what
the TSM costs a host that does not use it.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from harness.bench.linux_costs import (
    DEMAND_LIMIT,
    NOTHING,
    TOUCH,
    TOUCH_MIB,
    Costs,
    costs_of,
    demands_per_block,
    touch_lines,
)
from harness.bench.linux_disk import DISK, DISK_PATH, disk_content, disk_lines, disk_ratios
from harness.bench.switch import deterministic
from harness.build.artefacts import Artefacts
from harness.build.builder import Builder
from harness.build.kernel import IMAGE
from harness.build.linux_guest import GuestKernelRecipe
from harness.build.work import INITRAMFS, PROGRAM, WorkRecipe
from harness.config.schema import Config
from harness.errors import MachineError
from harness.host.boot import powered, reach_shell
from harness.host.host import Host
from harness.host.results import JsonObject, parse_answer
from harness.machine.deadline import slowness
from harness.machine.rundir import RunDir
from harness.resources import firmware
from harness.trace.record import Recorder
from harness.ui import Ui

_KINDS = ("kvm", "tvm")
WORKLOADS = ("integer", "memory", "fault", "syscall", "switch")
COMPUTE = ("integer", "memory")
HOST_LIMIT = 1.005
TVM_LIMIT = 1.02
_TICK = 100
_KERNEL, _INITRD, _WORK = "/guest/Image", "/guest/work.cpio", "/bin/work"
# The one with drivers for virtio devices, for both kinds of guests
_DRIVERS = "/guest/Image.devices"
_LINE = re.compile(r"^bench: (\w+) (\d+)\s*$", re.MULTILINE)
_USERSPACE = re.compile(rb"work: userspace at (\d+)")
# Between two looks at the UART
_LOOK_S = 0.02
_GUEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Life:
    """A guest from its VMM's start to its end.

    Instructions of the whole machine by workload, and of `total`; wall seconds; how often the
    VMM got the hart back (None: the kernel alone knows); all that the guest needed of its host.
    """

    instructions: Mapping[str, int]
    wall_s: float
    exits: int | None = None
    costs: Costs = NOTHING


@dataclass(frozen=True, slots=True)
class Ratio:
    """A quotient of two numbers and its limit (None: it has none)."""

    name: str
    value: float
    limit: float | None

    @property
    def within(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.value <= self.limit

    def line(self) -> str:
        """Return what is printed."""
        verdict = "" if self.limit is None else f"<= {self.limit:g} "
        verdict += "" if self.limit is None else "PASS" if self.within else "over"
        return f"{self.name:<44} {self.value:>9.4f}  {verdict}".rstrip()


@dataclass(frozen=True, slots=True)
class LinuxBench:
    """What was measured: instructions by world and workload, and guests by kind and workload."""

    compute: Mapping[str, Mapping[str, int]]
    launch: Mapping[str, Life]
    tvm: Mapping[str, Life]
    touch: Mapping[str, Life]
    disk: Mapping[str, Life]
    disk_idle: Mapping[str, Life]

    def _touch_costs(self) -> dict[str, Costs]:
        return {kind: self.touch[kind].costs.without(self.launch[kind].costs) for kind in _KINDS}

    def _disk_costs(self) -> dict[str, Costs]:
        return {kind: self.disk[kind].costs.without(self.disk_idle[kind].costs) for kind in _KINDS}

    def _disk_spent(self) -> dict[str, int]:
        return {kind: self.disk[kind].instructions[DISK] for kind in _KINDS}

    def ratios(self) -> list[Ratio]:
        """Return what is compared, in the order of the table."""
        found = []
        for name in WORKLOADS:
            stock, host = self.compute["stock"][name], self.compute["host"][name]
            found.append(
                Ratio(f"{name}: host with the TSM / on stock OpenSBI", host / stock, HOST_LIMIT)
            )
        for name in WORKLOADS:
            limit = TVM_LIMIT if name in COMPUTE else None
            kvm, tvm = self.compute["kvm"][name], self.compute["tvm"][name]
            found.append(Ratio(f"{name}: TVM / KVM guest", tvm / kvm, limit))
        name = f"touch: exits for memory / 2 MiB of {TOUCH_MIB} MiB"
        per_block = demands_per_block(self._touch_costs()["tvm"])
        found.append(Ratio(name, per_block, DEMAND_LIMIT))
        found += [Ratio(*one) for one in disk_ratios(self._disk_costs(), self._disk_spent())]
        ours, plain = self.launch["tvm"], self.launch["kvm"]
        whole = ours.instructions["total"] / plain.instructions["total"]
        found.append(Ratio("launch to power off: TVM / KVM guest, instructions", whole, None))
        found.append(
            Ratio("launch to power off: TVM / KVM guest, wall", ours.wall_s / plain.wall_s, None)
        )
        return found

    def lines(self) -> list[str]:
        """Return what is printed."""
        worlds = ("stock", "host", "kvm", "tvm")
        lines = [
            f"{'instructions':<12}"
            + "".join(f"{world:>15}" for world in worlds)
            + f"{'TVM exits':>12}"
        ]
        idle = self.launch["tvm"].exits or 0
        for name in WORKLOADS:
            cells = "".join(f"{self.compute[world][name]:>15,}" for world in worlds)
            exits = (self.tvm[name].exits or 0) - idle
            lines.append(f"{name:<12}{cells}{exits:>12,}")
        lines.append(
            f"{'launch':<12}" + "".join(self._launch(world) for world in worlds) + f"{idle:>12,}"
        )
        lines.append(f"{'  seconds':<12}" + "".join(self._seconds(world) for world in worlds))
        lines.append(
            "launch: to userspace and off; for the host from reset to userspace, its seconds with"
            " the emulator's start."
        )
        lines.append("An exit is two domain switches.")
        spent = {kind: self.touch[kind].instructions[TOUCH] for kind in _KINDS}
        lines += ["", *touch_lines(self._touch_costs(), spent)]
        lines += ["", *disk_lines(self._disk_costs(), self._disk_spent())]
        return [*lines, "", *(ratio.line() for ratio in self.ratios())]

    def _launch(self, world: str) -> str:
        life = self.launch.get(world)
        return f"{life.instructions['total']:>15,}" if life else f"{'':>15}"

    def _seconds(self, world: str) -> str:
        life = self.launch.get(world)
        return f"{life.wall_s:>15.2f}" if life else f"{'':>15}"

    def as_json(self) -> dict[str, object]:
        """Return the numbers as plain data."""
        ratios = [{**asdict(one), "within": one.within} for one in self.ratios()]
        return {**asdict(self), "ratios": ratios}


def measure(config: Config, run: RunDir, ui: Ui, *, offline: bool) -> LinuxBench:
    """Measure everything.

    Args:
        config: the machine; it gets one hart and `-icount`.
        run: folder for the evidence.
        ui: shows the build's progress.
        offline: never touch the network.

    Raises:
        MachineError: a guest or a workload did not come to its end.
    """
    config = deterministic(config)
    stock, plain, _ = _machine(
        _without_tsm(config), run, "stock", ui, offline=offline, guests=False
    )
    host, launch, tvm = _machine(config, run, "tsm", ui, offline=offline, guests=True)
    compute = {"stock": stock, "host": host}
    launch["host"], launch["stock"] = launch.pop("bare"), plain["bare"]
    compute["kvm"] = _workloads_of(launch.pop("kvm all"))
    compute["tvm"] = _workloads_of(launch.pop("tvm all"))
    touch = {kind: launch.pop(f"{kind} {TOUCH}") for kind in _KINDS}
    disk = {kind: launch.pop(f"{kind} {DISK}") for kind in _KINDS}
    idle = {kind: launch.pop(f"{kind} {DISK} idle") for kind in _KINDS}
    return LinuxBench(compute, launch, tvm, touch, disk, idle)


def _without_tsm(config: Config) -> Config:
    overlay = firmware() / "bench" / "stock"
    opensbi = msgspec.structs.replace(config.opensbi, overlay=f"path:{overlay}")
    return msgspec.structs.replace(config, opensbi=opensbi)


def _workloads_of(life: Life) -> Mapping[str, int]:
    return {name: life.instructions[name] for name in WORKLOADS}


def _machine(
    config: Config, run: RunDir, name: str, ui: Ui, *, offline: bool, guests: bool
) -> tuple[Mapping[str, int], dict[str, Life], dict[str, Life]]:
    """Boot a host and return its workloads, the guests by kind, and TVMs by workload."""
    extra = (WorkRecipe(), *([GuestKernelRecipe()] if guests else []))
    outcome = Builder(config, ui, offline=offline, extra=extra).run()
    files = _files(outcome.artefacts, outcome.places[WorkRecipe.name])
    if guests:
        drivers = outcome.places[GuestKernelRecipe.name] / IMAGE.name
        files |= {_DRIVERS: drivers.read_bytes(), DISK_PATH: disk_content()}
    folder = run.path / name
    folder.mkdir(parents=True, exist_ok=True)
    launch: dict[str, Life] = {}
    tvm: dict[str, Life] = {}
    bare = replace(outcome.artefacts, initrd=outcome.places[WorkRecipe.name] / INITRAMFS)
    launch["bare"] = _bare_boot(config, bare, RunDir(folder / "bare"))
    with powered(config, outcome.artefacts, RunDir(folder), files) as machine:
        host = reach_shell(machine)
        if host.call("supd", "get_active_domains").ok != guests:
            raise MachineError(f"the machine `{name}` is not what it is to be", "see uart.log")
        found = _numbers(host.shell.run(f"{_WORK} bench {' '.join(WORKLOADS)}", _GUEST_S).output)
        if guests:
            run_guest = _Guests(host, Recorder(outcome.artefacts, config.machine.harts)).run
            for kind in _KINDS:
                launch[kind] = run_guest(kind, ())
                launch[f"{kind} {TOUCH}"] = run_guest(kind, (TOUCH,))
                launch[f"{kind} {DISK} idle"] = run_guest(kind, (), with_disk=True)
                launch[f"{kind} {DISK}"] = run_guest(kind, (DISK,), with_disk=True)
                launch[f"{kind} all"] = run_guest(kind, WORKLOADS)
            tvm = {each: run_guest("tvm", (each,)) for each in WORKLOADS}
    return found, launch, tvm


def _bare_boot(config: Config, artefacts: Artefacts, run: RunDir) -> Life:
    """Boot the guests' kernel and initramfs as the host, from reset to its userspace."""
    run.path.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    end = began + _GUEST_S * slowness()
    with powered(config, artefacts, run) as machine:
        while True:
            machine.check()
            up = _USERSPACE.search(machine.uart.read(0))
            if up is not None:
                return Life({"total": int(up[1]) * _TICK}, time.monotonic() - began)
            if time.monotonic() > end:
                raise MachineError("the host did not come to its userspace", "see uart.log")
            time.sleep(_LOOK_S)


def _files(artefacts: Artefacts, place: Path) -> dict[str, bytes]:
    return {
        _KERNEL: artefacts.kernel_image.read_bytes(),
        _INITRD: (place / INITRAMFS).read_bytes(),
        _WORK: (place / PROGRAM).read_bytes(),
    }


def _numbers(text: str) -> dict[str, int]:
    """Return the instructions in lines of `work`; the same workload twice is a mistake."""
    found = {name: int(value) * _TICK for name, value in _LINE.findall(text.replace("\r", ""))}
    if "bench: done" not in text:
        raise MachineError(
            "the workloads did not come to their end", details=text.splitlines()[-5:]
        )
    return found


@dataclass(frozen=True, slots=True)
class _Guests:
    """Runs guests on a host, from launch to power off."""

    host: Host
    recorder: Recorder

    def run(self, kind: str, workloads: tuple[str, ...], *, with_disk: bool = False) -> Life:
        """Run one; `with_disk`: with a disk, and the kernel that has a driver for it."""
        shell, before = self.host.shell, self._recorded()
        asked = f"bench {' '.join(workloads)}\n"
        words = [_WORK, "time", kind, "linux", _DRIVERS if with_disk else _KERNEL]
        words += ["--initrd", _INITRD, *(["--disk", DISK_PATH] if with_disk else [])]
        words += ["--console", "/tmp/console", "--input", asked, "--json"]
        shell.run("rm -f /tmp/console")
        began = time.monotonic()
        result = shell.run(f"{shlex.join(words)} >/tmp/events 2>&1", _GUEST_S)
        seconds = time.monotonic() - began
        recorded = self._recorded() - before
        events = shell.run("tail -n +2 /tmp/events").output
        answer = parse_answer(events)
        last = {str(event.get("event")): event for event in answer.objects}
        total = _LINE.search(events)
        console = shell.run("cat /tmp/console").output
        if not result.ok or total is None:
            raise MachineError(
                f"the {kind} guest did not come to its end",
                details=[*console.splitlines()[-3:], events],
            )
        numbers = {**_numbers(console), "total": int(total[2]) * _TICK}
        exits = _exits(last.get("vm", {})) if kind == "tvm" else None
        return Life(numbers, seconds, exits, replace(costs_of(kind, last), recorded=recorded))

    def _recorded(self) -> int:
        """Return how many events M-mode has recorded since the machine's start."""
        rings = self.recorder.rings(self.host.machine.ram)
        return sum(ring.head for ring in rings if ring.writer == "tsmd")


def _exits(end: JsonObject) -> int:
    """Return how often the vCPUs came back to the VMM."""
    found = end.get("exits")
    return sum(found) if isinstance(found, list) else 0
