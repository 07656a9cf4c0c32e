# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect` against `git bisect run` with a plain script, over the same commits."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.bench.history import Edit, History, Recipe, make_history
from harness.bench.smoke import BARE_WIRING, bare_config
from harness.bisect.journal import load_bisection
from harness.bisect.plan import Purpose
from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import InfraError
from harness.machine.argv import qemu_argv
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir

# The domain switch asks this of the TSM's memory when it starts: the machine does not boot.
_LINE = "\tunsigned long max = addr + size;\n"
REGRESSION = Edit("lib/sbi/sbi_domain.c", _LINE, f'{_LINE}\t__asm__("unimp");\n')
# Linux tells it when it boots. A boot takes a second or two; a plain script waits a little longer.
EXPECTED = "SBI implementation ID=0x1 "
_BOOT_S = 10
_LIMIT_S = 7200.0
_UNTESTABLE = 125
_FIRST_BAD = " is the first bad commit"


@dataclass(frozen=True, slots=True)
class BisectBench:
    """Wall times in seconds and what was found; `steps` are those between the ends.

    `plain_found` and `found` are the commits that were named, `culprit` is the right one.
    """

    commits: int
    culprit: str
    plain_s: float
    plain_steps: int
    plain_found: str
    first_s: float
    steps: int
    found: str
    repeat_s: float
    repeat_found: str

    @property
    def ratio(self) -> float:
        """How many times faster the first search is than the plain one."""
        return self.plain_s / self.first_s

    @property
    def repeat_ratio(self) -> float:
        """How many times faster the repeated search is than the plain one."""
        return self.plain_s / self.repeat_s

    @property
    def most_steps(self) -> int:
        """The steps that a search should need at most, log2(n) + 2."""
        return math.ceil(math.log2(self.commits)) + 2

    def lines(self) -> list[str]:
        """Return what is printed."""
        rows = [
            ("git bisect run", self.plain_s, 1.0, self.plain_steps, self.plain_found),
            ("teecall bisect", self.first_s, self.ratio, self.steps, self.found),
            ("  repeated", self.repeat_s, self.repeat_ratio, None, self.repeat_found),
        ]
        table = [
            f"{name:<15} {seconds:8.1f} s  {ratio:6.2f} x  "
            + (f"{steps:3} steps" if steps is not None else " " * 9)
            + f"  {'right' if found == self.culprit else f'WRONG: {found or None}'}"
            for name, seconds, ratio, steps, found in rows
        ]
        return [
            f"{self.commits} commits, first bad {self.culprit[:12]}",
            *table,
            f"steps of log2(n) + 2 = {self.most_steps}; both ends are verified besides",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        more = {"ratio": self.ratio, "repeat_ratio": self.repeat_ratio}
        return {**asdict(self), **more, "most_steps": self.most_steps}


def measure(
    config: Config,
    artefacts: Artefacts,
    trees: tuple[Path, Sequence[Path]],
    options: Sequence[str],
    folder: Path,
    recipe: Recipe,
) -> BisectBench:
    """Search the same history in both ways.

    Args:
        config: the machine that both boot.
        artefacts: its images; the plain search replaces the firmware.
        trees: OpenSBI of the good end, and the folders of the domain switch's files.
        options: of the command line, that give another `teecall` the same configuration.
        folder: an empty one, for the history, its copy and the evidence.
        recipe: the history; a seed that was not used before makes its commits unknown to the
            store.

    Raises:
        InfraError: a search did not end.
    """
    history = make_history(trees[0], folder / "history", recipe)
    plain = plain_search(config, artefacts, trees[1], history, folder)
    first_s, _ = _teecall(history, options, folder / "first")
    repeat_s, _ = _teecall(history, options, folder / "repeated")
    return BisectBench(
        recipe.commits,
        history.culprit,
        *plain,
        first_s,
        _steps(folder / "first"),
        _found(folder / "first"),
        repeat_s,
        _found(folder / "repeated"),
    )


def plain_search(
    config: Config,
    artefacts: Artefacts,
    overlay: Sequence[Path],
    history: History,
    folder: Path,
) -> tuple[float, int, str]:
    """Search with `git bisect run` and a script of make, QEMU and grep.

    The builds are incremental, in the work tree; ends are not verified, as usual.

    Returns:
        Seconds, steps, and the commit that was named.

    Raises:
        InfraError: it did not end.
    """
    clone = folder / "plain"
    _run(["git", "clone", "--quiet", "--no-checkout", str(history.repo), str(clone)])
    script = _script(config, artefacts, clone, folder)
    # As an engineer has them there: files of the domain switch that git does not know.
    place = clone / "lib/sbi/tsmd"
    for source in overlay:
        shutil.copytree(source, place, dirs_exist_ok=True)
    git = ["git", "-C", str(clone)]
    _run([*git, "checkout", "--quiet", history.bad])
    began = time.monotonic()
    _run([*git, "bisect", "start", history.bad, history.good])
    said = _run([*git, "bisect", "run", str(script)])
    took = time.monotonic() - began
    named = [line for line in said.splitlines() if line.endswith(_FIRST_BAD)]
    log = _run([*git, "bisect", "log"])
    judged = sum(
        line.startswith("git bisect ") and " start" not in line for line in log.split("\n")
    )
    return took, judged, named[-1].removesuffix(_FIRST_BAD) if named else ""


def _script(config: Config, artefacts: Artefacts, clone: Path, folder: Path) -> Path:
    """Write the script that an engineer has for this: build, boot, look at the console."""
    firmware = clone / "build/platform/generic/firmware/fw_dynamic.bin"
    log = folder / "plain-uart.log"
    files = folder / "plain-boot"
    files.mkdir()
    wiring = replace(BARE_WIRING, uart=f"file,path={log}")
    bare = bare_config(config)
    boot = qemu_argv(bare, prepare_boot(bare, artefacts, RunDir(files), {}), wiring)
    boot = [str(firmware) if word.endswith("fw_dynamic.bin") else word for word in boot]
    cross = f"CROSS_COMPILE={config.build.cross_compile}"
    make = ["make", "-s", "-C", str(clone), f"-j{os.cpu_count()}", "PLATFORM=generic", cross]
    lines = [
        "#!/bin/sh",
        f"{shlex.join(make)} >/dev/null 2>&1 || exit {_UNTESTABLE}",
        f"rm -f {shlex.quote(str(log))}",
        f"timeout {_BOOT_S} {shlex.join(boot)} >/dev/null 2>&1 </dev/null || exit 1",
        f"grep -q {shlex.quote(EXPECTED)} {shlex.quote(str(log))}",
    ]
    script = folder / "plain.sh"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o755)
    return script


def bisect_command(history: History, options: Sequence[str], folder: Path) -> list[str]:
    """Return the command of teecall's own search, with its evidence in `folder`."""
    ends = ["--repo", str(history.repo), "--good", history.good, "--bad", history.bad]
    what = ["--component", "opensbi", "--out", str(folder)]
    return [sys.executable, "-m", "harness", "bisect", *what, *ends, *options]


def _teecall(history: History, options: Sequence[str], folder: Path) -> tuple[float, str]:
    began = time.monotonic()
    said = _run(bisect_command(history, options, folder))
    return time.monotonic() - began, said


def _found(folder: Path) -> str:
    answers = load_bisection(folder).answers
    culprits = answers[-1].culprits if answers else ()
    return culprits[0] if len(culprits) == 1 else ""


def _steps(folder: Path) -> int:
    ends = (Purpose.BAD_END, Purpose.GOOD_END)
    steps = load_bisection(folder).steps()
    # What is taken from an equal build costs nothing.
    return sum(step.purpose not in ends and not step.same_as for step in steps)


def _run(command: list[str]) -> str:
    environment = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_S,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfraError(f"{command[0]} did not end in {_LIMIT_S:g} s") from error
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        raise InfraError(
            f"{' '.join(command[:4])} ended with status {done.returncode}",
            details=said.splitlines()[-5:],
        )
    return said
