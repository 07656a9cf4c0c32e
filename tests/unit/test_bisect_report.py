# SPDX-License-Identifier: Apache-2.0
"""The report of a bisection: what it names, what it shows, and that nothing in it is live."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.bisect.journal import (
    AnswerRecord,
    BeginRecord,
    BuildRecord,
    EndRecord,
    InfraRecord,
    Journal,
    JudgeRecord,
    LegRecord,
    OptionsRecord,
    Record,
    SkipRecord,
    TreeRecord,
    TrialRecord,
    load_bisection,
)
from harness.bisect.oracle import Outcome
from harness.bisect.report import Report, make_report, write_json
from harness.bisect.report_evidence import normal, pairs
from harness.bisect.report_html import render, write_html
from harness.bisect.report_text import report_lines
from harness.bisect.subject import CandidateInfo
from harness.verdict import Verdict

AT = "2026-01-02T03:04:05+00:00"
IDS = [f"{number:02x}" * 20 for number in range(6)]
HOSTILE = "\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>\u202egnp.exe & <img src=x onerror=a()>"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever terminal the tests run in, the text has no colours of our own."""
    monkeypatch.setenv("NO_COLOR", "1")


def begin() -> BeginRecord:
    tree = TreeRecord(component="opensbi", good=("v1",), bad="main", repo="../opensbi")
    return BeginRecord(
        dt=AT,
        version=1,
        id="b-1",
        command="teecall bisect opensbi --good v1 --bad main",
        trees=(tree,),
        judge=JudgeRecord(),
        options=OptionsRecord(),
    )


def leg() -> LegRecord:
    history = "\n".join(f"{new} {old}" for new, old in zip(IDS[:0:-1], IDS[-2::-1], strict=True))
    return LegRecord(
        dt=AT, leg="first", good=(IDS[0],), bad=IDS[5], candidates=5, expected=5, history=history
    )


def trial(number: int, outcome: Outcome, **more: str | Verdict | None) -> TrialRecord:
    return TrialRecord(
        dt=AT,
        leg="first",
        candidate=IDS[number],
        purpose="search",
        outcome=outcome,
        seconds=2.0,
        **more,  # type: ignore[arg-type]
    )


def answer(
    *culprits: int, skipped: tuple[int, ...] = (), confidence: float = 0.998
) -> AnswerRecord:
    return AnswerRecord(
        dt=AT,
        leg="first",
        culprits=tuple(IDS[n] for n in culprits),
        skipped=tuple(IDS[n] for n in skipped),
        confidence=confidence,
        trials=7,
        described={
            IDS[n]: CandidateInfo(
                IDS[n],
                f"lib: step {n} {HOSTILE}",
                author="A <a@example.org>",
                files=1,
                insertions=2,
                deletions=1,
                body=f"Why it is so,\n{HOSTILE}\n" + "more\n" * 30,
            )
            for n in culprits
        },
    )


def console(folder: Path, name: str, *lines: str) -> str:
    place = folder / "runs" / name
    place.mkdir(parents=True)
    text = "".join(f"  {12 + n} ms uart   | {line}\n" for n, line in enumerate(lines))
    (place / "uart.txt").write_text(text)
    return f"runs/{name}"


def journal(folder: Path, *records: Record) -> Report:
    with Journal(folder) as written:
        for record in (begin(), leg(), *records):
            written.write(record)
    return make_report(load_bisection(folder))


@pytest.fixture
def report(tmp_path: Path) -> Report:
    (tmp_path / "b").mkdir()
    folder = tmp_path / "b"
    far = console(folder, "far", "far away")
    bad = console(folder, "bad", "OpenSBI v1.6", "[    0.1] SBI ID=0x2", HOSTILE)
    good = console(folder, "good", "OpenSBI v1.6", "[    0.7] SBI ID=0x1", "done")
    (folder / bad / "forensics.txt").write_text("== hart 0\nmepc sbi_ecall_handler+0x1c\n")
    return journal(
        folder,
        BuildRecord(dt=AT, leg="first", candidate=IDS[5], seconds=3.0),
        trial(5, Outcome.BAD, evidence=far),
        trial(0, Outcome.GOOD, evidence=far),
        BuildRecord(dt=AT, leg="first", candidate=IDS[3], cached=True),
        trial(3, Outcome.BAD, evidence=bad, title=HOSTILE, verdict=Verdict.CRASH),
        trial(2, Outcome.GOOD, evidence=good, verdict=Verdict.PASS),
        trial(1, Outcome.GOOD, same_as=IDS[0]),
        answer(3),
        EndRecord(dt=AT, exit_code=0, duration_s=12.5),
    )


def text(report: Report) -> str:
    return "\n".join(report_lines(report))


def test_names_the_commit_with_title_and_stat(report: Report) -> None:
    said = text(report)
    assert said.splitlines()[0] == f"first bad commit: {IDS[3]}"
    for part in (
        "lib: step 3",
        "\n\n    Why it is so,\n",
        "\n    … 13 more lines\n",
        "1 file changed, 2 insertions(+), 1 deletions(-)",
        "confidence 99.8 % after 7 trials",
    ):
        assert part in said
    assert "5 steps, 1 builds, 2 found built, 12.5 s" in said


def test_confidence_is_not_rounded_to_certainty(tmp_path: Path) -> None:
    made = journal(tmp_path, answer(3, confidence=0.999999))
    assert "confidence 99.99 %" in text(made)


def test_evidence_is_the_nearest_and_its_consoles_are_compared(report: Report) -> None:
    found = report.findings[0].evidence
    assert found is not None and found.bad is not None and found.good is not None
    assert (found.bad.candidate, found.good.candidate) == (IDS[3], IDS[2])
    assert "sbi_ecall_handler" in found.bad.forensics
    kinds = {(pair.kind, pair.bad, pair.good) for pair in found.console}
    assert ("equal", "OpenSBI v1.6", "OpenSBI v1.6") in kinds
    assert ("replace", "SBI ID=0x2", "SBI ID=0x1") in kinds


def test_rows_tell_time_build_and_outcome(report: Report) -> None:
    rows = {row.candidate: row for row in report.rows}
    assert (rows[IDS[5]].build, rows[IDS[5]].seconds) == ("built", 5.0)
    assert rows[IDS[3]].build == "cached"
    assert rows[IDS[1]].build == f"same as {IDS[0][:12]}"


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "src"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_hostile_text_is_shown_and_not_live(report: Report, tmp_path: Path) -> None:
    page = render(report, tmp_path / "b" / "report.html")
    seen = Tags(page)
    assert not {"script", "img", "iframe"} & set(seen.tags)
    assert not seen.handlers
    # It stands there: in the message, in the console and as the title of the run.
    assert "".join(seen.text).count("<script>alert(1)</script>") >= 4
    for character in ("\x1b", "\x07", "\u202e"):
        assert character not in page
        assert character not in text(report)


def test_this_test_sees_what_is_live() -> None:
    # The check above could not fail if the parser did not see this.
    seen = Tags(f"<p>{HOSTILE}</p>")
    assert {"script", "img"} <= set(seen.tags)
    assert seen.handlers == ["src", "onerror"]


def test_links_of_the_page_are_relative(report: Report, tmp_path: Path) -> None:
    out = tmp_path / "b" / "report.html"
    write_html(report, out)
    assert 'href="./runs/bad/"' in out.read_text()
    assert "http" not in out.read_text().replace("http-equiv", "")


def test_json_has_what_the_page_has(report: Report, tmp_path: Path) -> None:
    write_json(report, tmp_path / "r.json")
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["state"] == "answered"
    assert found["findings"][0]["culprits"][0]["candidate"] == IDS[3]
    assert [row["outcome"] for row in found["rows"]] == ["BAD", "GOOD", "BAD", "GOOD", "GOOD"]


def test_what_remains_when_commits_were_skipped(tmp_path: Path) -> None:
    skip = SkipRecord(
        dt=AT,
        leg="first",
        candidate=IDS[3],
        purpose="search",
        outcome=Outcome.SKIP,
        stage="build",
        why="does not build",
    )
    made = journal(tmp_path, trial(4, Outcome.BAD), skip, answer(3, 4, skipped=(3,)))
    said = text(made)
    assert said.startswith("first bad commit: one of 2, those between were skipped")
    assert f"{IDS[3][:12]} (skipped) lib: step 3" in said
    assert f"{IDS[4][:12]} lib: step 4" in said
    assert '<span class="v SKIP">skipped</span>' in render(made, tmp_path / "r.html")


def test_one_that_did_not_end_says_how_to_go_on(tmp_path: Path) -> None:
    infra = InfraRecord(
        dt=AT, leg="first", candidate=IDS[5], purpose="p", outcome=Outcome.INFRA, why="disk full"
    )
    made = journal(tmp_path, infra)
    said = text(made)
    assert made.state == "not ended"
    assert f"resume: teecall bisect --resume {tmp_path}" in said
    assert "no commit is named" in said


def test_why_there_is_no_answer_is_said(tmp_path: Path) -> None:
    end = EndRecord(dt=AT, exit_code=2, duration_s=1.0, why="ends exchanged", remedy="swap them")
    made = journal(tmp_path, end)
    said = text(made)
    assert made.state == "no answer"
    assert "why: ends exchanged" in said and "remedy: swap them" in said
    assert "Remedy: swap them" in render(made, tmp_path / "r.html")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("  12 ms uart   | ready", " 345 ms uart   | ready"),
        ("[    1.234567] up", "[   11.000001] up"),
        ("at ffffffff80001234", "at ffffffff8000beef"),
        ("/tmp/one/x.c: bad", "/home/two/x.c: bad"),
    ],
)
def test_what_differs_from_boot_to_boot_is_left_out(one: str, other: str) -> None:
    assert normal(one) == normal(other)


def test_a_wrong_value_is_not_left_out() -> None:
    assert normal("SBI implementation ID=0x1") != normal("SBI implementation ID=0x2")


def test_a_flood_is_cut() -> None:
    found = list(pairs([f"bad {n}" for n in range(2000)], ["good"]))
    assert len(found) < 200
    assert found[-1].kind == "gap"
