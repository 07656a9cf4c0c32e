# SPDX-License-Identifier: Apache-2.0
"""Where things are in a guest of the QEMU that runs on the host."""

from __future__ import annotations

GUEST_RAM = 0x80000000
"""The bottom of its memory, where start.elf is and vCPU 0 begins."""
GUEST_KERNEL = 0x80200000
"""Its kernel, where start.elf jumps to."""
