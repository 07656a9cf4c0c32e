# SPDX-License-Identifier: Apache-2.0
"""What running side by side gains: smoke runs against bare QEMU boots of the same images."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.bench.smoke import bare_argv, seconds_of
from harness.build.artefacts import Artefacts
from harness.cells.backend import Backend, local_backend
from harness.cells.cell import Cell
from harness.cells.room import LocalRoom, free_memory_mib
from harness.cells.schedule import Scheduler
from harness.config.schema import Config
from harness.errors import InfraError
from harness.machine.rundir import RunDir
from harness.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Gain:
    """Wall times of rounds of the same number of runs, in seconds."""

    in_turn_s: tuple[float, ...]
    at_once_s: tuple[float, ...]

    @property
    def factor(self) -> float:
        """How many times faster they are side by side: the median of the rounds."""
        rounds = zip(self.in_turn_s, self.at_once_s, strict=True)
        return median(turn / once for turn, once in rounds)


@dataclass(frozen=True, slots=True)
class ParallelBench:
    """The gains of bare boots and of smoke runs, with `jobs` of them at once."""

    jobs: int
    bare: Gain
    smoke: Gain

    @property
    def reached(self) -> float:
        """The share of the bare boots' gain that the smoke runs reach."""
        return self.smoke.factor / self.bare.factor

    def lines(self) -> list[str]:
        """Return what is printed."""
        rows = [("bare boots", self.bare), ("smoke runs", self.smoke)]
        table = [
            f"{name}  {self.jobs} in turn {median(gain.in_turn_s):.3f} s,"
            f" at once {median(gain.at_once_s):.3f} s, gain {gain.factor:.2f}"
            for name, gain in rows
        ]
        return [*table, f"smoke runs reach {self.reached:.2f} of the gain of bare boots"]

    def as_json(self) -> dict[str, object]:
        """Return the times and what follows from them."""
        kinds = {"bare": self.bare, "smoke": self.smoke}
        times = {
            name: {
                "in_turn_s": gain.in_turn_s,
                "at_once_s": gain.at_once_s,
                "gain": round(gain.factor, 4),
            }
            for name, gain in kinds.items()
        }
        return {"jobs": self.jobs, **times, "reached": round(self.reached, 4)}


def measure(config: Config, artefacts: Artefacts, rounds: int, jobs: int) -> ParallelBench:
    """Boot bare and run the smoke `jobs` times in turn and at once, in each round.

    Args:
        config: the machine.
        artefacts: what it boots.
        rounds: measurements of each kind.
        jobs: runs at once.

    Raises:
        InfraError: a run did not pass.
    """
    with tempfile.TemporaryDirectory(prefix="teecall-bench-") as name, local_backend(jobs) as where:
        folder = Path(name)
        bare = bare_argv(config, artefacts, RunDir(folder))
        smokes = _Smokes(config, folder, where, jobs)
        # The process that all others are forked from starts with the first run.
        smokes(1)
        times = [
            (_boots(bare, jobs, 1), _boots(bare, jobs, jobs), smokes(1), smokes(jobs))
            for _ in range(rounds)
        ]
    one, many, smoke_one, smoke_many = zip(*times, strict=True)
    return ParallelBench(jobs, Gain(one, many), Gain(smoke_one, smoke_many))


def _boots(command: list[str], number: int, at_once: int) -> float:
    with ThreadPoolExecutor(at_once) as pool:
        return _seconds(lambda: list(pool.map(seconds_of, [command] * number)))


@dataclass
class _Smokes:
    """Runs as many smokes as there are jobs, and returns the wall time in seconds."""

    config: Config
    folder: Path
    where: Backend
    jobs: int
    round: int = 0

    def __call__(self, at_once: int) -> float:
        self.round += 1
        cells = [
            Cell("smoke", self.config, str(n), self.folder / f"{self.round}-{n}")
            for n in range(self.jobs)
        ]
        room = LocalRoom(at_once, free_memory_mib())
        scheduler = Scheduler(self.where.executor, room, self.where.run)
        return _seconds(lambda: self._check(scheduler, cells))

    def _check(self, scheduler: Scheduler, cells: list[Cell]) -> None:
        for result in scheduler.results(cells):
            if result.verdict is not Verdict.PASS or result.spoilt:
                why = [f"{failure.check}: {failure.message}" for failure in result.failures]
                raise InfraError(f"a smoke run ended with {result.verdict}", details=why)


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
