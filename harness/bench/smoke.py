# SPDX-License-Identifier: Apache-2.0
"""A smoke run against the bare QEMU boot of the same images, side by side.

The smoke's time is the wall time of a `teecall smoke` process with everything built: from the
interpreter's start to its exit, evidence and history written. The bare time is the wall time of
`qemu-system-riscv64` with the same images, machine and init script, which switches the machine
off where it would start the shell; its consoles go nowhere. The ratio is that of the medians.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import InfraError
from harness.machine.argv import Wiring, qemu_argv
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir

_LIMIT_S = 300.0
# Our init switches the machine off when it is up.
_STRAIGHT_OFF = "teecall.off"
BARE_WIRING = Wiring(
    memory="memory-backend-memfd,share=on",
    uart="null",
    shell="null",
    monitor=(),
    interrupt_log=Path(os.devnull),
)


@dataclass(frozen=True, slots=True)
class SmokeTimes:
    """Wall times in seconds: bare boots to power-off, and smoke runs, in turns."""

    bare_s: tuple[float, ...]
    smoke_s: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of the smoke runs over median of the bare boots."""
        return median(self.smoke_s) / median(self.bare_s)


def measure(
    config: Config, artefacts: Artefacts, smoke_arguments: list[str], runs: int
) -> SmokeTimes:
    """Boot bare and run the smoke `runs` times each, in turns, so that both see the same load.

    Args:
        config: the machine.
        artefacts: what both boot.
        smoke_arguments: options that give `teecall smoke` the same configuration.
        runs: measurements of each kind.

    Raises:
        InfraError: a run failed or did not end.
    """
    with tempfile.TemporaryDirectory(prefix="teecall-bench-") as folder:
        bare = bare_argv(config, artefacts, RunDir(Path(folder)))
        smoke = [sys.executable, "-m", "harness", "smoke", "-q", *smoke_arguments]
        pairs = [(seconds_of(bare), seconds_of(smoke)) for _ in range(runs)]
    return SmokeTimes(tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))


def bare_argv(config: Config, artefacts: Artefacts, run: RunDir) -> list[str]:
    """Return the command that boots the machine and switches it off at once.

    Args:
        config: the machine.
        artefacts: what it boots.
        run: folder for the files of the boot.
    """
    bare = bare_config(config)
    return qemu_argv(bare, prepare_boot(bare, artefacts, run, {}), BARE_WIRING)


def bare_config(config: Config) -> Config:
    """Return the machine whose kernel switches it off instead of starting init."""
    words = f"{config.host.cmdline} {_STRAIGHT_OFF}".strip()
    host = msgspec.structs.replace(config.host, cmdline=words)
    return msgspec.structs.replace(config, host=host)


def seconds_of(command: list[str]) -> float:
    """Run a command and return its wall time in seconds.

    Raises:
        InfraError: it failed or did not end.
    """
    started = time.monotonic()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfraError(f"{command[0]} did not end in {_LIMIT_S:g} s") from error
    if done.returncode:
        said = done.stdout.decode(errors="replace").splitlines()[-5:]
        raise InfraError(f"{command[0]} ended with status {done.returncode}", details=said)
    return time.monotonic() - started
