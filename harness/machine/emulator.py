# SPDX-License-Identifier: Apache-2.0
"""The emulator that the configuration names, checked before anything is booted in it."""

from __future__ import annotations

from harness.config.schema import Config
from harness.errors import ToolMissing
from harness.resources import cache_dir
from harness.tools import QEMU, VersionCache, parse_version, shown


def check_emulator(config: Config) -> str:
    """Return the version of `qemu.binary`.

    Raises:
        ToolMissing: it is not there, is no QEMU, is one for another machine, or is too old.
    """
    binary = config.qemu.binary
    line = VersionCache(cache_dir() / "stat" / "tools.json").line(binary, "qemu.binary")
    found = parse_version(line)
    if not found or "QEMU" not in line:
        raise ToolMissing(f"{binary} is no QEMU: it says `{line}`", "correct qemu.binary")
    if found < QEMU.minimum:
        raise ToolMissing(
            f"{binary} is {shown(found)}; teecall needs {shown(QEMU.minimum)} or newer",
            "run scripts/setup (backports on Debian 12), or set qemu.binary",
        )
    return shown(found)
