# SPDX-License-Identifier: Apache-2.0
"""Audit without a dialogue: the host does not wait to be let go to its end, time is instructions.

The live audit looks at a machine that runs before it lets the TSM die. Here that word is in the
host's image, and everything is judged when the machine has switched itself off: by the memory
that it has left, which the same machine leaves the same each time.
"""

from __future__ import annotations

from harness.errors import MachineError
from harness.machine.deadline import scaled
from harness.scenarios import audit
from harness.scenarios.runner import Skipped, Step
from harness.scenarios.smoke import Smoke
from harness.scenarios.sweep_machine import deterministic

# As in the scripted smoke: 2**3 ns an instruction.
_SHIFT = 3
_DIED = b"tsmd: TSM fault at: mepc="


def boot(smoke: Smoke) -> str:
    """Boot, and let the audit run to its end, which is behind the TSM's death."""
    config = deterministic(smoke.config, _SHIFT)
    machine = audit.power_on(smoke, config, smoke.derived("rng", 32))
    try:
        with machine.allow("tsm", from_power_on=True):
            machine.wait_off(scaled("the audit", config.timeouts.stall_s))
        if audit.COMPLETE not in machine.uart.read(0):
            raise MachineError("the audit did not come to its end", "see uart.log")
    except MachineError as error:
        audit.add_what_is_known(smoke, error)
        raise
    return "the audit host ran to its end"


def probe(smoke: Smoke) -> str:
    """Check that each hart has made its calls, and that each CSR it has is classified."""
    machine = smoke.machine
    if machine is None or audit.COMPLETE not in machine.uart.read(0):
        raise Skipped("the audit did not come to its end")
    return audit.judge_probe(smoke)


def fault(smoke: Smoke) -> str:
    """Check that the caller of the TSM that died finds its own registers, none of its."""
    machine = smoke.machine
    if machine is None or audit.COMPLETE not in machine.uart.read(0):
        raise Skipped("the audit did not come to its end")
    return audit.judge_fault(smoke, died=_DIED in machine.uart.read(0))


_OWN = {step.__name__: step for step in (boot, probe, fault)}
STEPS: tuple[Step[Smoke], ...] = tuple(
    Step(step.name, _OWN.get(step.name, step.run)) for step in audit.STEPS
)
