# SPDX-License-Identifier: Apache-2.0
"""Kernels that teecall has itself, by the names that `host.kernel` and `tvm.kernel` take."""

from __future__ import annotations

SMALL = "small"
"""The pinned Linux with the configuration of guest-images/host/kernel.config."""
DEBIAN = "debian"
"""Debian's riscv64 kernel, the pinned package as it is."""
NAMES = (SMALL, DEBIAN)
KEYS = ("host.kernel", "tvm.kernel")


def is_name(value: str) -> bool:
    """Tell the name of a kernel from a path; `./debian` is a file."""
    return value in NAMES
