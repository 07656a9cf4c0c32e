# SPDX-License-Identifier: Apache-2.0
"""Three worlds at once: work of the host's own, a plain KVM guest with Linux, and a Linux TVM."""

from __future__ import annotations

import hashlib
import math
import shlex

from harness.host.host import Host
from harness.host.results import GuestRun, parse_answer
from harness.machine.deadline import slowness
from harness.scenarios.linux_tvm import KERNEL, judge, nonce, run_and_judge, words_of
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke

_CONSOLE = "/tmp/kvm.console"
_NUMBERS = 30000
# Until the KVM guest is on its way: it is asked so often, every 10 ms.
_TRIES = 3000


def together(smoke: Smoke) -> str:
    """Run the same kernel as a KVM guest and, with a 16550, as a TVM, while the host works."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    vcpus = min(2, smoke.config.machine.harts)
    _start(smoke, host, vcpus)
    _await_banner(host)
    tvm = run_and_judge(smoke, 1, "--uart")
    kvm = _finish(smoke, host, vcpus)
    return f"KVM guest with {vcpus} vCPUs: {kvm}; TVM: {tvm}"


def _start(smoke: Smoke, host: Host, vcpus: int) -> None:
    """Start the KVM guest and the host's work in the background."""
    seconds = math.ceil(2 * smoke.config.timeouts.guest_s * slowness())
    words = words_of(smoke.config, _CONSOLE, vcpus, nonce(smoke, vcpus))
    command = shlex.join(["kvm", *words, "--json", "--timeout", str(seconds)])
    host.shell.run(f"{command} >/tmp/kvm.events 2>&1 & kvm=$!")
    host.shell.run(f"{{ seq 1 {_NUMBERS} | sha256sum >/tmp/work; }} & work=$!")


def _await_banner(host: Host) -> None:
    """Wait until the KVM guest runs, so that the TVM is launched beside it."""
    said = f"grep -q 'Linux version' {_CONSOLE} 2>/dev/null"
    tries = f"tries={_TRIES}; while ! {said} && [ $tries -gt 0 ] && kill -0 $kvm; do"
    host.shell.run(f"{tries} usleep 10000; tries=$((tries - 1)); done", _TRIES / 100)
    if not host.shell.run(f"{said} && ! grep -q 'linux: bye' {_CONSOLE}").ok:
        raise CheckFailed("the KVM guest does not run as the TVM is to come beside it")


def _finish(smoke: Smoke, host: Host, vcpus: int) -> str:
    """Wait for both and judge them."""
    limit = 2 * smoke.config.timeouts.guest_s
    status = host.shell.run("wait $work; wait $kvm", limit).status
    answer = parse_answer(host.get("/tmp/kvm.events").decode(errors="replace"), status)
    run = GuestRun(answer.objects, answer.messages, status)
    lines = host.get(_CONSOLE).decode(errors="replace").replace("\r", "").splitlines()
    smoke.run.write("kvm-console.log", "\n".join(lines) + "\n")
    if run.trouble:
        raise CheckFailed(f"KVM: {run.trouble}", "see kvm-console.log", details=lines[-5:])
    said = judge(lines, nonce(smoke, vcpus), vcpus, smoke.files[KERNEL])
    text = "".join(f"{number}\n" for number in range(1, _NUMBERS + 1))
    wanted = hashlib.sha256(text.encode()).hexdigest()
    found = host.get("/tmp/work").decode()
    if not found.startswith(wanted):
        raise CheckFailed(f"the host's own work gave {found[:64]}, not {wanted}")
    return said
