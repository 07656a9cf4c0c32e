# SPDX-License-Identifier: Apache-2.0
"""Nights on real machines: every cell has its verdict, and nothing is left of a night's end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from harness.report.record import Night, load_night
from harness.verdict import Verdict
from tests.system.conftest import ROOT, RUN_LIMIT_S, teecall
from tests.system.test_mutants import MUTANTS, mutate
from tests.system.test_repeat import cluster, nothing_left, until
from tests.system.test_supervision import qemus_of, wait_until_gone

SMOKES = """\
format: 1
suite: smoke
axes:
  harts:
    - {label: "1", extends: single}
    - {label: "2"}
  irq:
    - {label: plic}
    - {label: aia, extends: aia}
"""


class Place:
    """The files of a night of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "night"
        self.history = folder / "history.sqlite"
        self.matrix = folder / "matrix.yaml"
        self.matrix.write_text(SMOKES)

    def words(self, *more: str) -> list[str]:
        places = ["--matrix", str(self.matrix), "--out", str(self.out)]
        return ["nightly", *places, "--history", str(self.history), "-j", "2", *more]

    def night(self) -> Night:
        return load_night(self.out)

    def verdicts(self) -> dict[str, int]:
        """The history's counts."""
        with sqlite3.connect(self.history) as db:
            return dict(db.execute("SELECT verdict, count(*) FROM run GROUP BY verdict"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@contextmanager
def started(place: Place, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A night in the background, as the leader of a group."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *place.words(*more)],
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    screen, _ = process.communicate(timeout=RUN_LIMIT_S)
    return process.returncode, screen


DEFECT = "no-scrub-at-reclaim"


def with_defects(place: Place, folder: Path) -> None:
    """Add a cell with a TSM that has a defect, and two with one that does not build."""
    mutant = mutate(MUTANTS[DEFECT], folder)
    broken = folder / "broken/tsm"
    shutil.copytree(ROOT / "firmware/tsm", broken)
    with (broken / "run/run.c").open("a") as file:
        file.write("\n#error broken on purpose\n")
    place.matrix.write_text(
        SMOKES
        + f"""\
  tsm:
    - {{label: own}}
    - {{label: defect, set: {{tsm: {{source: "path:{mutant}"}}}}}}
    - {{label: broken, set: {{tsm: {{source: "path:{broken}"}}}}}}
exclude:
  - {{tsm: [defect, broken], harts: "1"}}
  - {{tsm: defect, irq: aia}}
"""
    )


def test_every_cell_has_a_verdict_and_all_reports_agree(place: Place, tmp_path: Path) -> None:
    with_defects(place, tmp_path)
    done = teecall(*place.words())
    assert done.returncode == 1, done.stdout
    night = place.night()
    assert night.end is not None and night.end.exit_code == 1
    by_label = {run.label: run for run in night.runs}
    assert len(by_label) == night.begin.planned == 7

    defect = by_label["smoke harts=2,irq=plic,tsm=defect"]
    assert defect.verdict is Verdict.FAIL
    assert defect.signature is not None and "teardown" in defect.signature
    assert defect.evidence is not None and (place.out / defect.evidence / "uart.log").exists()
    for irq in ("plic", "aia"):
        broken = by_label[f"smoke harts=2,irq={irq},tsm=broken"]
        assert [(c.name, c.verdict) for c in broken.checks] == [("build", Verdict.FAIL)]
        assert any("broken on purpose" in line for line in broken.failures[0].details)
    assert "#error broken on purpose" in done.stdout

    # Each component was built or found once, also the one that two cells cannot have.
    built = Counter((build.component, build.key) for build in night.builds)
    assert set(built.values()) == {1}, built
    (wrong,) = [build for build in night.builds if build.error]
    assert wrong.component == "tsm"

    assert night.counts == {"PASS": 4, "FAIL": 3}
    assert place.verdicts() == night.counts
    report = json.loads((place.out / "report.json").read_text())
    assert report["counts"] == night.counts
    assert len(report["runs"]) == 7 and report["not_run_count"] == 0
    suites = list(Xml.parse(place.out / "junit.xml").getroot().iter("testsuite"))
    bad = [s for s in suites if int(s.get("failures", "0")) + int(s.get("errors", "0"))]
    assert (len(suites), len(bad)) == (7, 3)

    # What has failed comes first in the next night, and does not count in quarantine.
    place.out = tmp_path / "second"
    with place.matrix.open("a") as file:
        file.write(
            "quarantine:\n"
            "  - where: {tsm: [defect, broken]}\n"
            "    reason: known\n"
            "    url: https://example.org/1\n"
            "    expires: 2999-01-01\n"
        )
    done = teecall(*place.words("--budget", "10m"))
    assert done.returncode == 0, done.stdout
    assert place.night().counts == {"PASS": 4, "FAIL": 3}
    root = Xml.parse(place.out / "junit.xml").getroot()
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    told = teecall("report", "--since", "1d", "--history", str(place.history)).stdout
    assert "14 runs of 2 nights" in told
    assert "smoke: 8 of 14 passed: 57.1%" in told
    told = teecall("report", str(place.out), "--history", str(place.history)).stdout
    assert "smoke harts=2,irq=plic,tsm=defect: 0 of 2 passed: 0.0% (0.0% to 65.8%)" in told


def test_a_killed_night_is_readable_and_leaves_nothing(place: Place) -> None:
    with started(place) as process:
        until(lambda: qemus_of(place.out / "cells"), "no machine was started")
        process.kill()
        process.wait()
        assert wait_until_gone(place.out) == []
        assert nothing_left(process.pid)
    night = place.night()
    assert (night.begin.planned, night.end, night.damaged) == (4, None, 0)
    done = teecall("report", str(place.out), "--history", str(place.history))
    assert done.returncode == 0, done.stdout
    assert "the night has no end" in done.stdout
    # Its folder is not written over.
    again = teecall(*place.words())
    assert again.returncode == 2
    assert "another night" in again.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_night_says_what_was_not_run(place: Place, number: signal.Signals) -> None:
    with started(place, "--repeat", "20") as process:
        until(lambda: qemus_of(place.out / "cells"), "no machine was started")
        os.killpg(process.pid, number)
        status, screen = ended(process)
        assert nothing_left(process.pid)
    assert status == 128 + number, screen
    assert "Traceback" not in screen
    night = place.night()
    assert night.end is not None and night.end.why == "interrupted"
    assert len(night.runs) + len(night.not_run) == night.begin.planned == 80
    assert all("interrupted" in record.why for record in night.not_run)
    assert (place.out / "junit.xml").exists()


def test_the_budget_is_kept(place: Place) -> None:
    # Nothing is known of a smoke: it is taken for 5 s, of which there are some in this time. On
    # a busy workstation none comes to its end, and the night's is what counts here.
    done = teecall(*place.words("--repeat", "20", "--budget", "12s"))
    night = place.night()
    assert night.end is not None and night.end.duration_s < 12 + 12, done.stdout
    assert "the time budget is over" in night.end.why
    assert len(night.runs) + len(night.not_run) == 80
    assert set(night.counts) <= {"PASS"}, done.stdout
    assert done.returncode == (0 if night.runs else 99), done.stdout
    assert wait_until_gone(place.out) == []


def test_a_run_has_its_limit(place: Place, tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text("format: 1\nscenarios:\n  smoke: {limits: {run_s: 0.4}}\n")
    words = ["--suite", str(suite), "--out", str(place.out), "--history", str(place.history)]
    done = teecall("nightly", *words)
    assert done.returncode == 124, done.stdout
    assert "the run took longer than 0.4 s" in done.stdout
    assert place.night().counts == {"TIMEOUT": 1}
    assert wait_until_gone(place.out) == []


def test_a_cluster_may_lose_a_worker(place: Place, tmp_path: Path) -> None:
    with cluster(tmp_path, 2) as (address, workers):
        store = f"file://{tmp_path}/share"
        with started(place, "--scheduler", address, "--store", store) as process:
            cells = place.out / "cells"
            until(lambda: [1] if len(qemus_of(cells)) == 2 else [], "only one at a time")
            workers[0].kill()
            status, screen = ended(process)
        assert status == 0, screen
    night = place.night()
    assert night.counts == {"PASS": 4} == place.verdicts(), screen
    assert any("the cluster lost the worker" in why for run in night.runs for why in run.spoilt)
    assert wait_until_gone(place.out) == []


def without_qemu(folder: Path) -> Path:
    """Return a folder for PATH with all programs of this workstation but QEMU."""
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if not program.name.startswith("qemu-system") and not link.is_symlink():
                link.symlink_to(program)
    return folder


def test_a_worker_without_qemu_is_named(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(without_qemu(tmp_path / "bin")))
    with cluster(tmp_path, 1) as (address, _):
        monkeypatch.setenv("PATH", path)
        done = teecall(*place.words("--scheduler", address))
    assert done.returncode == 99, done.stdout
    night = place.night()
    assert night.counts == {"INFRA": 4}, done.stdout
    for run in night.runs:
        assert "on the worker tcp://127.0.0.1:" in run.failures[0].message
        assert "qemu-system-riscv64" in run.failures[0].message
        assert len(run.spoilt) == 2


def test_artefacts_come_from_the_store(tmp_path: Path) -> None:
    """Another workstation builds nothing that the first has built."""
    tree = tmp_path / "tsm"
    shutil.copytree(ROOT / "firmware/tsm", tree)
    with (tree / "run/run.c").open("a") as file:
        # A component that nobody else has in the cache.
        file.write(f"/* {tmp_path} */\n")
    words = ["build", "--offline", "--set", f"tsm.source=path:{tree}"]
    environment = {**os.environ, "TEECALL_STORE": f"file://{tmp_path}/share"}

    def build() -> str:
        command = [sys.executable, "-m", "harness", *words]
        done = subprocess.run(
            command, cwd=ROOT, text=True, env=environment, capture_output=True, check=True
        )
        return done.stdout + done.stderr

    build()
    (description,) = (tmp_path / "share").glob("teecall-v1/tsm/*.json")
    local = Path(os.environ.get("TEECALL_CACHE") or Path.home() / ".cache/teecall")
    shutil.rmtree(local / "store/tsm" / description.stem)
    assert "fetched" in build()
    (archive,) = (tmp_path / "share").glob("teecall-v1/tsm/*.tar.gz")
    archive.write_bytes(archive.read_bytes()[:1000])
    shutil.rmtree(local / "store/tsm" / description.stem)
    told = build()
    assert "is damaged" in told and "built" in told
