# SPDX-License-Identifier: Apache-2.0
"""One QEMU: process supervision, memory, consoles, monitor, device tree, forensics."""
