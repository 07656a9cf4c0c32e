# SPDX-License-Identifier: Apache-2.0
"""The switch trace: event rings, the TSM's log and counts, QEMU's interrupt log, the six steps."""
