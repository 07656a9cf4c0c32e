# SPDX-License-Identifier: Apache-2.0
"""Where things are in a guest of the QEMU that runs on the host."""

from __future__ import annotations

START = "/guest/start.elf"
"""The file on the host with what vCPU 0 runs first, which is at the bottom of the memory."""
RAM = 0x80000000
"""That bottom."""
KERNEL = 0x80200000
"""Where the guest's kernel is, and what vCPU 0 runs first jumps to."""
