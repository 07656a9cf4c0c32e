# SPDX-License-Identifier: Apache-2.0
"""A night in which everything dies in its own way: each report tells the same of each run."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from harness.report.record import RunRecord
from tests.system.conftest import teecall
from tests.system.test_failures import edited
from tests.system.test_nightly import Place, ended, started
from tests.system.test_supervision import qemus_of, wait_until_gone

_FAST = ("firmware/opensbi/tsmd", "tsmd_fast.c", "\ttsmd_switch_to_tsm(hart);\n")
_RUN = ("firmware/tsm", "run/run.c", "arch_guest_load(")
# What is changed for each way to die: the setting, tree, file, text and what takes its place.
DEATHS = {
    "tsm-panic": (
        "tsm: {{source: 'path:{}'}}",
        *_RUN,
        'tsm_panic("injected at time %lu", arch_time()), arch_guest_load(',
    ),
    "oops": (
        "host: {{files: 'path:{}'}}",
        "guest-images/host",
        "covh/ecall.c",
        "\tframe->in[X_A6] = regs->fid;\n",
        "\tframe->in[X_A6] = regs->fid + *(volatile u64 *)(regs->fid & 0xff);\n",
    ),
    "trap": (
        "opensbi: {{overlay: 'path:{}'}}",
        *_FAST,
        '\tif (host->a7)\n\t\t__asm__ __volatile__("unimp");\n\ttsmd_switch_to_tsm(hart);\n',
    ),
    # M-mode has its interrupts off from its entry to its exit.
    "hang": (
        "opensbi: {{overlay: 'path:{}'}}, timeouts: {{command_s: 3}}",
        *_FAST,
        '\twhile (host->a7)\n\t\t__asm__ __volatile__("nop");\n\ttsmd_switch_to_tsm(hart);\n',
    ),
    "wrong": (
        "tvm: {{source: 'path:{}'}}",
        "guest-images/tvm",
        "hello.c",
        "h ^= h >> 29;",
        "h ^= h >> 29 ^ !i;",
    ),
}
EXPECTED = {
    "good": ("PASS", None),
    "tsm-panic": ("CRASH", r"CRASH tsm panic: injected at time N"),
    "oops": ("CRASH", r"CRASH linux oops in prepare: .*NULL pointer dereference"),
    "trap": ("CRASH", r"CRASH opensbi trap in tsmd_fast_teecall: illegal instruction"),
    "hang": ("HANG", r"HANG opensbi hang in tsmd_fast_teecall"),
    "wrong": ("FAIL", r"FAIL tvm check launch: "),
    "segv": ("CRASH", r"CRASH qemu SIGSEGV"),
}
# Deaths that the bare log of a machine tells, wherever it comes from.
IN_THE_LOG = ("tsm-panic", "oops", "trap")
Told = dict[str, tuple[str, str | None]]


def write_matrix(place: Place, folder: Path) -> None:
    lines = ["format: 1", "suite: smoke", "axes:", "  death:"]
    # Two cells must not be the same: the one whose QEMU is to segfault has a limit of its own.
    lines += ["    - {label: good}", "    - {label: segv, set: {timeouts: {command_s: 31}}}"]
    for name, (setting, tree, file, old, new) in DEATHS.items():
        (folder / name).mkdir()
        changed = edited(tree, file, old, new, folder / name)
        lines.append(f"    - {{label: {name}, set: {{{setting.format(changed)}}}}}")
    place.matrix.write_text("\n".join(lines) + "\n")


def of_junit(path: Path) -> Told:
    """What JUnit says of each run: its properties must agree with its errors and failures."""
    found: Told = {}
    for suite in Xml.parse(path).getroot().iter("testsuite"):
        told = {one.get("name"): one.get("value") for one in suite.iter("property")}
        verdict = str(told["verdict"])
        counts = {name: int(suite.get(name, "")) for name in ("failures", "errors")}
        kinds = {one.get("type") for case in suite for one in case if one.tag != "skipped"} - {None}
        assert (counts["failures"] > 0) == (verdict == "FAIL"), (told, counts)
        assert (counts["errors"] > 0) == (verdict in ("CRASH", "HANG", "INFRA")), (told, counts)
        assert not kinds or verdict in kinds, (told, kinds)
        found[str(suite.get("name"))] = (verdict, told.get("signature"))
    return found


def of_history(path: Path) -> Told:
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT label, verdict, signature FROM run")
        return {label: (verdict, signature) for label, verdict, signature in rows}


def of_page(path: Path) -> tuple[dict[str, int], Counter[str], dict[str, int]]:
    """What the HTML page counts: in its buttons, in its table, and in the headings of failures."""
    page = path.read_text()
    buttons = re.findall(r'<button[^>]* data-verdict="([^"]+)"[^>]*>\S+ (\d+) ', page)
    rows = re.findall(r'<tr[^>]* data-run [^>]*data-verdict="([^"]+)"', page)
    kinds = re.findall(r'</span> [^\n]* <span class="count">(\d+) runs?</span></h3>', page)
    return (
        {name: int(count) for name, count in buttons},
        Counter(rows),
        {"failures": sum(map(int, kinds))},
    )


def parsed_alike(place: Place, run: RunRecord, death: str) -> None:
    """`teecall parse` says of the recorded files what the night has said of the run."""
    assert run.evidence is not None
    folder, answer = place.out / run.evidence, place.out.parent / "parsed.json"
    images = json.loads((folder / "run.json").read_text())["images"]
    asked: list[tuple[str, ...]] = [(str(folder),)]
    if death in IN_THE_LOG:
        log = place.out.parent / f"{death}.log"
        log.write_bytes((folder / "uart.log").read_bytes())
        asked.append((str(log), *(word for image in images for word in ("--elf", image))))
    for words in asked:
        done = teecall("parse", "--json", str(answer), *words)
        (found,) = json.loads(answer.read_text())
        told = (found["verdict"], found["signature"], found["title"])
        assert told == (str(run.verdict), run.signature, run.title), done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_every_death_has_its_verdict_and_all_reports_agree(place: Place, tmp_path: Path) -> None:
    write_matrix(place, tmp_path)
    with started(place) as process:
        victim = place.out / "cells" / "smoke_death=segv"

        def segfault() -> None:
            while process.poll() is None:
                if found := qemus_of(victim):
                    os.kill(found[0], signal.SIGSEGV)
                    return
                time.sleep(0.01)

        killer = threading.Thread(target=segfault, daemon=True)
        killer.start()
        status, screen = ended(process)
        killer.join()
    assert status == 1, screen
    assert wait_until_gone(place.out) == []

    night = place.night()
    runs = {run.axes["death"]: run for run in night.runs}
    assert set(runs) == set(EXPECTED) and len(night.runs) == len(EXPECTED), screen
    for death, (verdict, pattern) in EXPECTED.items():
        run = runs[death]
        assert run.verdict == verdict, f"{death}: {run.verdict} {run.signature}\n{screen}"
        assert (run.signature is None) == (pattern is None), death
        assert pattern is None or re.match(pattern, run.signature or ""), f"{death}: {screen}"
        assert run.spoilt == (), f"{death} was run again: {run.spoilt}"
        if pattern is not None:
            assert run.signature is not None and run.signature in screen
            parsed_alike(place, run, death)

    told = {run.label: (str(run.verdict), run.signature) for run in night.runs}
    counts = dict(Counter(str(verdict) for verdict, _ in told.values()))
    report = json.loads((place.out / "report.json").read_text())
    assert {one["label"]: (one["verdict"], one.get("signature")) for one in report["runs"]} == told
    assert report["counts"] == counts == night.counts == place.verdicts()
    assert of_junit(place.out / "junit.xml") == told
    assert of_history(place.history) == told
    buttons, rows, failures = of_page(place.out / "report.html")
    assert buttons == counts == dict(rows)
    assert failures == {"failures": len(told) - counts["PASS"]}
    heading = (place.out / "summary.md").read_text().splitlines()[0]
    told_there = {name: int(number) for number, name in re.findall(r"(\d+) ([A-Z]+)", heading)}
    assert told_there == counts
