# SPDX-License-Identifier: Apache-2.0
"""The page of a night, as text: what is on it, how big it is, and that no text becomes markup."""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.report.history import History, open_history
from harness.report.html import render, took, write_html
from harness.report.html.charts import charts
from harness.report.html.clean import clean, file_link, web_link
from harness.report.html.consoles import KERNEL, WALL, consoles, strips
from harness.report.html.grid import common, grids
from harness.report.html.svg import tag
from harness.report.html.timeline import timeline
from harness.report.record import Night, RunRecord
from harness.trace.record import Trace
from harness.verdict import Verdict
from tests.unit.html_nights import HOSTILE, big_night, hostile_night, leave_evidence, trace
from tests.unit.nights import QUARANTINE, crash, night, run_record

VOID = ("meta", "link", "input", "img", "br")


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails when elements are not nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} ends inside of another element"

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("script", "style"):
            self.text += data


def page_of(told: Night, folder: Path, history: History | None = None) -> tuple[Page, str]:
    out = folder / "report.html"
    write_html(told, out, history)
    text = out.read_text(encoding="utf-8")
    return Page(text), text


def test_hostile_text_never_becomes_markup(tmp_path: Path) -> None:
    page, _ = page_of(hostile_night(tmp_path), tmp_path)
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 1
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = [value for name, value in page.attributes if name in ("href", "src")]
    assert all(re.match(r"#|\./|data:,$", link) for link in links), links
    # What was said can be read, and nothing was evaluated.
    assert "<script>window.pwned = 1</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "<U+202E>evil" in page.text


def test_no_character_of_a_log_controls_the_page(tmp_path: Path) -> None:
    _, text = page_of(hostile_night(tmp_path), tmp_path)
    bad = {
        hex(ord(character))
        for character in text
        if character != "\n" and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Cn", "Zl")
    }
    assert bad == set()


def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    page, text = page_of(big_night(tmp_path, 20), tmp_path)
    assert not {"iframe", "img", "object", "embed", "form "} & set(page.tags)
    assert "default-src 'none'" in text
    assert "@import" not in text and "url(" not in text
    assert not [value for name, value in page.attributes if value.startswith(("http", "//"))]


@pytest.mark.parametrize(("kinds", "lines"), [(6, 400), (100, 60)])
def test_500_cells_are_below_5_mb(kinds: int, lines: int, tmp_path: Path) -> None:
    told = big_night(tmp_path, kinds=kinds, lines=lines)
    page, text = page_of(told, tmp_path)
    assert len(text.encode()) < 5_000_000
    # Every run is there, once, and each link inside of the page leads somewhere.
    assert sum(bool(re.match(r"run-\d+$", each)) for each in page.ids) == 500
    assert len(page.ids) == len(set(page.ids))
    links = {value[1:] for name, value in page.attributes if name == "href" and value[0] == "#"}
    assert links - set(page.ids) == set()
    assert page.tags.count("details") >= 6


def test_huge_logs_do_not_make_a_huge_page(tmp_path: Path) -> None:
    runs = []
    for number in range(40):
        leave_evidence(tmp_path / f"{number}", 300, "&" * 220)
        runs.append(crash(f"c{number}", signature=f"s{number}", evidence=f"{number}"))
    _, text = page_of(replace(night(*runs), folder=tmp_path), tmp_path)
    assert len(text.encode()) < 4_000_000


def test_a_failure_has_all_that_explains_it(tmp_path: Path) -> None:
    leave_evidence(tmp_path / "r")
    run = crash("broken", evidence="r", command="teecall run smoke --set a=b", id="cell")
    passed = run_record("broken", id="cell", started="2026-11-20T00:00:00+00:00")
    old = crash("old", started="2026-11-21T00:00:00+00:00", id="other")
    now = RunRecord(
        **{n: getattr(run, n) for n in run.__struct_fields__} | {"versions": {"opensbi": "1.7"}}
    )
    with open_history(tmp_path / "h.sqlite") as history:
        history.add("n-1", [passed])
        history.add("n0", [old])
        history.add("n1", [now])
        page, _ = page_of(replace(night(now), folder=tmp_path), tmp_path, history)
    for text in (
        "TSM fault at 0x8f001234",
        "hart 0 pc TSM: map_page+0x10 (gstage.c:42)",
        "#0 TSM: map_page+0x10 (gstage.c:42)",
        "teecall run smoke --set a=b",
        "first seen 2026-11-21 00:00 UTC (night n0)",
        "2026-11-20 00:00 UTC (night n-1)",
        "version of opensbi: 1.6 → 1.7",
        "399 a line of the console",
        "TSM_FAULT",
    ):
        assert text in page.text, text
    assert "0 a line of the console" not in page.text.split("399 a line")[0].split("\n")


def test_a_failure_without_evidence_or_history_is_told_as_well(tmp_path: Path) -> None:
    gone = crash("a", evidence="not-there")
    cut = crash("b", evidence="cut", quarantine=QUARANTINE)
    leave_evidence(tmp_path / "cut")
    (tmp_path / "cut" / "events.json").write_text('{"rings": [')
    page, _ = page_of(replace(night(gone, cut, ended=False), folder=tmp_path), tmp_path)
    assert "none is known" in page.text
    assert "The night has not come to its end." in page.text
    assert "https://example.org/1" in page.text


def test_a_night_without_runs_is_a_page(tmp_path: Path) -> None:
    page, _ = page_of(night(), tmp_path)
    assert "No run yet." in page.text


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_html(night(), tmp_path / "file" / "report.html")


def test_text_and_attributes_of_pictures_are_escaped_once() -> None:
    inner = tag("title", "<b>&\u202e")
    drawn = tag("g", inner, "x<y", aria_label='"><script>\x07', x=1.0)
    assert drawn == (
        '<g aria-label="&#34;&gt;&lt;script&gt;&lt;U+0007&gt;" x="1">'
        "<title>&lt;b&gt;&amp;&lt;U+202E&gt;</title>x&lt;y</g>"
    )


def test_axes_with_most_values_make_columns_and_rows() -> None:
    runs = [
        run_record(f"{irq}{harts}{cpu}", axes={"irq": irq, "harts": harts, "cpu": cpu})
        for irq in ("aia", "plic")
        for harts in ("10", "2", "1", "8")
        for cpu in ("max", "rv64", "rva23")
    ]
    runs.append(run_record("aia2max", Verdict.FAIL, axes=runs[3].axes, id=runs[3].id))
    told = night(*runs)
    targets = {id(run): f"run-{n}" for n, run in enumerate(told.runs)}
    first, second = grids(told, targets)["smoke"]
    assert (first.caption, second.caption) == ("irq=aia", "irq=plic")
    assert first.columns == ("1", "2", "8", "10")
    assert first.row_names == ("max", "rv64", "rva23")
    (mark,) = first.rows[0][1]
    assert (mark.verdict, mark.count, mark.target) == ("FAIL", 2, f"run-{len(runs) - 1}")


def test_axes_that_never_differ_are_named_once_above_all_tables() -> None:
    runs = [
        run_record(f"{irq}{harts}", axes={"irq": irq, "harts": harts, "qemu": "path"})
        for irq in ("aia", "plic")
        for harts in ("1", "2")
    ]
    told = night(*runs)
    (table,) = grids(told, {id(run): "run" for run in told.runs})["smoke"]
    assert (table.caption, common(told)) == ("", {"qemu": "path"})
    assert "Every cell: qemu=path" in render(told, Path("report.html"))
    # Where nothing differs, the table has what there is.
    alone = night(runs[0])
    (table,) = grids(alone, {id(run): "run" for run in alone.runs})["smoke"]
    assert (table.caption, common(alone)) == ("qemu=path", {})


def test_lengths_of_nights_are_for_people() -> None:
    assert [took(s) for s in (9.96, 1202.4, 7325.0)] == ["10.0 s", "20 min 02 s", "2 h 02 min"]


def test_runs_without_axes_are_told_by_their_labels() -> None:
    told = night(run_record("one"), run_record("two"))
    (grid,) = grids(told, {id(run): "x" for run in told.runs})["smoke"]
    assert [mark.label for mark in grid.rows[0][0]] == ["one", "two"]


def test_charts_show_what_changed_this_night_first(tmp_path: Path) -> None:
    def day(number: int, **metrics: float) -> RunRecord:
        return run_record("a", started=f"2026-11-{number:02d}T23:00:00+00:00", metrics=metrics)

    now = day(22, calm=5.0, jump=12.0)
    with open_history(tmp_path / "h.sqlite") as history:
        for number in range(1, 22):
            history.add(f"n{number}", [day(number, calm=5.0, jump=10.0)])
        # The night itself may be in the history already.
        history.add("n22", [now])
        jump, calm = charts(night(now), history)
    assert (jump.metric, jump.change) == ("jump", "10 → 12 (+20.0%)")
    assert calm.change is None
    assert [sample.new for sample in jump.samples] == [False] * 21 + [True]
    assert "▲ +20.0%" in jump.drawing and 'class="new"' in jump.drawing


def test_values_that_are_no_numbers_are_left_out() -> None:
    told = night(run_record("a", metrics={"m": float("nan"), "n": float("inf"), "k": 2.0}))
    assert [chart.metric for chart in charts(told, None)] == ["k"]


def test_consoles_of_one_clock_are_put_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "uart.log").write_text("raw\n")
    (tmp_path / "uart.txt").write_text(
        "     100 ms uart   | u1\n     200 ms uart   | u2\n     900 ms uart   | u3\n"
    )
    (tmp_path / "shell.txt").write_text("     300 ms shell  | s1\n     800 ms shell  | s2\n")
    (strip,) = strips(consoles(tmp_path, None))
    assert strip.clock == WALL
    blocks = [(row.time, row.blocks) for row in strip.rows]
    assert blocks == [
        (0.1, (("u1", "u2"), ())),
        (0.3, ((), ("s1", "s2"))),
        (0.9, (("u3",), ())),
    ]


def test_consoles_without_common_times_keep_their_own_order(tmp_path: Path) -> None:
    (tmp_path / "uart.log").write_text("early\n[    0.500000] kernel\nafter\n")
    (tmp_path / "shell.log").write_text("s1\n" * 300)
    (tmp_path / "shell.txt").write_text("of another kind\n")
    uart, shell = consoles(tmp_path, None)
    assert uart.clock == KERNEL
    assert [line.time for line in uart.lines] == [None, 0.5, 0.5]
    assert (shell.clock, shell.earlier, len(shell.lines)) == (None, 100, 200)


def bars(drawn: str, world: int) -> list[tuple[float, float]]:
    """Return from where to where the bars of a world go, from the left."""
    found = re.findall(
        rf'<rect x="([^"]+)"[^>]* width="([^"]+)"[^>]* class="w{world}(?: open)?"', drawn
    )
    return sorted((float(x), float(x) + float(width)) for x, width in found)


def test_timeline_shows_the_tsm_between_the_runs_of_tvms() -> None:
    drawn = timeline(trace(3))
    assert drawn is not None
    host, tsm, tvm = bars(drawn, 0), bars(drawn, 2), bars(drawn, 3)
    # Each of the calls runs a TVM; the TSM runs before and after it.
    assert (len(host), len(tsm), len(tvm)) == (2, 6, 3)
    everything = sorted([*host, *tsm, *tvm])
    assert all(one[1] <= other[0] + 0.15 for one, other in itertools.pairwise(everything))
    assert "TSM_FAULT" in drawn and "it has no end" in drawn


def test_timeline_has_the_newest_events_of_all_harts_in_time() -> None:
    both = Trace(trace(100).rings + trace(100, hart=1).rings, ())
    drawn = timeline(both, shown=40)
    assert drawn is not None
    assert "hart 0 TVM" in drawn and "hart 1 TVM" in drawn
    assert "the last 40 events of 800" in drawn
    assert timeline(Trace((), ())) is None


def test_clean_leaves_plain_text_and_spells_out_the_rest() -> None:
    assert clean("a\tb\nc ü 漢") == "a\tb\nc ü 漢"
    assert clean("\x1b[1;31mred\x1b[0m\x1b]0;title\x07!") == "red!"
    assert clean("a\r\nb\x00\u202e") == "a\nb<U+0000><U+202E>"
    assert clean("abcdef", 3) == "abc…"
    assert not set(clean(HOSTILE)) & set("\x00\x07\x1b\x7f\x85\u202e\u2066\u200b\ud800\ufffe\u2028")


def test_links_go_to_files_and_the_web_only(tmp_path: Path) -> None:
    assert web_link("https://example.org/1") and not web_link("javascript:alert(1)")
    page = tmp_path / "report.html"
    assert file_link(tmp_path / "java:x" / "a b#", page) == "./java%3Ax/a%20b%23"
    assert file_link(Path("/elsewhere/run"), page) == "file:///elsewhere/run"
