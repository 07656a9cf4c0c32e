# SPDX-License-Identifier: Apache-2.0
"""JUnit XML of others: read when it is harmless, refused when it is not."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.history import command as history_command
from harness.cli.report import command as report_command
from harness.errors import UsageError
from harness.report.foreign import read_junit
from harness.report.history import VERSION, open_history
from harness.report.junit import junit
from harness.report.rates import base_label, cell_rates, moved
from harness.verdict import Verdict
from tests.unit import nights

OTHER = """<?xml version="1.0"?>
<testsuites><testsuite name="kselftest" time="1,234.5" timestamp="2026-11-01T10:00:00">
<testcase classname="kvm" name="get-reg" time="0.5"/>
<testcase name="steal"><failure message="lost 0x8f001234">line 1
line 2</failure></testcase>
<testcase name="later"><skipped/></testcase></testsuite>
<testsuite name="kselftest"><testcase name="x"><error>boom</error></testcase></testsuite>
<testsuite name="empty"/></testsuites>"""


def written(folder: Path, text: str) -> Path:
    path = folder / "junit.xml"
    path.write_text(text)
    # What has no time of its own has that of the file.
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


def test_a_file_of_another_tool(tmp_path: Path) -> None:
    first, second = read_junit(written(tmp_path, OTHER))
    assert (first.label, second.label) == ("kselftest", "kselftest #2")
    assert (first.verdict, second.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert first.duration_s == 1234.5
    assert [check.name for check in first.checks] == ["kvm.get-reg", "steal", "later"]
    assert first.signature == "FAIL steal: lost N"
    assert second.failures[0].message == "boom"


def test_an_own_file_keeps_its_verdicts(tmp_path: Path) -> None:
    text = junit(nights.night(nights.run_record("a"), nights.crash("b")), lambda run: "")
    found = read_junit(written(tmp_path, text))
    assert [run.verdict for run in found] == [Verdict.PASS, Verdict.CRASH]


BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuites name="&b;"/>"""
BAD = {
    "bomb": BOMB,
    "file": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><testsuites>&f;</testsuites>',
    "doctype": '<!DOCTYPE x SYSTEM "http://localhost:1/x.dtd"><testsuites/>',
    "undefined": "<testsuites>&nothing;</testsuites>",
    "cut": "<testsuites><testsuite>",
    "html": "<html/>",
    "empty": "",
    "encoding": '<?xml version="1.0" encoding="no-such"?><testsuites/>',
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_do_harm_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"junit\.xml is no JUnit XML"):
        read_junit(written(tmp_path, BAD[name]))
    with pytest.raises(UsageError, match="cannot read"):
        read_junit(tmp_path / "none.xml")


def test_import_list_show_and_prune(tmp_path: Path) -> None:
    history, file = tmp_path / "h.sqlite", written(tmp_path, OTHER)
    with open_history(history) as opened:
        values = [100.0, 100.0, 100.0, 101.0]
        runs = [
            nights.run_record(
                f"smoke irq=aia #{n}",
                id="c1",
                started=f"2026-11-0{n + 1}",
                metrics={"null_call": value},
                versions={"tsm": f"t{value:g}"},
            )
            for n, value in enumerate(values)
        ]
        opened.add("n1", runs)
        (change,) = moved(opened)
        assert str(change).startswith("null_call: 100 -> 101 (+1.00%) since run 4 of smoke irq=aia")
        assert str(cell_rates(opened.runs())[0]) == "4 of 4 passed: 100.0% (51.0% to 100.0%)"

    def run(*words: str) -> str:
        done = CliRunner().invoke(history_command, [*words, "--history", str(history)])
        assert done.exception is None, done.output
        return done.output

    assert "2 runs were added" in run("--import-junit", str(file))
    assert "0 runs were added, 2 were known" in run("--import-junit", str(file))
    assert run("--list") == "null_call\n"
    shown = run("null_call")
    assert "null_call in smoke irq=aia (c1), 4 runs" in shown
    assert "▁▁▁█" in shown
    assert "101  CHANGED: 100 -> 101 (+1.00%); tsm t100 -> t101" in shown
    done = CliRunner().invoke(history_command, ["nul_call", "--history", str(history)])
    assert isinstance(done.exception, UsageError)
    assert "did you mean 'null_call'" in done.exception.remedy
    assert "6 runs were removed" in run("--prune", "1s")
    assert run("--list") == ""


def test_labels() -> None:
    assert base_label("smoke irq=aia #12") == "smoke irq=aia"
    assert base_label("smoke") == "smoke"
    assert base_label("a #b") == "a #b"


def test_a_history_of_a_newer_teecall(tmp_path: Path) -> None:
    file = tmp_path / "h.sqlite"
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    done = CliRunner().invoke(report_command, ["--since", "1d", "--history", str(file)])
    assert isinstance(done.exception, UsageError)
    assert "install a newer teecall" in done.exception.remedy


@pytest.mark.parametrize("text", ["", "20", "m", "0s", "1y", "-3d"])
def test_times_that_are_none(text: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(report_command, ["--since", text])
    assert done.exit_code == 2
    assert "such as 20m" in done.output
