# SPDX-License-Identifier: Apache-2.0
"""A Linux guest: how it is built, launched as a TVM, and what it has to say on its console.

`tvm.kernel` says which kernel it is. Its console has a channel of its own, a virtio-serial port of
the machine whose other end is a file in the run's folder; the nonce goes in by the same console.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import time
from collections.abc import Sequence

import msgspec

from harness.build.builder import Builder
from harness.build.guest_files import guest_files, needs_uart, recipes
from harness.build.image import banner_of
from harness.build.kernel import IMAGE
from harness.build.linux_guest import GuestKernelRecipe
from harness.config.schema import Config
from harness.host.results import GuestRun, JsonObject, number
from harness.machine.deadline import slowness
from harness.scenarios import smoke_checks
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

CONSOLE_LOG = "guest-console.log"
_PORT = "org.teecall"
KERNEL = "/guest/Image"
INITRD = "/guest/initramfs.cpio"
_NUMBERS = 20000
_COPIES = 8
_CPU_NUMBERS = 2000
_SLEEP_S = 0.3
_USAGE = 2
NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
# The console's bytes are QEMU's by the time that the tool ends, and in the file a moment later.
_ARRIVAL_S = 5.0


def build(smoke: Smoke, kernel: GuestKernelRecipe | None = None) -> str:
    """Build what is missing, with the guest's userspace; give the machine the guest's console.

    Args:
        smoke: the run.
        kernel: what the guest's kernel comes from; None: what `tvm.kernel` says.
    """
    if kernel is not None:
        tvm = msgspec.structs.replace(smoke.config.tvm, kernel=None)
        smoke.config = msgspec.structs.replace(smoke.config, tvm=tvm)
    extra = (*recipes(smoke.config), *([kernel] if kernel else []))
    smoke.builder = Builder(smoke.config, smoke.ui, offline=smoke.offline, extra=extra)
    outcome = smoke.builder.run()
    smoke.artefacts = outcome.artefacts
    smoke.versions.update(outcome.artefacts.versions)
    smoke.keys = {name: place.name for name, place in outcome.places.items()}
    files = guest_files(smoke.config, outcome.places)
    own = outcome.places[kernel.name] / IMAGE.name if kernel else None
    smoke.files[KERNEL] = own.read_bytes() if own else files.kernel
    smoke.files[INITRD] = files.initrd
    add_port(smoke, "guest", CONSOLE_LOG)
    return f"built {', '.join(outcome.built)}" if outcome.built else "all is up to date"


def add_port(smoke: Smoke, name: str, log: str) -> None:
    """Add a virtio-serial port to the machine whose other end is a file of the run.

    Args:
        smoke: the run, before it boots.
        name: the port is org.teecall.NAME.
        log: name of the file in the run's folder.
    """
    config = smoke.config
    path = str(smoke.run.file(log)).replace(",", ",,")
    words = ["-chardev", f"file,id={name},path={path}"]
    # In the serial mode the machine has no such device yet.
    device = "virtio-serial-device"
    if config.console.mode != "port" and device not in config.qemu.extra_args:
        words += ["-device", device]
    words += ["-device", f"virtserialport,chardev={name},name={_PORT}.{name}"]
    qemu = msgspec.structs.replace(config.qemu, extra_args=(*config.qemu.extra_args, *words))
    smoke.config = msgspec.structs.replace(config, qemu=qemu)


def device_of(smoke: Smoke, name: str) -> str:
    """Return the device on the host that is the port org.teecall.NAME."""
    port = f"{_PORT}.{name}"
    found = smoke.need_host().shell.run(f"grep -lx {port} /sys/class/virtio-ports/*/name")
    match = re.search(r"/(vport\w+)/name", found.output)
    if match is None:
        raise CheckFailed(f"the host has no port {port}", "see uart.log")
    return f"/dev/{match[1]}"


def console_of(smoke: Smoke) -> str:
    """Return the device on the host that the guest's console goes to."""
    return device_of(smoke, "guest")


def console_size(smoke: Smoke) -> int:
    """Return how many bytes guests have said so far."""
    return smoke.run.file(CONSOLE_LOG).stat().st_size


def words_of(config: Config, console: str, vcpus: int, asked: str | None) -> list[str]:
    """Return the words of a command that runs the guest, behind `tvm` or `kvm`.

    Args:
        config: says which kernel it has, and how much memory.
        console: the device for its console.
        vcpus: number of vCPUs.
        asked: the line that its console reads; None: nothing, and it waits.
    """
    words = ["linux", KERNEL, "--initrd", INITRD, "--vcpus", str(vcpus), "--console", console]
    words += ["--memory", str(config.tvm.memory_mib)]
    if needs_uart(config):
        words.append("--uart")
    return words if asked is None else [*words, "--input", f"{asked}\n"]


def launch(smoke: Smoke, vcpus: int, *options: str) -> GuestRun:
    """Run the Linux TVM to its end; what it prints is in the run's folder.

    Args:
        smoke: the run; its host has the files.
        vcpus: number of vCPUs.
        options: more words for the tool.
    """
    host = smoke.need_host()
    seconds = smoke.config.timeouts.guest_s
    asked = nonce(smoke, vcpus)
    words = [*words_of(smoke.config, console_of(smoke), vcpus, asked), *options]
    limit = math.ceil(seconds * slowness())
    answer = host.tvm_json(*words, "--dirty", "--timeout", limit, timeout=seconds + 10.0)
    return GuestRun(answer.objects, answer.messages, answer.status)


def nonce(smoke: Smoke, vcpus: int) -> str:
    """Return what the guest is asked."""
    return f"{smoke.nonce(f'linux {vcpus}'):016x}"


def console_lines(smoke: Smoke, start: int, log: str = CONSOLE_LOG) -> list[str]:
    """Return the lines on a guest's console behind the byte `start`, up to its power off."""
    path = smoke.run.file(log)
    deadline = time.monotonic() + _ARRIVAL_S
    while True:
        text = path.read_bytes()[start:].decode(errors="replace").replace("\r", "")
        if "reboot: Power down" in text or time.monotonic() > deadline:
            return text.splitlines()
        time.sleep(0.02)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _numbers(count: int) -> str:
    return "".join(f"{number}\n" for number in range(1, count + 1))


def expected(asked: str, vcpus: int) -> list[str]:
    """Return the lines that a guest which was asked this has to say."""
    line = f"{asked}\n"
    lines = [
        f"linux: answer {_hash(line)}",
        f"linux: memory {_hash(line + _COPIES * _numbers(_NUMBERS))}",
    ]
    for cpu in range(vcpus):
        found = _hash(f"{asked} {cpu}\n" + _numbers(_CPU_NUMBERS))
        lines.append(f"linux: cpu {cpu} {found}")
    return [*lines, "linux: bye"]


def judge(lines: Sequence[str], asked: str, vcpus: int, kernel: bytes = b"") -> str:
    """Check what a Linux guest said on its console; return what its banner says.

    Args:
        lines: what it said.
        asked: what it was asked.
        vcpus: how many it has.
        kernel: its Image, whose banner it has to show; empty: any kernel's will do.

    Raises:
        CheckFailed: it did not say what it has to, or its timer is wrong.
    """
    refused = next((line for line in lines if line.startswith("shim: ")), None)
    if refused is not None:
        raise CheckFailed(f"the boot shim refuses: {refused[6:]}")
    release = release_of(lines, kernel)
    up = next((line for line in lines if line.startswith("linux: userspace at ")), None)
    if up is None:
        raise CheckFailed("the guest did not reach its userspace", details=lines[-5:])
    if f", {vcpus} CPUs," not in up:
        raise CheckFailed(f"the guest does not have {vcpus} CPUs: {up}")
    for wanted in expected(asked, vcpus):
        if wanted not in lines:
            raise CheckFailed(f"the guest did not say `{wanted}`", details=lines[-5:])
    _check_sleep(lines)
    return f"Linux {release}, userspace {up.split()[3].rstrip(',')} s after its clock's start"


def release_of(lines: Sequence[str], kernel: bytes = b"") -> str:
    """Check which kernel introduces itself on a guest's console; return its release.

    Args:
        lines: what the guest said.
        kernel: its Image, whose banner it has to show; empty: any kernel's will do.

    Raises:
        CheckFailed: none does, or another one.
    """
    banner = next((line for line in lines if "Linux version " in line), None)
    if banner is None:
        raise CheckFailed("no banner on the guest's console", details=lines[-5:])
    wanted_banner = banner_of(kernel)
    if wanted_banner not in banner:
        raise CheckFailed(
            "the banner on the console is not that of the guest's Image",
            details=[f"found  {banner.strip()}", f"wanted {wanted_banner}"],
        )
    return banner.partition("Linux version ")[2].split()[0]


def _check_sleep(lines: Sequence[str]) -> None:
    text = "\n".join(lines)
    match = re.search(r"^linux: slept from ([\d.]+) to ([\d.]+)$", text, re.MULTILINE)
    # /proc/uptime has hundredths of a second.
    if match is None or float(match[2]) - float(match[1]) < _SLEEP_S - 0.02:
        raise CheckFailed(f"the guest's sleep of {_SLEEP_S} s is wrong: {match and match[0]}")


def run_and_judge(smoke: Smoke, vcpus: int, *options: str) -> str:
    """Launch Linux with so many vCPUs, judge its console and that nothing of it is left."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    start = console_size(smoke)
    began = time.monotonic()
    run = launch(smoke, vcpus, *options)
    smoke.metrics[f"linux_{vcpus}_s"] = time.monotonic() - began
    lines = console_lines(smoke, start)
    end = run.first("vm") or {}
    if run.error or end.get("reason") != "shutdown":
        raise CheckFailed(
            run.error or f"the guest ended by {end.get('reason')}",
            f"see {CONSOLE_LOG}, tsm.log",
            details=[line[:100] for line in (lines[-5:] or run.messages[-5:])],
        )
    for part in ("launch", "run"):
        # Ticks of 100 ns by the host's clock; with -icount they are instructions.
        smoke.metrics[f"linux_{vcpus}_{part}_ticks"] = number(end, f"{part}_ticks")
    said = judge(lines, nonce(smoke, vcpus), vcpus, smoke.files[KERNEL])
    after = smoke.need_recorder().stats(host.machine.ram)
    gone = smoke_checks.check_teardown(host, run, run, smoke.before, after)
    accesses = number(end, "mmio")
    if bool(accesses) != (needs_uart(smoke.config) or "--uart" in options):
        raise CheckFailed(f"{accesses} accesses to a 16550 were emulated")
    console = f"{accesses} accesses emulated; " if accesses else ""
    return f"{said}; {_demand(smoke, end)}; {console}{gone}"


def _demand(smoke: Smoke, end: JsonObject) -> str:
    """Check that each 2 MiB of the guest cost one exit for memory at most; return what it got."""
    blocks, demands = smoke.config.tvm.memory_mib // 2, number(end, "demands")
    if not 0 < demands <= blocks:
        raise CheckFailed(f"{demands} exits for memory, of which {blocks} blocks of 2 MiB have one")
    large, small = number(end, "large_pages"), number(end, "zero_pages")
    return f"{demands} exits for {large} pages of 2 MiB and {small} of 4 KiB"


_WRONG = (
    ("/guest/none", "No such file"),
    ("/bin/busybox", "no riscv Linux Image"),
    (f"{KERNEL} --initrd /guest/none", "No such file"),
    (f"{KERNEL} --memory 33", "an even number of MiB"),
    (f"{KERNEL} --initrd {INITRD} --shim /payload/hello.elf", "a shim starts at"),
    (f"{KERNEL} --vcpus 9", "--vcpus is 1 to 8"),
)


def refused(smoke: Smoke) -> str:
    """Give the tools files and numbers that will not do; each is refused with its reason."""
    shell = smoke.need_host().shell
    wrong = [(tool, *one) for tool in ("tvm", "kvm") for one in _WRONG]
    for tool, words, says in wrong:
        # A plain guest of KVM has no shim.
        says = "unexpected" if tool == "kvm" and "--shim" in words else says
        result = shell.run(f"{tool} linux {words} 2>&1")
        if result.status != _USAGE or says not in result.output:
            raise CheckFailed(
                f"`{tool} linux {words}` ends with {result.status} and does not say {says!r}",
                details=result.output.splitlines()[-3:],
            )
    return f"{len(wrong)} wrong uses are refused"


def one(smoke: Smoke) -> str:
    """Boot the host's kernel as a TVM with one vCPU, to its power off."""
    return run_and_judge(smoke, 1)


def several(smoke: Smoke) -> str:
    """Boot it with two vCPUs, and with four at night or where there are as many harts.

    Their memory comes in pages of 4 KiB, so that a vCPU meets those which another has asked for.
    """
    counts = [2, 4] if NIGHTLY or smoke.config.machine.harts >= 4 else [2]
    return "; ".join(f"{count} vCPUs: {run_and_judge(smoke, count, '--small')}" for count in counts)
