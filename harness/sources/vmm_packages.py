# SPDX-License-Identifier: Apache-2.0
"""What the lock calls the packages of the VMM that runs inside the host (`worlds.vmm: qemu`)."""

from __future__ import annotations

PREFIX = "vmm-"
"""Begins the name of each; the rest is the package's own."""
PACKAGE = "qemu-system-riscv"
NAME_OF_VMM = PREFIX + PACKAGE
