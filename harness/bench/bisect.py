# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect` against `git bisect run` with a plain script, over the same commits.

The script is the one an engineer writes with care: make on all cores in the same work tree, QEMU
under `timeout`, and a verdict by what the console says. A boot that says neither that it went well
nor that it failed is skipped: with a verdict by `timeout` alone a slow boot on a busy workstation
counts as the failure, and then git names a commit that has done nothing.

The failure hangs the machine, so the plain script waits for its timeout at each bad commit. A
second script ends QEMU as soon as the console has said enough. It stands beside the first, as the
most that a script can do.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from harness.bench.history import Edit, History, Recipe, make_history
from harness.bench.smoke import BARE_WIRING, bare_config, seconds_of
from harness.bisect.journal import load_bisection
from harness.bisect.plan import Purpose
from harness.bisect.work import build_candidate
from harness.build.artefacts import Artefacts
from harness.config.schema import Config
from harness.errors import InfraError
from harness.machine.argv import qemu_argv
from harness.machine.prepare import prepare_boot
from harness.machine.rundir import RunDir

# The domain switch asks this of the TSM's memory when it starts: the machine does not boot.
_LINE = "\tunsigned long max = addr + size;\n"
REGRESSION = Edit("lib/sbi/sbi_domain.c", _LINE, f'{_LINE}\t__asm__("unimp");\n')
# What a console says of a boot that went well, to the end, and of one with the regression.
WELL = "reboot: Power down"
BROKEN = "sbi_trap_error"
# A timeout is a multiple of a boot of the good end, and not shorter than people make it.
_PATIENCE = 5
_LEAST_S = 10
_LIMIT_S = 7200.0
UNTESTABLE = 125
_JOURNAL = re.compile(r"^(?:journal: |.*, journal in )(.+?)(?:/journal\.jsonl)?$")
_FIRST_BAD = " is the first bad commit"


@dataclass(frozen=True, slots=True)
class Searched:
    """One way to search: wall time in seconds, what was tested, and the commit that was named.

    `steps` are the commits that were tested between the ends, culprit and parent again included;
    `boots` are all machines that were started.
    """

    name: str
    seconds: float
    steps: int
    boots: int
    found: str


@dataclass(frozen=True, slots=True)
class BisectBench:
    """What each way took over the same history; `culprit` is the commit that is right.

    `timeout_s` is that of the plain script. `plain`, `eager` (ends QEMU by itself), `first` and
    `repeated` are the ways.
    """

    commits: int
    culprit: str
    timeout_s: int
    plain: Searched
    eager: Searched
    first: Searched
    repeated: Searched

    @property
    def ratio(self) -> float:
        """How many times faster the first search is than the plain one."""
        return self.plain.seconds / self.first.seconds

    @property
    def repeat_ratio(self) -> float:
        """How many times faster the repeated search is than the plain one."""
        return self.plain.seconds / self.repeated.seconds

    @property
    def most_steps(self) -> int:
        """The steps that a search should need at most, log2(n) + 2."""
        return math.ceil(math.log2(self.commits)) + 2

    @property
    def ways(self) -> tuple[Searched, ...]:
        """All ways, in the order in which they ran."""
        return self.plain, self.eager, self.first, self.repeated

    def lines(self) -> list[str]:
        """Return what is printed."""
        return [
            f"{self.commits} commits, first bad {self.culprit[:12]}; "
            f"the plain script waits {self.timeout_s} s for a boot",
            *(self._line(way) for way in self.ways),
            f"steps of log2(n) + 2 = {self.most_steps}; both ends are verified besides",
        ]

    def _line(self, way: Searched) -> str:
        right = "right" if way.found == self.culprit else f"WRONG: {way.found[:12] or None}"
        ratio = self.plain.seconds / way.seconds
        return (
            f"{way.name:<26} {way.seconds:8.1f} s  {ratio:6.2f} x  "
            f"{way.steps:3} steps {way.boots:3} boots  {right}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as values of JSON."""
        more = {"ratio": self.ratio, "repeat_ratio": self.repeat_ratio}
        return {**asdict(self), **more, "most_steps": self.most_steps}


@dataclass(frozen=True, slots=True)
class Ground:
    """What all ways share.

    Args:
        config: the machine that all boot.
        artefacts: its images; the scripts replace the firmware.
        opensbi: the tree of the good end.
        overlay: the folders of the domain switch's files.
        options: of the command line, for teecall's own search: that give it the same
            configuration, and how many trials it makes at once.
        folder: an empty one, for the history, its copies and the scripts.
    """

    config: Config
    artefacts: Artefacts
    opensbi: Path
    overlay: Sequence[Path]
    options: Sequence[str]
    folder: Path


def measure(ground: Ground, recipe: Recipe) -> BisectBench:
    """Search the same history in each way, one after the other.

    Both sides have built the good end before the clock starts, git's work tree and teecall's kept
    one, and nothing of what comes after it.

    Args:
        ground: what to search with.
        recipe: the history; a seed that was not used before makes its commits unknown to the
            store.

    Raises:
        InfraError: a search did not end, or the ends do not say what they should.
    """
    history = make_history(ground.opensbi, ground.folder / "history", recipe)
    _build_release(ground)
    plain = _Plain(ground, history)
    timeout_s = plain.prepare()
    return BisectBench(
        recipe.commits,
        history.culprit,
        timeout_s,
        plain.search("git bisect run", boot_to_timeout(timeout_s)),
        plain.search("  ending QEMU by itself", boot_to_verdict(timeout_s)),
        _teecall("teecall bisect", history, ground.options, fresh=True),
        _teecall("  repeated", history, ground.options, fresh=False),
    )


def _build_release(ground: Ground) -> None:
    """Build the good end in teecall's kept tree, though the store may have it."""
    tree = ground.folder / "release"
    shutil.copytree(ground.opensbi, tree, symlinks=True)
    note = tree / "docs" / f"{ground.folder.name}.md"
    note.parent.chmod(0o755)
    note.write_text("Another tree by its name, and the same code.\n", encoding="utf-8")
    source = msgspec.structs.replace(ground.config.opensbi, source=f"path:{tree}")
    config = msgspec.structs.replace(ground.config, opensbi=source)
    built = build_candidate(config, offline=False, store=None)
    if built.error is not None:
        raise InfraError(f"the good end does not build: {built.error.message}")


def boot_to_timeout(timeout_s: int) -> str:
    """Return the line that boots until the machine is off, or the time over."""
    return f'timeout {timeout_s} "$@" >/dev/null 2>&1 </dev/null'


def boot_to_verdict(timeout_s: int) -> str:
    """Return the lines that boot until the console has said enough, or the time is over."""
    # tail ends with QEMU, and grep with the first line that says enough; then QEMU is ended.
    return "\n".join(
        [
            ': >"$log"',
            f'timeout {timeout_s} "$@" >/dev/null 2>&1 </dev/null &',
            "pid=$!",
            f"tail -s 0.1 -n +1 -f --pid=$pid \"$log\" | grep -q -m 1 -e '{WELL}' -e '{BROKEN}'",
            "kill $pid 2>/dev/null",
            "wait $pid",
        ]
    )


class _Plain:
    """`git bisect run` in a clone of its own; builds are incremental, the ends not verified."""

    def __init__(self, ground: Ground, history: History) -> None:
        self._ground = ground
        self._history = history
        self._clone = ground.folder / "plain"
        self._log = ground.folder / "plain-uart.log"
        self._git = ["git", "-C", str(self._clone)]
        files = ground.folder / "plain-boot"
        files.mkdir()
        wiring = replace(BARE_WIRING, uart=f"file,path={self._log}")
        bare = bare_config(ground.config)
        boot = qemu_argv(bare, prepare_boot(bare, ground.artefacts, RunDir(files), {}), wiring)
        firmware = self._clone / "build/platform/generic/firmware/fw_dynamic.bin"
        self._boot = [str(firmware) if w.endswith("fw_dynamic.bin") else w for w in boot]

    def prepare(self) -> int:
        """Make the clone, and return the timeout that fits a boot here, in seconds."""
        history = self._history
        _run([*self._clone_command()])
        # As an engineer has them there: files of the domain switch that git does not know.
        for source in self._ground.overlay:
            shutil.copytree(source, self._clone / "lib/sbi/tsmd", dirs_exist_ok=True)
        _run([*self._git, "checkout", "--quiet", history.good])
        _run(self._make())
        took = max(seconds_of(self._boot) for _ in range(2))
        if WELL not in self._log.read_text(encoding="utf-8", errors="replace"):
            raise InfraError("the good end does not boot", f"see {self._log}")
        return max(_LEAST_S, math.ceil(_PATIENCE * took))

    def _clone_command(self) -> list[str]:
        repo = str(self._history.repo)
        return ["git", "clone", "--quiet", "--no-checkout", repo, str(self._clone)]

    def _make(self) -> list[str]:
        cross = f"CROSS_COMPILE={self._ground.config.build.cross_compile}"
        jobs = f"-j{os.cpu_count()}"
        return ["make", "-s", "-C", str(self._clone), jobs, "PLATFORM=generic", cross]

    def search(self, name: str, boot: str) -> Searched:
        """Search with a script that boots in this way.

        Raises:
            InfraError: it did not end.
        """
        history = self._history
        script = self._script(boot)
        _run([*self._git, "checkout", "--quiet", history.good])
        _run(self._make())
        began = time.monotonic()
        _run([*self._git, "bisect", "start", history.bad, history.good])
        said = _run([*self._git, "bisect", "run", str(script)])
        took = time.monotonic() - began
        named = [line for line in said.splitlines() if line.endswith(_FIRST_BAD)]
        log = _run([*self._git, "bisect", "log"])
        judged = sum(
            line.startswith("git bisect ") and " start" not in line for line in log.split("\n")
        )
        _run([*self._git, "bisect", "reset", history.good])
        found = named[-1].removesuffix(_FIRST_BAD) if named else ""
        return Searched(name, took, judged, judged, found)

    def _script(self, boot: str) -> Path:
        script = self._ground.folder / "plain.sh"
        text = script_text(self._make(), self._boot, self._log, boot)
        script.write_text(text, encoding="utf-8")
        script.chmod(0o755)
        return script


def script_text(make: Sequence[str], machine: Sequence[str], log: Path, boot: str) -> str:
    """Return the script: build, boot, look at the console.

    Args:
        make: command that builds; what it cannot build is skipped.
        machine: command that boots.
        log: where the console is written.
        boot: lines that run the machine: `boot_to_timeout` or `boot_to_verdict`.
    """
    lines = [
        "#!/bin/sh",
        f"{shlex.join(make)} >/dev/null 2>&1 || exit {UNTESTABLE}",
        f"log={shlex.quote(str(log))}",
        'rm -f "$log"',
        f"set -- {shlex.join(machine)}",
        boot,
        f"grep -q '{BROKEN}' \"$log\" && exit 1",
        f"grep -q '{WELL}' \"$log\" || exit {UNTESTABLE}",
    ]
    return "\n".join(lines) + "\n"


def bisect_command(history: History, options: Sequence[str]) -> list[str]:
    """Return the command of teecall's own search."""
    ends = ["--repo", str(history.repo), "--good", history.good, "--bad", history.bad]
    return [sys.executable, "-m", "harness", "bisect", "--component", "opensbi", *ends, *options]


def _teecall(name: str, history: History, options: Sequence[str], *, fresh: bool) -> Searched:
    began = time.monotonic()
    said = _run(bisect_command(history, [*options, *(["--fresh"] if fresh else [])]))
    took = time.monotonic() - began
    folder = _folder_of(said)
    # What is taken from an equal build, or from an earlier search, costs nothing.
    own = [s for s in load_bisection(folder).steps() if not (s.same_as or s.known)]
    ends = (Purpose.BAD_END, Purpose.GOOD_END)
    steps = {step.candidate for step in own if step.purpose not in ends}
    return Searched(name, took, len(steps), len(own), _found(folder))


def _folder_of(said: str) -> Path:
    """Return the folder of a bisection, which its last lines name with the journal."""
    named = [found[1] for line in said.splitlines() if (found := _JOURNAL.search(line))]
    if not named:
        raise InfraError("the bisection names no journal", details=said.splitlines()[-5:])
    return Path(named[-1])


def _found(folder: Path) -> str:
    answers = load_bisection(folder).answers
    culprits = answers[-1].culprits if answers else ()
    return culprits[0] if len(culprits) == 1 else ""


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
