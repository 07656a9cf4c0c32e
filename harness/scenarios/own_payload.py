# SPDX-License-Identifier: Apache-2.0
"""A payload of yours (tvm.payload): run as a TVM, to its system reset; nothing of it is left.

It is S-mode code, an ELF file or a flat binary, that starts with a0 = hart id and a1 = device
tree. What it prints is in guest-console.log. Without the key it is teecall's hello.
"""

from __future__ import annotations

import math

from harness.host.boot import powered, reach_shell
from harness.host.results import GuestRun, number
from harness.machine.deadline import slowness
from harness.scenarios import smoke_checks
from harness.scenarios.runner import CheckFailed, Skipped, Step
from harness.scenarios.smoke import Smoke, build, poweroff, sources, tools
from harness.scenarios.smp import begin
from harness.trace.record import Recorder

CONSOLE_LOG = "guest-console.log"
_PATH = "/payload/own"
_SHOWN = 60


def boot(smoke: Smoke) -> str:
    """Boot with the payload in the host's initramfs."""
    artefacts = smoke.artefacts
    if artefacts is None:
        raise Skipped("nothing was built")
    files = {_PATH: artefacts.hello_elf.read_bytes()}
    machine = smoke.stack.enter_context(powered(smoke.config, artefacts, smoke.run, files))
    smoke.machine = machine
    smoke.recorder = Recorder(artefacts, smoke.config.machine.harts)
    smoke.on_power(machine)
    smoke.host = reach_shell(machine)
    return f"with {artefacts.hello_elf.name}, {len(files[_PATH])} bytes"


def payload(smoke: Smoke) -> str:
    """Run the payload as a TVM until it resets the system."""
    host = smoke.need_host()
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    seconds = smoke.config.timeouts.guest_s
    limit = math.ceil(seconds * slowness())
    answer = host.tvm_json("payload", _PATH, "--timeout", limit, timeout=seconds + 10.0)
    run = GuestRun(answer.objects, answer.messages, answer.status)
    smoke.launched = run
    smoke.run.write(CONSOLE_LOG, "".join(f"{line}\n" for line in run.lines))
    if run.trouble:
        raise CheckFailed(
            run.trouble,
            f"see {CONSOLE_LOG}, tsm.log",
            details=[*run.lines[-5:], *run.messages[-3:]],
        )
    pages = len(run.pages)
    last = run.lines[-1][:_SHOWN] if run.lines else "nothing"
    exits = (run.first("vm") or {}).get("exits")
    demand = number(run.first("vm") or {}, "zero_pages")
    return (
        f"{pages} measured pages, {demand} on demand, exits {exits}; {len(run.lines)} lines, the"
        f" last: {last}"
    )


def gone(smoke: Smoke) -> str:
    """Check that nothing of it is left, with the host and in the TSM."""
    host, run = smoke.need_host(), smoke.need_launch()
    assert smoke.before is not None
    after = smoke.need_recorder().stats(host.machine.ram)
    return smoke_checks.check_teardown(host, run, run, smoke.before, after)


_CHECKS = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin),
    ("payload", payload),
    ("gone", gone),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
