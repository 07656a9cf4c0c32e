# SPDX-License-Identifier: Apache-2.0
"""A bisection that is killed at random moments comes to the same answer and repeats nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from harness.bisect.dag import Dag
from harness.bisect.journal import FIRST, Bisection, BuildRecord, load_bisection
from harness.bisect.run import search_options
from harness.bisect.search import Search
from tests.system.conftest import ROOT
from tests.system.histories import REGRESSIONS, history

NIGHT = bool(os.environ.get("TEECALL_NIGHTLY"))
KILLS = 10 if NIGHT else 3
COMMITS = 200 if NIGHT else 8
_LIMIT_S = 1800
# In the environment of a search and of all that it starts.
_MARK = "TEECALL_TEST_SEARCH"
# QEMU and make end when their parent has died; on a busy machine that takes a moment.
_GONE_S = 30


def _start(mark: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "bisect", *words],
        cwd=ROOT,
        env={**os.environ, _MARK: str(mark)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(mark: Path) -> dict[int, str]:
    """Return the commands of all that a search has started and that still run.

    What is in their environment tells them; a zombie has none.
    """
    wanted = f"{_MARK}={mark}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().split(b"\0")
                    found[int(entry.name)] = b" ".join(command).decode().strip()
    return found


def wait_until_gone(mark: Path) -> None:
    limit = time.monotonic() + _GONE_S
    while left := processes_of(mark):
        assert time.monotonic() < limit, f"a killed search leaves behind: {left}"
        time.sleep(0.05)


def test_what_a_killed_process_leaves_is_seen(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 60 & kill -9 $$"]
    subprocess.run(command, env={**os.environ, _MARK: str(tmp_path)}, check=False)
    left = processes_of(tmp_path)
    for process in left:
        os.kill(process, signal.SIGKILL)
    # It may not have come to be another program yet.
    assert len(left) == 1
    assert not processes_of(tmp_path / "other")


def _kill_after(running: subprocess.Popen[str], lines: int, seconds: float) -> bool:
    """Kill it some time after so many lines; tell whether it had not ended before."""
    assert running.stdout is not None
    for _ in range(lines):
        if not running.stdout.readline():
            break
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.kill()
    running.communicate()
    return running.returncode == -signal.SIGKILL


def check_no_step_twice(found: Bisection) -> None:
    """Check that each step is one that the search still lacked when all before it was known."""
    leg = found.leg(FIRST)
    assert leg is not None
    how = search_options(found.begin.options, found.begin.judge)
    search = Search(Dag.from_rev_list(leg.history), leg.good, leg.bad, how)
    for step in found.steps(FIRST):
        wanted = [trial.commit for trial in search.next()]
        assert step.candidate in wanted, f"{step.candidate} was done already; missing: {wanted}"
        search.observe(step.candidate, step.outcome)
    assert search.ended
    # Nor was a commit compiled twice.
    builds = [r.candidate for r in found.records if isinstance(r, BuildRecord) and not r.cached]
    assert len(builds) == len(set(builds))


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_answer(tmp_path: Path) -> None:
    made = history(tmp_path, "value", COMMITS, COMMITS * 5 // 8)
    out = tmp_path / "out"
    ends = ["--repo", str(made.repo), "--good", made.good, "--bad", made.bad]
    more = REGRESSIONS["value"].options
    words = ["--component", "opensbi", *ends, "--out", str(out), *more]
    chance = random.Random(int.from_bytes(made.bad.encode(), "big"))
    kills = 0
    running = _start(out, *words)
    finished: list[int] = []
    # A step takes a second: a kill must not cost the search more than some of them.
    while kills < KILLS and _kill_after(running, chance.randint(1, 2), chance.uniform(0, 1)):
        kills += 1
        wait_until_gone(out)
        finished.append(len(load_bisection(out).steps()))
        running = _start(out, "--resume", str(out))
    said, _ = running.communicate(timeout=_LIMIT_S)
    assert running.returncode == 0, said
    assert kills == KILLS, f"it had ended after {kills} kills: {finished}"
    found = load_bisection(out)
    assert [answer.culprits for answer in found.answers] == [(made.culprit,)]
    assert not found.damaged
    check_no_step_twice(found)


def test_a_step_that_is_done_twice_is_seen(tmp_path: Path) -> None:
    # What the check above is worth: the journal of a search in which one step is there twice.
    out = tmp_path / "out"
    values = [str(number) for number in range(1, 9)]
    words = ["--component", "timeouts.guest_s", "--values", ",".join(values), "--good", "1"]
    script = "test $TEECALL_CANDIDATE -lt 5"
    sure = ["--failure-rate", "100%", "--bad", "8", "--script", script, "--out", str(out)]
    running = _start(out, *words, *sure)
    said, _ = running.communicate(timeout=_LIMIT_S)
    assert running.returncode == 0, said
    found = load_bisection(out)
    history_of_values = Dag.line(values).as_rev_list()
    records = []
    for record in found.records:
        if record == found.leg(FIRST):
            record = msgspec.structs.replace(record, history=history_of_values)
        records.append(record)
    whole = Bisection(found.folder, found.begin, tuple(records))
    check_no_step_twice(whole)
    twice = next(place for place, record in enumerate(records) if record in found.steps())
    records.insert(twice + 1, records[twice])
    with pytest.raises(AssertionError, match="was done already"):
        check_no_step_twice(Bisection(found.folder, found.begin, tuple(records)))
