# SPDX-License-Identifier: Apache-2.0
"""Records, JUnit XML, Markdown and what CI systems are told."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from harness.errors import UsageError
from harness.report import ci
from harness.report.junit import console_tail, junit
from harness.report.markdown import counts_line, markdown
from harness.report.record import (
    EVENTS_FILE,
    BeginRecord,
    CheckRecord,
    FailureRecord,
    RunRecord,
    encode,
    load_night,
)
from harness.verdict import Verdict
from tests.unit.nights import DT, QUARANTINE, crash, night, run_record


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    run = crash("a", metrics={"boot_s": 0.5}, axes={"irq": "aia"})
    begin = BeginRecord(dt=DT, version=1, night="n")
    (tmp_path / EVENTS_FILE).write_bytes(encode(begin) + encode(run) + b'{"event":"run","dt"')
    loaded = load_night(tmp_path)
    assert loaded.runs == (run,)
    assert loaded.damaged == 1
    assert loaded.end is None


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (b"", "does not begin like"),
        (encode(run_record("a")), "does not begin like"),
        (encode(BeginRecord(dt=DT, version=99, night="n")), "is of format 99"),
        (b"\x00\x00\xff\n", "does not begin like"),
    ],
)
def test_what_is_no_night_is_refused(lines: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / EVENTS_FILE).write_bytes(lines)
    with pytest.raises(UsageError, match=says):
        load_night(tmp_path)


def test_unknown_fields_of_another_version_are_skipped(tmp_path: Path) -> None:
    line = encode(BeginRecord(dt=DT, version=1, night="n")).replace(b"{", b'{"new":1,', 1)
    (tmp_path / EVENTS_FILE).write_bytes(line)
    assert load_night(tmp_path).begin.night == "n"


def suites(*runs: RunRecord, not_run: tuple[str, ...] = ()) -> Xml.Element:
    return Xml.fromstring(junit(night(*runs, not_run=not_run), tail=lambda run: "boot\x00log"))


def test_junit_tells_failures_from_errors() -> None:
    root = suites(
        run_record("good"),
        run_record("wrong", Verdict.FAIL),
        run_record("late", Verdict.TIMEOUT),
        crash("dead"),
        run_record("env", Verdict.INFRA),
        run_record("skipped", Verdict.SKIP),
        run_record("mistake", None),
        not_run=("never",),
    )
    found = {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert found == {"tests": "8", "failures": "2", "errors": "3", "skipped": "2"}
    error = root.find("./testsuite[@name='dead']/testcase/error")
    assert error is not None and error.text is not None
    assert error.get("type") == "CRASH"
    assert "gstage.c:42" in error.text and "open: forensics.txt" in error.text


def test_junit_has_versions_and_the_consoles_of_what_failed() -> None:
    root = suites(run_record("good"), crash("dead", artefacts={"tsm": "abc"}))
    properties = {
        str(p.get("name")): p.get("value")
        for p in root.iterfind("./testsuite[@name='dead']/properties/property")
    }
    assert properties["version.opensbi"] == "1.6"
    assert properties["artefact.tsm"] == "abc"
    assert (
        root.findtext("./testsuite[@name='dead']/system-out") == "boot\N{REPLACEMENT CHARACTER}log"
    )
    assert root.find("./testsuite[@name='good']/system-out") is None


def test_junit_skips_what_is_quarantined_and_says_why() -> None:
    root = suites(crash("dead", quarantine=QUARANTINE))
    assert root.get("errors") == "0"
    skipped = root.find(".//skipped")
    assert skipped is not None
    assert "https://example.org/1" in str(skipped.get("message"))


def test_junit_survives_every_byte_a_console_may_say() -> None:
    text = "".join(map(chr, range(256))) + "\ud800\ufffe"
    check = CheckRecord(name=text, verdict=Verdict.FAIL, detail=text)
    Xml.fromstring(junit(night(run_record(text, Verdict.FAIL, checks=(check,))), lambda run: text))


def test_the_tail_is_that_of_the_evidence(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "uart.log").write_bytes(b"x" * 9000 + b"\r\n\x1b[1mlast\xff words\x1b[0m\r\n")
    text = console_tail(tmp_path, run_record("a", evidence="r"))
    assert text.endswith("last\N{REPLACEMENT CHARACTER} words")
    assert len(text) < 5000


def test_markdown_groups_failures_and_stays_in_its_cells() -> None:
    text = markdown(night(run_record("a"), crash("b|<x>"), crash("c"), not_run=("d",)))
    assert "1 PASS, 2 CRASH, 1 not run" in text
    assert "| 2 | CRASH | TSM fault in map\\_page | b\\|&lt;x> |" in text
    assert "opensbi 1.6" in text


def test_markdown_says_when_a_night_has_no_end() -> None:
    assert "not come to its end" in markdown(night(run_record("a"), ended=False))
    assert counts_line(night()) == "no run"


def test_github_gets_an_annotation_for_each_kind_of_failure() -> None:
    failure = FailureRecord(check="launch", message="50% wrong\nsecond")
    strange = run_record("x,y", Verdict.FAIL, failures=(failure,), title="a: b, c")
    lines = list(ci.annotation_lines(night(run_record("a"), crash("b"), crash("c"), strange)))
    assert lines[0].startswith("::error file=firmware/tsm/tvm/gstage.c,line=42,title=CRASH%3A TSM")
    assert "2 of the runs: b, c" in lines[0]
    assert lines[1].startswith("::error title=FAIL%3A a%3A b%2C c::1 of the runs")
    assert lines[1].endswith("50%25 wrong%0Asecond")


def test_github_gets_warnings_for_what_does_not_count() -> None:
    lines = list(ci.annotation_lines(night(crash("b", quarantine=QUARANTINE))))
    assert lines[0].startswith("::warning ")


def test_github_gets_a_job_summary(tmp_path: Path) -> None:
    summary, said = tmp_path / "summary", list[str]()
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ci.tell(night(crash("b")), said.append, environment)
    assert len(said) == 1
    assert "1 CRASH" in summary.read_text()
    ci.tell(night(crash("b")), said.append, {})
    assert len(said) == 1


@pytest.mark.parametrize(
    ("environment", "first", "last"),
    [
        ({"GITHUB_ACTIONS": "true"}, "::group::build all", "::endgroup::"),
        ({"GITLAB_CI": "true"}, "section_start:", "section_end:"),
    ],
)
def test_sections_are_closed_also_by_an_error(
    environment: dict[str, str], first: str, last: str
) -> None:
    said = list[str]()
    with pytest.raises(ValueError, match="x"), ci.section("build all", said.append, environment):
        raise ValueError("x")
    assert first in said[0] and last in said[1]


def test_there_are_no_sections_without_a_ci_system() -> None:
    said = list[str]()
    with ci.section("build", said.append, {}):
        pass
    assert said == []
