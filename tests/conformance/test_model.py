# SPDX-License-Identifier: Apache-2.0
"""The reference model and what is written from it, without a machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import abi
from harness.conformance.author import KINDS, LIMIT, Step, write
from harness.conformance.batch import Told
from harness.conformance.calls import PAGE, Answer, Call, parse_script, script
from harness.conformance.capability import load
from harness.conformance.directed import cases
from harness.conformance.elsewhere import ELSEWHERE
from harness.conformance.judge import judge
from harness.conformance.model.machine import Machine
from harness.conformance.model.pages import isolation_cost
from harness.conformance.table import REQUIRED, empty_cells
from harness.conformance.together import meetings
from harness.errors import ConfigError
from tests.system.conftest import ROOT

MACHINE = Machine(range(0x90000000, 0xA0000000, PAGE), 2, 1, 1, 16)
NUMBER = st.integers(0, LIMIT - 1)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.integers(0, KINDS - 1), NUMBER, NUMBER, NUMBER), max_size=40
)


def test_no_required_cell_is_empty() -> None:
    assert empty_cells() == []


def test_what_covers_a_cell_elsewhere_stands_there() -> None:
    for (function, error), place in ELSEWHERE.items():
        assert error in REQUIRED[function], f"{function} {error.name}"
        text = (ROOT / place.file).read_text()
        assert place.words in text, f"{function} {error.name}: {place.words!r} in {place.file}"


def test_the_model_says_of_each_case_what_the_case_says() -> None:
    can = load()
    for case in cases(MACHINE, can):
        assert case.missed(MACHINE, can) == "", case.name


def test_nothing_is_asked_that_another_tsm_does_not_support() -> None:
    own, other = load(), load(ROOT / "configs" / "examples" / "my-tsm.capabilities")
    asked = {case.function for case in cases(MACHINE, other) if case.error is abi.Error.SUCCESS}
    all_of_it = {case.function for case in cases(MACHINE, own) if case.error is abi.Error.SUCCESS}
    assert all_of_it - asked == {"promote_page", "demote_page"}
    errors = {case.error for case in cases(MACHINE, other)}
    assert abi.Error.OUT_OF_RANGES not in errors and abi.Error.OUT_OF_PTPAGES in errors
    assert {meeting.function for meeting in meetings(MACHINE, other)} == {
        *("create_tvm", "destroy_tvm", "tvm_fence")
    }
    for case in cases(MACHINE, other):
        assert case.missed(MACHINE, other) == "", case.name


def test_a_wrong_key_of_a_capability_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "tsm.capabilities"
    file.write_text("name: x\npages: [0]\n")
    with pytest.raises(ConfigError, match=r"tsm.capabilities.*pages") as error:
        load(file)
    assert "page_types" in str(error.value.remedy)


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_scripts_can_be_written_down_and_read(steps: list[Step]) -> None:
    calls = write(MACHINE, load(), steps)
    assert [call.line() for call in parse_script(script(calls, ["remark"]))] == [
        call.line() for call in calls
    ]


def test_a_wrong_answer_is_found() -> None:
    calls = [Call("covh", "local_fence", cpu=0), Call("covh", "get_tsm_info", (0x90000000, 47))]
    right = [Answer(0, 0, 0), Answer(-3, 0, 0)]
    assert judge(MACHINE, load(), calls, right) is None
    for index, wrong in ((0, Answer(-1, 0, 0)), (0, Answer(0, 1, 0)), (1, Answer(-5, 0, 0))):
        answers = list(right)
        answers[index] = wrong
        found = judge(MACHINE, load(), calls, answers)
        assert found is not None and found.index == index
    unanswered = judge(MACHINE, load(), calls, right[:1])
    assert unanswered is not None and unanswered.index == 1


def test_changed_parameters_count_where_another_hart_really_wrote() -> None:
    told = Told()
    told.take([Call("host", "raced"), Call("host", "read", (0x90000000,))], [Answer(0, 7, 0)] * 2)
    told.add(Told(raced=3))
    assert told.raced == 10
    changing = [case for case in meetings(MACHINE, load()) if any(c.flip for c in case.calls)]
    assert any(case.raced for case in changing)
    assert all("host raced" in [call.line() for call in case.calls] for case in changing)


def test_isolation_costs_one_entry_where_a_range_is_napot() -> None:
    assert isolation_cost([]) == 0
    assert isolation_cost([0x2000, 0x3000]) == 1
    assert isolation_cost([0x1000, 0x2000]) == 2
    assert isolation_cost([0x1000, 0x4000, 0x5000]) == 2
