# SPDX-License-Identifier: Apache-2.0
"""What `teecall trace` makes of events: calls, text, JSON, the file for the trace viewer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness import abi
from harness.abi import Covh, Eid
from harness.abi import Event as Kind
from harness.cli.main import run
from harness.errors import UsageError
from harness.scenarios.smoke_checks import check_steps
from harness.trace.calls import crossings
from harness.trace.names import call_name, cause_name
from harness.trace.perfetto import HOST, M_MODE, TSM, perfetto
from harness.trace.record import Trace
from harness.trace.ring import Event, Ring, decode_ring, lost_events
from harness.trace.saved import load_trace, parse_trace, run_folder
from harness.trace.text import as_json, text_lines
from tests.unit.test_trace import CAPACITY, RUN_FID, a_run, event, ring_bytes

RECORDED = Path(__file__).parent / "logs" / "smoke.events.json"
CONVERT = {"eid": Eid.COVH, "fid": 1 << abi.A6_SDID_SHIFT | Covh.CONVERT_PAGES}


def trace_of(*events: Event, head: int | None = None) -> Trace:
    """A trace whose rings have `events`; the M-mode ring has written `head` events."""
    rings = []
    for writer in ("tsmd", "tsm"):
        own = tuple(one for one in events if one.writer == writer)
        count = head if head is not None and writer == "tsmd" else len(own)
        capacity = len(own) if head is not None and writer == "tsmd" else 512
        rings.append(Ring(own, writer, 0, capacity, count))
    return Trace(tuple(rings), ())


def interrupted_call() -> list[Event]:
    return [
        event(Kind.TEECALL, 100, **CONVERT),
        event(Kind.TEERET_INTERRUPTED, 150, **CONVERT),
        event(Kind.TEERESUME, 300, **CONVERT),
        event(Kind.TEERET, 340, **CONVERT),
    ]


def drawn(trace: Trace, phase: str) -> list[dict[str, object]]:
    found = perfetto(trace)["traceEvents"]
    assert isinstance(found, list)
    return [one for one in found if one["ph"] == phase]


def test_call_with_its_guest_run() -> None:
    found = crossings(a_run())
    (call,) = found.calls
    (guest,) = found.guest_runs
    assert (call.state, call.complete, call.ticks) == ("returned", True, 30)
    assert guest.stay.ticks == 10


def test_interrupted_call_is_one_call_with_two_stays() -> None:
    (call,) = crossings(interrupted_call()).calls
    assert [stay.ticks for stay in call.stays] == [50, 40]
    assert (call.complete, call.ticks) == (True, 240)


def test_interrupted_call_that_is_given_up() -> None:
    events = interrupted_call()[:2] + [replace(one, time=500 + one.time) for one in a_run()]
    given_up, other = crossings(events).calls
    assert (given_up.state, given_up.complete) == ("interrupted", False)
    assert other.complete


def test_unfinished_call_has_no_end() -> None:
    (call,) = crossings(a_run()[:2]).calls
    assert (call.state, call.complete, call.ticks) == ("unfinished", False, None)


@pytest.mark.parametrize("lost", [1, 2])
def test_call_whose_beginning_is_lost(lost: int) -> None:
    events = interrupted_call()[lost:]
    first = crossings(events).calls[0]
    assert not first.complete
    assert first.ticks is None


def test_wrapped_ring_gives_no_wrong_call() -> None:
    """A ring that wraps inside a call begins with its TEERET."""
    written = [one for _ in range(CAPACITY) for one in a_run() if one.writer == "tsmd"]
    written = [replace(one, instret=at, time=at) for at, one in enumerate(written)][:-1]
    ring = decode_ring(ring_bytes(written), "tsmd")
    calls = crossings(ring.events).calls
    assert calls[0].stays[0].start is None
    assert [call.complete for call in calls] == [False, True, True, True, False]
    assert lost_events([ring]) == [
        f"tsmd ring of hart 0: the oldest {len(written) - CAPACITY} of {len(written)} events"
        f" are lost (it keeps {CAPACITY})"
    ]


def test_harts_do_not_mix() -> None:
    events = a_run()[:2] + [replace(one, hart=1) for one in a_run()]
    assert [(call.hart, call.complete) for call in crossings(events).calls] == [
        (0, False),
        (1, True),
    ]


def test_names() -> None:
    assert call_name(Eid.COVH, RUN_FID) == "covh.run_tvm_vcpu"
    assert call_name(Eid.COVH, 0x3FFF) == "covh.0x3fff"
    assert call_name(Eid.LEGACY_PUTCHAR, 0) == "legacy_putchar"
    assert call_name(0x1234, 5) == "0x1234.0x5"
    assert cause_name(1 << 63 | 5) == "timer interrupt"
    assert cause_name(10) == "ecall from VS"


def test_text_has_a_line_for_each_event() -> None:
    heading, *lines, summary = text_lines(trace_of(*a_run()))
    assert heading.split() == ["hart", "time", "us", "event", "call", "result", "took", "us"]
    assert len(lines) == 4
    assert lines[0].split()[:4] == ["0", "1.0", "TEECALL", "covh.run_tvm_vcpu"]
    assert lines[2].split()[3:8] == ["legacy_putchar", "ecall", "from", "VS", "1.0"]
    assert lines[3].split()[3:6] == ["covh.run_tvm_vcpu", "SUCCESS", "3.0"]
    assert "4 events kept, 0 lost; 1 calls, 1 complete" in summary


def test_columns_are_aligned() -> None:
    lines = text_lines(trace_of(*a_run()))[:-1]
    assert (
        len({line.find(word) for line in lines for word in ("covh", "legacy") if word in line}) == 1
    )


def test_lost_and_unreadable_come_first() -> None:
    trace = replace(trace_of(*a_run(), head=100), problems=("event ring of tsm: magic 0x1",))
    lines = text_lines(trace)
    assert lines[0].startswith("LOST: tsmd ring of hart 0: the oldest 98 of 100 events")
    assert lines[1] == "UNREADABLE: event ring of tsm: magic 0x1"
    assert "98 lost" in lines[-1]


def test_json_says_what_is_lost() -> None:
    found = as_json(trace_of(*a_run(), head=100))
    assert found["lost"] == 98
    assert found["rings"] == [
        {"writer": "tsmd", "hart": 0, "capacity": 2, "head": 100, "lost": 98},
        {"writer": "tsm", "hart": 0, "capacity": 512, "head": 2, "lost": 0},
    ]
    assert json.loads(json.dumps(found)) == found


def test_events_json_comes_back_as_it_was() -> None:
    trace = trace_of(*a_run(), *interrupted_call(), head=100)
    assert parse_trace(trace.as_json()) == trace


def test_recorded_run_comes_back_as_it_was() -> None:
    text = RECORDED.read_text()
    trace = parse_trace(text)
    assert json.loads(trace.as_json()) == json.loads(text)
    assert trace.lost > 0
    assert len(text_lines(trace)) == len(trace.events) + 2 + len(lost_events(trace.rings))


def test_viewer_gets_a_track_for_each_hart_and_domain() -> None:
    names = drawn(trace_of(*a_run()), "M")
    tracks = {(one["pid"], one.get("tid")) for one in names if one["name"] == "thread_name"}
    assert tracks == {(pid, 1) for pid in (HOST, M_MODE, TSM, 4)}


def test_viewer_shows_the_six_steps() -> None:
    trace = trace_of(*a_run())
    slices = sorted((one["pid"], one["ts"], one["dur"], one["name"]) for one in drawn(trace, "X"))
    assert slices == [
        (HOST, 1.0, 3.0, "covh.run_tvm_vcpu"),
        (TSM, 1.0, 1.0, "covh.run_tvm_vcpu"),
        (TSM, 3.0, 1.0, "covh.run_tvm_vcpu"),
        (4, 2.0, 1.0, "vcpu 0"),
    ]
    assert [one["name"] for one in drawn(trace, "i")] == ["TEECALL", "TEERET"]


def test_viewer_leaves_an_unfinished_call_open() -> None:
    trace = trace_of(*a_run()[:2])
    assert {one["pid"] for one in drawn(trace, "B")} == {HOST, 4}
    assert [(one["pid"], one["dur"]) for one in drawn(trace, "X")] == [(TSM, 1.0)]


def test_viewer_says_what_is_lost() -> None:
    trace = trace_of(*a_run()[2:], head=100)
    instants = [str(one["name"]) for one in drawn(trace, "i")]
    assert "99 earlier events lost" in instants
    other = perfetto(trace)["otherData"]
    assert isinstance(other, dict)
    assert (other["lost"], len(other["lost_events"])) == (99, 1)
    names = [str(one["name"]) for one in drawn(trace, "X")]
    assert "covh.run_tvm_vcpu (beginning lost)" in names


def test_events_of_one_tick_keep_their_order() -> None:
    events = [replace(one, time=7) for one in a_run()]
    moments = [one["ts"] for one in drawn(trace_of(*events), "X") if one["pid"] == TSM]
    assert moments == [0.7, 0.702]


def test_viewer_file_of_a_recorded_run_is_complete() -> None:
    trace = parse_trace(RECORDED.read_text())
    for one in drawn(trace, "X"):
        assert isinstance(one["dur"], float)
        assert one["dur"] > 0
    fences = [one for one in trace.events if one.kind == Kind.GUEST_FENCE]
    shown = [one for one in drawn(trace, "i") if one["name"] == "GUEST_FENCE"]
    assert len(shown) == len(fences)


def run_with(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "events.json").write_text(text)
    return folder


def test_latest_run_is_the_default(cache: Path) -> None:
    with pytest.raises(UsageError, match="no run yet"):
        run_folder(None)
    folder = run_with(cache / "runs" / "one", RECORDED.read_text())
    (cache / "runs" / "latest").symlink_to("one")
    assert run_folder(None) == run_folder("one") == run_folder(str(folder)) == folder


@pytest.mark.parametrize("text", ["", "[]", '{"events": [], "problems": []}', '{"rings": 1}'])
def test_file_of_another_kind_is_refused(cache: Path, text: str) -> None:
    folder = run_with(cache / "runs" / "one", text)
    with pytest.raises(UsageError, match="not what this teecall writes"):
        load_trace(folder)


def test_run_without_events_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_trace(tmp_path)


def test_command_prints_and_exports(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with(cache / "runs" / "one", RECORDED.read_text())
    assert run(["trace", "one"]) == 0
    assert capsys.readouterr().out.startswith("LOST: ")
    target = cache / "trace.json"
    assert run(["trace", "one", "--json", "-", "--perfetto", str(target)]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["lost"] > 0
    assert "are lost" in shown.err
    assert json.loads(target.read_text())["otherData"]["lost"] > 0


def steps_detail(tmp_path: Path, lost: Sequence[str]) -> str:
    log = tmp_path / "interrupts.log"
    line = "riscv_cpu_do_interrupt: hart:0, async:0, cause:{:x}, epc:{:#x}, tval:0x0, desc=x\n"
    pcs = [(9, a_run()[0].aux), (10, a_run()[2].value), (9, 0x8F000100)]
    log.write_text("".join(line.format(*pc) for pc in pcs))
    return check_steps(a_run(), log, range(0x8F000000, 0x90000000), [], lost)


def test_steps_mention_lost_events(tmp_path: Path) -> None:
    assert steps_detail(tmp_path, ()).endswith("kept")
    assert steps_detail(tmp_path, ["tsm ring of hart 1: gone"]).endswith(
        "; tsm ring of hart 1: gone"
    )
