# SPDX-License-Identifier: Apache-2.0
"""A TVM and its vCPUs (cove.md 3.5)."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.conformance.model.gstage import GStage
from harness.conformance.model.guest import Guest


@dataclass
class Tvm:
    """A TVM; `version` counts its fences, which end at once while no vCPU runs."""

    runnable: bool = False
    version: int = 0
    gstage: GStage = field(default_factory=GStage)
    vcpus: dict[int, Guest] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    entry: int = 0
