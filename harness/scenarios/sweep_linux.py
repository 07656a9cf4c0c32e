# SPDX-License-Identifier: Apache-2.0
"""The part of the interrupt sweep that needs Linux."""

from __future__ import annotations

from harness.scenarios.runner import Step
from harness.scenarios.smoke import Smoke

STEPS: tuple[Step[Smoke], ...] = ()
