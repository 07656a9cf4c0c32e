# SPDX-License-Identifier: Apache-2.0
"""Linux TVM: an unmodified Linux kernel runs as a confidential guest, to its userspace and off.

It runs alone with one vCPU, with several, beside a plain KVM guest of the same kernel and work of
the host's own; its VMM is killed at every stage, and nothing may be left of it.
"""

from __future__ import annotations

from harness.scenarios.linux_killed import killed
from harness.scenarios.linux_tvm import build, one, refused, several
from harness.scenarios.linux_worlds import together
from harness.scenarios.runner import Step
from harness.scenarios.smoke import Smoke, boot, poweroff, sources, tools
from harness.scenarios.smp import begin

_CHECKS = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin),
    ("refused", refused),
    ("one", one),
    ("killed", killed),
    ("several", several),
    ("together", together),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
