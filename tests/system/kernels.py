# SPDX-License-Identifier: Apache-2.0
"""Kernels of a run, the host's and those of its Linux guests, and what their consoles say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

NIGHTLY = bool(os.environ.get("TEECALL_NIGHTLY"))
# All that the host and the guests can have, those first that every run of the tests has.
KERNELS = [("small", "small"), ("debian", "small"), ("small", "debian"), ("debian", "debian")]
# What only one of the two says of itself
MARKS = {"small": "(teecall@teecall)", "debian": "#1 SMP Debian"}


def words_of(host: str, guest: str) -> list[str]:
    """Return the words of a command line that give the machine these kernels."""
    fragment = ["-c", "debian-tvm"] if guest == "debian" else []
    return ["--set", f"host.kernel={host}", *fragment]


def banners(log: Path) -> list[str]:
    """Return the lines of a console by which kernels introduce themselves."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if "Linux version " in line]


def check_banners(folder: Path, kernels: Mapping[str, str]) -> None:
    """Check that on each console only the kernel that it is to have introduces itself.

    A guest that is killed in the middle of its banner has not said which one it is.

    Args:
        folder: of the run.
        kernels: by the console's file.
    """
    for name, kernel in kernels.items():
        found = banners(folder / name)
        said = {each for each, mark in MARKS.items() if any(mark in line for line in found)}
        assert said == {kernel}, f"{name}: {found}"
