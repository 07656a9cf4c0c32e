# SPDX-License-Identifier: Apache-2.0
"""Linux with devices: disks, random bytes and a network for a Linux TVM, and for a KVM guest.

The devices are virtio-mmio ones that the VMM emulates. A TVM's rings and buffers lie in a pool that
its boot shim has shared with the host; nothing else of it can be read by the host.
"""

from __future__ import annotations

from harness.build.linux_guest import GuestKernelRecipe
from harness.scenarios import linux_tvm
from harness.scenarios.linux_disks import again, kvm, outside, prepare, refused, tvm
from harness.scenarios.runner import Step
from harness.scenarios.smoke import Smoke, boot, poweroff, sources, tools
from harness.scenarios.smp import begin


def _build(smoke: Smoke) -> str:
    return linux_tvm.build(smoke, GuestKernelRecipe())


_CHECKS = (
    ("tools", tools),
    ("sources", sources),
    ("build", _build),
    ("boot", boot),
    ("tsm", begin),
    ("refused", refused),
    ("disks", prepare),
    ("tvm", tvm),
    ("kvm", kvm),
    ("again", again),
    ("outside", outside),
    ("poweroff", poweroff),
)
STEPS: tuple[Step[Smoke], ...] = tuple(Step(name, check) for name, check in _CHECKS)
