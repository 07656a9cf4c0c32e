# SPDX-License-Identifier: Apache-2.0
"""Teardown matrix: TVMs are ended in every state of their lives, and nothing may be left of them.

Half built, running, faulted, waiting in WFI, in the middle of sharing a page, at moments by chance,
without memory; the VMM ends in order or is killed. Each time the TSM counts as before, all pages
are the host's, readable and empty, and the next launch works.
"""

from __future__ import annotations

from harness.scenarios.linux_tvm import build
from harness.scenarios.runner import Step
from harness.scenarios.smoke import Smoke, boot, poweroff, sources, tools
from harness.scenarios.smp import begin, healthy
from harness.scenarios.teardown_memory import crowded, exhausted, usable
from harness.scenarios.teardown_moments import moments
from harness.scenarios.teardown_states import (
    built,
    ending,
    faulted,
    running,
    sharing,
    waiting,
    whole,
)

_CHECKS = (
    ("tools", tools),
    ("sources", sources),
    ("build", build),
    ("boot", boot),
    ("tsm", begin),
    ("whole", whole),
    ("built", built),
    ("ending", ending),
    ("running", running),
    ("faulted", faulted),
    ("sharing", sharing),
    ("waiting", waiting),
    ("crowded", crowded),
    ("exhausted", exhausted),
    ("moments", moments),
    ("usable", usable),
    ("healthy", healthy),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
