# SPDX-License-Identifier: Apache-2.0
"""Verdicts of a run, what it leaves behind, and the checks of smoke on what a host may answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from harness import abi
from harness.config.schema import Config
from harness.errors import (
    BuildError,
    ConfigError,
    InfraError,
    Interrupted,
    MachineCrash,
    MachineError,
    MachineHang,
    OutputLost,
    StoreError,
    TeecallError,
)
from harness.host.host import Host
from harness.host.results import CallResult, GuestRun, JsonObject, parse_answer
from harness.machine.rundir import RunDir
from harness.scenarios import session as session_module
from harness.scenarios.payload import Payload
from harness.scenarios.report import Failure, Report, last_screen, write_json
from harness.scenarios.runner import CheckFailed, Skipped, Step, run_steps
from harness.scenarios.session import Session, run_scenario
from harness.scenarios.smoke import Smoke
from harness.scenarios.smoke_checks import check_answer, check_steps, check_teardown
from harness.trace.tsm import TsmStats
from harness.ui import QuietUi
from harness.verdict import Check, Verdict

PAGE = 4096
BASE = 0x80200000
NONCE = 0x1234
PAYLOAD = Payload(b"", bytes(range(32)), BASE, BASE, {BASE: bytes(PAGE), BASE + PAGE: bytes(PAGE)})


class Notes:
    """A witness that only remembers."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.errors: list[TeecallError] = []

    def ended(self, check: Check) -> None:
        self.checks.append(check)

    def explained(self, error: TeecallError) -> TeecallError:
        return error

    def failed(self, name: str, error: TeecallError) -> None:
        self.errors.append(error)


def step(name: str, error: BaseException | None = None) -> Step[None]:
    def run(state: None) -> str:
        if error is not None:
            raise error
        return f"{name} is fine"

    return Step(name, run)


def verdicts(*steps: Step[None]) -> dict[str, str]:
    return {check.name: str(check.verdict) for check in run_steps(steps, None, Notes())}


def test_checks_run_in_order_and_say_what_they_saw() -> None:
    notes = Notes()
    checks = run_steps([step("a"), step("b")], None, notes)
    assert [(check.name, check.detail) for check in checks] == [
        ("a", "a is fine"),
        ("b", "b is fine"),
    ]
    assert notes.checks == checks


def test_failed_check_does_not_end_the_run() -> None:
    assert verdicts(step("a", CheckFailed("no")), step("b")) == {"a": "FAIL", "b": "PASS"}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (MachineCrash("x"), "CRASH"),
        (MachineHang("x"), "HANG"),
        (InfraError("x"), "INFRA"),
        (ZeroDivisionError("a bug of ours"), "INFRA"),
    ],
)
def test_what_ends_a_run_skips_the_rest(error: Exception, verdict: str) -> None:
    assert verdicts(step("a", error), step("b")) == {"a": verdict, "b": "SKIP"}


def test_what_the_user_has_to_correct_gets_no_verdict() -> None:
    with pytest.raises(ConfigError):
        verdicts(step("a", ConfigError("x")), step("b"))


def test_build_failure_is_a_failure() -> None:
    assert verdicts(step("build", BuildError("no")))["build"] == "FAIL"


def test_skipped_check_is_no_failure() -> None:
    notes = Notes()
    (check,) = run_steps([step("a", Skipped("nothing there"))], None, notes)
    assert (check.verdict, check.detail) == (Verdict.SKIP, "nothing there")
    assert notes.errors == []


def report(*results: Verdict) -> Report:
    checks = tuple(Check(f"c{n}", verdict, "d", 0.1) for n, verdict in enumerate(results))
    return Report(checks, 1.5, Path("/evidence"), {"boot_s": 0.5}, {"qemu": "10.0.2"})


def test_report_has_the_agreed_form(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", report(Verdict.PASS, Verdict.FAIL))
    assert json.loads((tmp_path / "r.json").read_text()) == {
        "verdict": "FAIL",
        "duration_s": 1.5,
        "checks": [
            {"name": "c0", "verdict": "PASS", "detail": "d", "duration_s": 0.1},
            {"name": "c1", "verdict": "FAIL", "detail": "d", "duration_s": 0.1},
        ],
        "metrics": {"boot_s": 0.5},
        "versions": {"qemu": "10.0.2"},
        "evidence_dir": "/evidence",
    }


def test_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        write_json(tmp_path, report())
    with pytest.raises(StoreError) as caught:
        write_json(Path("/dev/full"), report())
    assert "--json" in caught.value.remedy


def test_last_screen_says_what_where_and_which_file() -> None:
    failure = Failure("boot", "it hangs", "wait", ("line",), ("hart 0 at x",), Path("/e/f.txt"))
    text = "\n".join(last_screen(failure))
    for part in ("boot: it hangs", "| line", "where: hart 0 at x", "open: /e/f.txt", "remedy"):
        assert part in text


Body = Callable[[Smoke], str]


def run_with(body: Body, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(session_module, "steps_of", lambda *_: [Step("check", body)])
    session = Session(Config(), RunDir(tmp_path), QuietUi(), True, ended=lambda check: None)
    return run_scenario("test", session)


def raising(error: BaseException) -> Body:
    def body(smoke: Smoke) -> str:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckFailed("x"), 1),
        (MachineCrash("x"), 1),
        (BuildError("x"), 1),
        (InfraError("x"), 99),
        (ConfigError("x"), 2),
        (ZeroDivisionError("a bug of ours"), 99),
        (OutputLost("x"), 99),
        (KeyboardInterrupt(), 130),
        (Interrupted(15), 143),
    ],
)
def test_exit_codes(
    error: BaseException, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_with(raising(error), tmp_path, monkeypatch)
    assert result.exit_code == code
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["verdict"] == result.verdict
    assert saved["exit_code"] == code
    assert (result.verdict is None) == (code == 2)
    assert len(bytes.fromhex(saved["seed"])) == 16
    assert saved["config"]["machine"]["harts"] == 2


def test_error_of_the_caller_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(raising(ConfigError("no such file", "name another")), tmp_path, monkeypatch)
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["error"] == {"message": "no such file", "remedy": "name another", "details": []}


@pytest.mark.parametrize("error", [OutputLost("a closed pipe"), StoreError("a full disk")])
def test_run_that_cannot_show_its_checks_is_stored(
    error: InfraError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(check: Check) -> None:
        if check.name != "run":
            raise error

    monkeypatch.setattr(session_module, "steps_of", lambda *_: [step("a")])
    result = run_scenario("test", Session(Config(), RunDir(tmp_path), QuietUi(), True, ended=lost))
    assert (result.exit_code, result.verdict) == (99, Verdict.INFRA)
    assert result.failures[0].message == error.message
    assert json.loads((tmp_path / "run.json").read_text())["verdict"] == "INFRA"


def test_interrupted_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_with(raising(KeyboardInterrupt()), tmp_path, monkeypatch)
    assert [(check.verdict, check.detail) for check in result.checks] == [
        (Verdict.INFRA, "interrupted")
    ]


def test_secrets_follow_from_the_seed(tmp_path: Path) -> None:
    def made(seed: bytes) -> Smoke:
        return Smoke(Config(), RunDir(tmp_path), QuietUi(), contextlib.ExitStack(), seed=seed)

    one, same, other = made(b"a"), made(b"a"), made(b"b")
    assert one.derived("secret", 32) == same.derived("secret", 32)
    assert one.derived("secret", 32) != other.derived("secret", 32)
    assert one.nonce("first") != one.nonce("second")


def test_answers_and_words_of_the_tool_are_told_apart() -> None:
    answer = parse_answer('{"a": 1}\ntvm: it went wrong\n[1, 2]\n\n{"b": 2}\n', 1)
    assert answer.objects == ({"a": 1}, {"b": 2})
    assert answer.messages == ("tvm: it went wrong", "[1, 2]")
    assert answer.status == 1


def test_changed_registers_are_named() -> None:
    call = CallResult.from_json("f", {"changed_gprs": 1 << 19 | 1 << 1 | 1 << 31})
    assert call.changed_names == ["ra", "s3", "t6"]


LAUNCH: JsonObject = {
    "event": "launch",
    "pages": [{"gpa": BASE, "pa": 0x90000000}, {"gpa": BASE + PAGE, "pa": 0x90001000}],
    "pool": [{"base": 0x90000000, "pages": 512}],
}
SHUTDOWN: JsonObject = {"event": "exit", "reason": "shutdown", "exits": 7}


def guest(
    lines: list[str] | None = None, end: JsonObject = SHUTDOWN, launch: JsonObject = LAUNCH
) -> GuestRun:
    said = PAYLOAD.expected_lines(NONCE) if lines is None else lines
    console = [{"event": "console", "text": line} for line in said]
    return GuestRun((launch, *console, end), (), 0)


def test_right_answer_passes() -> None:
    assert "2 measured pages" in check_answer(guest(), PAYLOAD, NONCE)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (0, "did not get the nonce"),
        (1, "secret"),
        (2, "computed wrongly"),
        (3, "measured something else"),
        (4, "another entry point"),
        (5, "did not say"),
    ],
)
def test_each_wrong_line_is_named(line: int, says: str) -> None:
    lines = PAYLOAD.expected_lines(NONCE)
    lines[line] = lines[line].split("=")[0] + "=0"
    with pytest.raises(CheckFailed, match=says):
        check_answer(guest(lines), PAYLOAD, NONCE)


def test_answer_to_another_nonce_fails() -> None:
    with pytest.raises(CheckFailed, match="nonce"):
        check_answer(guest(), PAYLOAD, NONCE + 1)


def test_page_that_was_not_given_fails() -> None:
    launch = {**LAUNCH, "pages": [{"gpa": BASE, "pa": 0x90000000}]}
    with pytest.raises(CheckFailed, match="1 pages were given to be measured, the ELF has 2"):
        check_answer(guest(launch=launch), PAYLOAD, NONCE)


def test_guest_that_faults_fails_with_its_cause() -> None:
    end = {"event": "exit", "reason": "fault", "scause": 21, "stval": 16, "htval": 4}
    with pytest.raises(CheckFailed, match=r"fault .scause 0x15, stval 0x10, htval 0x4"):
        check_answer(guest(end=end), PAYLOAD, NONCE)


def test_guest_that_never_ends_is_a_timeout() -> None:
    with pytest.raises(MachineError) as caught:
        check_answer(guest(end={"event": "exit", "reason": "limit"}), PAYLOAD, NONCE)
    assert caught.value.verdict is Verdict.TIMEOUT


def test_tool_that_gives_up_is_quoted() -> None:
    run = GuestRun((), ("tvm: no /dev/covh",), 1)
    with pytest.raises(CheckFailed, match="no /dev/covh"):
        check_answer(run, PAYLOAD, NONCE)


def test_failed_call_is_named() -> None:
    error = {"event": "error", "call": "convert_pages", "error": -5, "message": "why"}
    with pytest.raises(CheckFailed, match="convert_pages failed with INVALID_ADDRESS: why"):
        check_answer(GuestRun((error,), (), 1), PAYLOAD, NONCE)


def test_changed_register_fails_and_names_teeret(tmp_path: Path) -> None:
    from tests.unit.test_trace import GUEST_PC, HOST_PC, TSM, a_run

    log = tmp_path / "interrupts.log"
    log.write_text(
        "".join(
            f"riscv_cpu_do_interrupt: hart:0, async:0, cause:{cause:x}, epc:0x{pc:x}, tval:0x0,"
            " desc=ecall\n"
            for cause, pc in ((9, HOST_PC), (10, GUEST_PC), (9, TSM.start))
        )
    )
    good = CallResult.from_json("get_tsm_info", {})
    assert "1-6 in order" in check_steps(a_run(), log, TSM, [good])
    with pytest.raises(CheckFailed, match="s3 changed across get_tsm_info: TEERET must restore"):
        check_steps(a_run(), log, TSM, [replace(good, changed_gprs=1 << 19)])
    log.write_text("")
    with pytest.raises(CheckFailed, match="step 1: no ECALL from HS-mode"):
        check_steps(a_run(), log, TSM, [good])
    with pytest.raises(CheckFailed, match="step 3"):
        check_steps([a_run()[0], a_run()[3]], log, TSM, [good])


class FakeHost:
    """A host whose memory is `content` everywhere."""

    def __init__(self, content: bytes = b"\0") -> None:
        self.machine = self
        self.ram = self
        self._content = content

    def read(self, address: int, size: int) -> bytes:
        return self._content * size


STATS = TsmStats({state.name: 0 for state in abi.PageState}, 0, 0)
LEAKED = replace(STATS, pages={**STATS.pages, "TVM_DATA": 3, "UNASSIGNED": 509})
DESTROY: JsonObject = {"event": "destroy", "error": 0}
RECLAIM: JsonObject = {"event": "reclaim", "pages": 512, "error": 0, "nonzero_bytes": 0}
GONE: JsonObject = {"event": "gone", "error": -3}


def teardown(*events: JsonObject, content: bytes = b"\0", after: TsmStats = STATS) -> str:
    host = cast(Host, FakeHost(content))
    return check_teardown(host, guest(), GuestRun(events, (), 0), STATS, after)


def test_clean_teardown_passes() -> None:
    assert "512 pages reclaimed" in teardown(DESTROY, RECLAIM, GONE)


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ((), "not destroyed"),
        (({"event": "destroy", "error": -1}, RECLAIM, GONE), "destroy_tvm: FAILED"),
        ((DESTROY, {**RECLAIM, "error": -5}, GONE), "reclaim_pages: INVALID_ADDRESS"),
        ((DESTROY, {**RECLAIM, "nonzero_bytes": 9}, GONE), "9 bytes .* not zero"),
        ((DESTROY, {**RECLAIM, "pages": 511}, GONE), "511 of 512"),
        ((DESTROY, RECLAIM, {"event": "gone", "error": 0}), "not refused"),
        ((DESTROY, RECLAIM), "not refused"),
    ],
)
def test_each_defect_of_teardown_is_named(events: tuple[JsonObject, ...], says: str) -> None:
    with pytest.raises(CheckFailed, match=says):
        teardown(*events)


def test_memory_itself_is_looked_at() -> None:
    with pytest.raises(CheckFailed, match="not scrubbed"):
        teardown(DESTROY, RECLAIM, GONE, content=b"x")


def test_pages_left_behind_are_counted() -> None:
    with pytest.raises(CheckFailed, match=r"still holds .*3 TVM_DATA"):
        teardown(DESTROY, {**RECLAIM, "error": -5}, GONE, after=LEAKED)
    with pytest.raises(CheckFailed, match=r"still holds .*TVM_DATA 0 -> 3"):
        teardown(DESTROY, RECLAIM, GONE, after=LEAKED)
