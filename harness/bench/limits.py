# SPDX-License-Identifier: Apache-2.0
"""What the harness may cost: every number with its limit, beside what the bare machine needs.

A number that has a bare equivalent is measured in turns with it, so that both see the same load;
on a crowded workstation compare the two columns, not the number with its limit. What counts as
the smoke's cost is everything from the start of the Python process to its end: two TVM launches,
the audit of their steps and the isolation attempts are in it, and are not in the bare boot, which
is QEMU's alone with the same images and init script, to power-off.
"""

from __future__ import annotations

import compileall
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import harness
from harness.bench.consoles import ChannelTimes, both, medians, round_trips, transfers
from harness.bench.parallel import ParallelBench
from harness.bench.parallel import measure as measure_parallel
from harness.bench.smoke import SmokeTimes, seconds_of
from harness.bench.smoke import measure as measure_smoke
from harness.build.artefacts import Artefacts
from harness.config.schema import Config

SMOKE_RATIO = 1.5
PORT_MS = 2.0
SERIAL_MS = 5.0
TRANSFER_S = 0.5
IMPORT_S = 0.15
HELP_S = 0.25
NOOP_BUILD_S = 0.3
PARALLEL_SHARE = 0.95
_TURNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, its limit, and what the bare machine or interpreter needs (None: nothing is).

    `at_least` turns the limit around.
    """

    name: str
    value: float
    bare: float | None
    limit: float
    unit: str
    at_least: bool = False

    @property
    def within(self) -> bool:
        """Whether the limit is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        """Return what is printed."""
        bare = "" if self.bare is None else f"{self.bare:.3f}"
        sign = ">=" if self.at_least else "<="
        verdict = "PASS" if self.within else "over"
        return (
            f"{self.name:<34} {self.value:>8.3f} {self.unit:<3} {bare:>8}"
            f"  {sign} {self.limit:<5g} {verdict}"
        )


HEADER = f"{'':<34} {'harness':>8} {'':<3} {'bare':>8}  limit"


@dataclass(frozen=True, slots=True)
class HarnessBench:
    """All figures, and the times they follow from."""

    figures: tuple[Figure, ...]
    parallel: ParallelBench
    smoke: SmokeTimes
    channels: dict[str, ChannelTimes]

    def lines(self) -> list[str]:
        """Return what is printed."""
        return [*self.parallel.lines(), "", HEADER, *(figure.line() for figure in self.figures)]

    def as_json(self) -> dict[str, object]:
        """Return the figures and the times."""
        return {
            **self.parallel.as_json(),
            "figures": [{**asdict(one), "within": one.within} for one in self.figures],
            "smoke_times": asdict(self.smoke),
            "channels": {name: asdict(times) for name, times in self.channels.items()},
        }


def measure(
    config: Config, artefacts: Artefacts, arguments: list[str], rounds: int, jobs: int
) -> HarnessBench:
    """Measure everything.

    Args:
        config: the machine.
        artefacts: what it boots.
        arguments: options that give `teecall` the same configuration.
        rounds: measurements of each kind.
        jobs: runs at once.

    Raises:
        InfraError: a run failed, or output was lost.
    """
    # As after an installation: some environments let Python write no bytecode by itself.
    compileall.compile_dir(str(Path(harness.__file__).parent), quiet=2)
    smoke = measure_smoke(config, artefacts, arguments, rounds)
    channels = _channels(config, artefacts, rounds)
    starts = _starts(arguments, rounds)
    parallel = measure_parallel(config, artefacts, rounds, jobs)
    figures = (
        Figure("smoke / bare boot", smoke.ratio, 1.0, SMOKE_RATIO, ""),
        _milliseconds("round trip, port", channels["port"], PORT_MS),
        _milliseconds("round trip, serial", channels["serial"], SERIAL_MS),
        Figure("10 MB of output, port", *medians(channels["output"]), TRANSFER_S, "s"),
        *starts,
        Figure(
            f"{jobs} smokes at once, share of gain",
            parallel.reached,
            1.0,
            PARALLEL_SHARE,
            "",
            at_least=True,
        ),
    )
    return HarnessBench(figures, parallel, smoke, channels)


def _milliseconds(name: str, times: ChannelTimes, limit: float) -> Figure:
    ours, bare = medians(times)
    return Figure(name, ours * 1e3, bare * 1e3, limit, "ms")


def _channels(config: Config, artefacts: Artefacts, rounds: int) -> dict[str, ChannelTimes]:
    with tempfile.TemporaryDirectory(prefix="teecall-bench-") as name:
        with both(config, artefacts, Path(name), "port") as (shell, plain):
            port = round_trips(shell, plain, _TURNS)
            output = transfers(shell, plain, rounds)
        with both(config, artefacts, Path(name), "serial") as (shell, plain):
            serial = round_trips(shell, plain, _TURNS)
    return {"port": port, "output": output, "serial": serial}


def _starts(arguments: list[str], rounds: int) -> list[Figure]:
    """Time what starts a Python process, in turns with one that does nothing."""
    python = [sys.executable]
    commands = {
        "import harness": ([*python, "-c", "import harness"], IMPORT_S),
        "teecall --help": ([*python, "-m", "harness", "--help"], HELP_S),
        "no-op build": ([*python, "-m", "harness", "build", "-q", *arguments], NOOP_BUILD_S),
    }
    empty = [*python, "-c", "pass"]
    # The first of each reads files that the later ones find in memory.
    turns = [
        [seconds_of(empty), *(seconds_of(command) for command, _ in commands.values())]
        for _ in range(rounds + 1)
    ][1:]
    bare, *others = [median(column) for column in zip(*turns, strict=True)]
    return [
        Figure(name, value, bare, limit, "s")
        for (name, (_, limit)), value in zip(commands.items(), others, strict=True)
    ]
