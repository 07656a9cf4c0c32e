# SPDX-License-Identifier: Apache-2.0
"""Nights with evidence on disk, for tests of the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import abi
from harness.report.record import Night, RunRecord
from harness.trace.record import Trace
from harness.trace.ring import Event, Ring
from harness.verdict import Verdict
from tests.unit.nights import QUARANTINE, crash, night, run_record

# What a guest may say to become more than text: markup, the ends of what it stands in, a
# terminal's sequences, control bytes, and characters that reorder or hide others.
HOSTILE = (
    "<script>window.pwned = 1</script>\"'><img src=x onerror='window.pwned = 2'>]]>--></pre>"
    "</style></title></textarea>{{ 7 * 7 }}\x00\x07\x1b[31mred\x1b]8;;http://x.example/\x07link"
    "\x7f\x85\u202eevil\u2066\u200b\ud800\ufffe&amp;\u2028 javascript:window.pwned=3"
)
# As long as those of a kernel are, when it says much.
LINE = "a line of the console, with addresses such as 0xffffffff80190d14 and names of functions"
CPUS = ("rv64", "rv64,v=true", "max", "rv64,sstc=false", "rv64,svpbmt=false")


def event(kind: abi.Event, time: int, **more: int) -> Event:
    """One event of hart 0, as M-mode or the TSM records it."""
    values = {"hart": 0, "sdid": 0, "eid": 0x434F5648, "fid": 0, "error": 0, "value": 0, "aux": 0}
    writer = "tsm" if kind in (abi.Event.GUEST_ENTER, abi.Event.GUEST_EXIT) else "tsmd"
    return Event(writer=writer, time=time, instret=time, kind=kind.value, **(values | more))


def trace(calls: int = 3, hart: int = 0) -> Trace:
    """Calls, in each of which a TVM runs; the last one faults and does not return."""
    kinds = abi.Event
    tsmd, tsm = [], []
    for number in range(calls):
        base = 1000 * number + 500 * hart
        tsmd.append(event(kinds.TEECALL, base, fid=15, hart=hart))
        tsm.append(event(kinds.GUEST_ENTER, base + 10, aux=256 << 32, hart=hart))
        tsm.append(event(kinds.GUEST_EXIT, base + 300, aux=256 << 32, error=10, hart=hart))
        if number < calls - 1:
            tsmd.append(event(kinds.TEERET, base + 320, fid=15, hart=hart))
        else:
            tsmd.append(event(kinds.TSM_FAULT, base + 320, value=7, aux=0x8F001C3C, hart=hart))
    rings = [("tsmd", tsmd), ("tsm", tsm)]
    return Trace(
        tuple(Ring(tuple(each), writer, hart, 2048, len(each)) for writer, each in rings), ()
    )


def leave_evidence(folder: Path, lines: int = 400, text: str = LINE) -> None:
    """Write what a run leaves in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    told = text.encode("utf-8", "surrogatepass")
    uart = b"".join(b"[%5d.%06d] %d %s\r\n" % (n // 100, n, n, told) for n in range(lines))
    (folder / "uart.log").write_bytes(uart)
    (folder / "shell.log").write_bytes(b"".join(b"$ %d %s\n" % (n, told) for n in range(lines)))
    (folder / "tsm.log").write_bytes(b"tsm: ready " + told + b"\xff\xfe\n")
    (folder / "qemu.stderr").write_bytes(b"")
    forensics = b"CRASH\n== TSM backtrace\n#0 TSM: map_page+0x10 (gstage.c:42)\n" + told
    (folder / "forensics.txt").write_bytes(forensics + b"\n== UART\nagain\n")
    (folder / "events.json").write_text(trace(30).as_json())


def big_night(folder: Path, cells: int = 500, kinds: int = 6, lines: int = 400) -> Night:
    """A night of many cells, of which every fifth failed in one of `kinds` ways."""
    runs = []
    for number in range(cells):
        axes = {
            "cpu": CPUS[number % 5],
            "harts": str(1 << number // 5 % 5),
            "irq": ("aia", "plic")[number // 25 % 2],
            "memory": ("1G", "2G")[number // 50 % 2],
        }
        scenario = ("smoke", "audit", "smp", "containment", "beside-kvm")[number // 100 % 5]
        label = " ".join(f"{axis}={value}" for axis, value in axes.items()) + f" #{number}"
        more: dict[str, Any] = {
            "axes": axes,
            "scenario": scenario,
            "metrics": {f"metric_{n}": 1.0 + n for n in range(8)},
            "started": f"2026-11-22T23:{number // 60 % 60:02d}:{number % 60:02d}+00:00",
        }
        if number % 5:
            runs.append(run_record(label, **more))
            continue
        way = f"CRASH way {number // 5 % kinds}"
        evidence = f"runs/{number}"
        leave_evidence(folder / evidence, lines)
        runs.append(crash(label, signature=way, title=way, evidence=evidence, **more))
    return replace(night(*runs, not_run=("late one",)), folder=folder)


def hostile_run(folder: Path) -> RunRecord:
    """A run in which everything that can be text is hostile."""
    leave_evidence(folder / "bad", 30, HOSTILE)
    run = crash(HOSTILE)
    failure = run.failures[0]
    changes = {"check": HOSTILE, "message": HOSTILE, "where": (HOSTILE,), "details": (HOSTILE,)}
    values = {name: getattr(failure, name) for name in failure.__struct_fields__}
    return crash(
        HOSTILE,
        scenario=HOSTILE,
        axes={HOSTILE: HOSTILE, "cpu": HOSTILE},
        signature=HOSTILE,
        title=HOSTILE,
        failures=(type(failure)(**(values | changes | {"remedy": HOSTILE, "open": HOSTILE})),),
        metrics={HOSTILE: 1.0},
        versions={HOSTILE: HOSTILE},
        spoilt=(HOSTILE,),
        command=HOSTILE,
        node=HOSTILE,
        quarantine=type(QUARANTINE)(
            reason=HOSTILE, url="javascript:window.pwned=4", expires=HOSTILE
        ),
        evidence="bad",
    )


def hostile_night(folder: Path) -> Night:
    """A night with a hostile run and others of all verdicts."""
    others = [run_record(f"{verdict}", verdict) for verdict in Verdict]
    told = night(hostile_run(folder), run_record("mistake", None), *others, not_run=(HOSTILE,))
    return replace(told, folder=folder)
