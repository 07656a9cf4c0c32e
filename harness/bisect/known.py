# SPDX-License-Identifier: Apache-2.0
"""Trials of earlier bisections that are worth as much as new ones.

A trial is one of this search's when the machine was the same to the last bit (`identity`), the
judge was asked the same, and the harness that ran it is the same program. Each is taken once in a
search, so for a failure that shows at times it is one draw among others, as a new boot would be.
The run is judged anew: which failure is looked for may differ. One whose evidence has been removed
is not taken, nor one of a script, a payload or a metric, which depend on more than the machine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

import harness
from harness.bisect.journal import JOURNAL_FILE, BeginRecord, Bisection, Step, load_bisection
from harness.verdict import Verdict

# The versions of a bisection have the program's own files under this name.
PROGRAM = "program"
_FIRST_LINE = 1 << 20


@cache
def program() -> str:
    """Return a hash of this program's files: another program may judge otherwise."""
    top = Path(harness.__file__).parent
    found = hashlib.sha256()
    for path in sorted(top.rglob("*.py")):
        data = path.read_bytes()
        found.update(f"{path.relative_to(top)}\0{len(data)}\0".encode() + data)
    return found.hexdigest()[:16]


class Known:
    """What earlier bisections have found out, by the identity of the machine.

    Args:
        begin: the bisection that goes on.
        folders: of the bisections whose trials may be taken.
        past: what this one has done already; what it took is not taken again.
    """

    def __init__(
        self, begin: BeginRecord, folders: Sequence[Path] = (), past: Sequence[Step] = ()
    ) -> None:
        self._free: defaultdict[str, list[Step]] = defaultdict(list)
        # What earlier answers stand on, oldest first: culprits with their parents, and behind them
        # all else that was tested.
        self.hints: list[str] = []
        judge = begin.judge
        if begin.options.fresh or judge.script or judge.payload or judge.metric:
            return
        taken = {step.evidence for step in past if step.known}
        tested: dict[str, None] = {}
        for folder in folders:
            if folder.name != begin.id and _same_question(folder, begin):
                found = load_bisection(folder)
                self._hint(found)
                for step in found.steps():
                    evidence = str(folder / (step.evidence or ""))
                    if evidence not in taken and _own(step) and Path(evidence).is_dir():
                        own = msgspec.structs.replace(step, known=folder.name, evidence=evidence)
                        self._free[step.identity].append(own)
                        tested[step.candidate] = None
        self.hints += [commit for commit in tested if commit not in self.hints]

    def _hint(self, found: Bisection) -> None:
        for answer in found.answers:
            for commit in answer.culprits:
                parents = answer.described[commit].parents if commit in answer.described else ()
                self.hints += [c for c in (commit, *parents) if c not in self.hints]

    def take(self, identity: str) -> Step | None:
        """Return a trial of this machine that was not taken yet, the oldest first."""
        free = self._free.get(identity)
        return free.pop(0) if identity and free else None


def _own(step: Step) -> bool:
    """Whether a step was a boot of its own whose result can be judged."""
    run = step.run
    judged = run is not None and run.verdict not in (None, Verdict.INFRA)
    return judged and bool(step.identity and step.evidence) and not (step.known or step.same_as)


def _same_question(folder: Path, begin: BeginRecord) -> bool:
    try:
        with (folder / JOURNAL_FILE).open("rb") as file:
            other = msgspec.json.decode(file.readline(_FIRST_LINE), type=BeginRecord)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    same_program = other.versions.get(PROGRAM) == begin.versions.get(PROGRAM) is not None
    return other.version == begin.version and other.judge == begin.judge and same_program
