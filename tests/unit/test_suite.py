# SPDX-License-Identifier: Apache-2.0
"""Suites: entries, layers, quarantine, and what is wrong with one by file, line and key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.config.formats import Limits
from harness.config.matrix import expand, suite_alone
from harness.config.suite import Suite, known_scenarios, load_suite
from harness.errors import ConfigError
from harness.scenarios.session import SCENARIOS

TODAY = date(2026, 6, 1)
KNOWN = ("audit", "smoke")


def write(folder: Path, text: str, name: str = "suite.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def suite(path: Path) -> Suite:
    return load_suite(path, TODAY, KNOWN)


def test_entries_in_the_files_order(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        scenarios:
          smoke: {}
          smoke-serial:
            scenario: smoke
            extends: serial
            set: {machine: {harts: 3}}
            repeats: 5
            limits: {run_s: 20}
          audit: {extends: [quad]}
        quarantine:
          - scenario: audit
            reason: a stray bit
            url: https://example.org/1
            expires: 2026-06-01
        """,
    )
    first, second, third = expand(suite_alone(suite(path)))
    assert (first.name, first.scenario, first.label, first.settings) == ("smoke", "smoke", "", ())
    assert (first.repeats, first.limits, first.quarantine) == (1, Limits(), None)
    assert (second.name, second.scenario, second.repeats) == ("smoke-serial", "smoke", 5)
    assert second.limits.run_s == 20
    assert set(second.settings) == {"machine.harts=3", "console.mode=serial"}
    assert third.config.machine.harts == 4
    assert third.quarantine is not None
    # The last day counts.
    assert third.quarantine.expires == TODAY


def test_a_suite_over_another(tmp_path: Path) -> None:
    write(tmp_path, "scenarios: {smoke: {repeats: 2, set: {machine: {harts: 1}}}, audit: {}}\n")
    text = (
        "extends: suite\nscenarios: {smoke: {repeats: 7}, audit: null, more: {scenario: audit}}\n"
    )
    path = write(tmp_path, text, "over.yaml")
    cells = expand(suite_alone(suite(path)))
    assert [(cell.name, cell.repeats) for cell in cells] == [("smoke", 7), ("more", 1)]
    assert cells[0].config.machine.harts == 1


def test_paths_are_taken_from_the_suites_folder(tmp_path: Path) -> None:
    path = write(tmp_path, "scenarios: {smoke: {set: {tsm: {elf: my.elf}}}}\n")
    assert expand(suite_alone(suite(path)))[0].config.tsm.elf == str(tmp_path / "my.elf")


def test_known_scenarios_are_teecalls(tmp_path: Path) -> None:
    assert set(known_scenarios()) == set(SCENARIOS)
    with pytest.raises(ConfigError, match="no scenario 'smok'"):
        load_suite(write(tmp_path, "scenarios: {smok: {}}\n"))


QUARANTINE = "scenarios: {smoke: {}}\nquarantine:\n  - scenario: smoke\n"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("scenarios: {smok: {}}", 1, ["'scenarios.smok'", "did you mean 'smoke'?", "audit, smoke"]),
        ("scenarios:\n  a:\n    scenario: x", 3, ["'scenarios.a.scenario'", "no scenario 'x'"]),
        (
            "scenarios:\n  smoke:\n    repeat: 2",
            3,
            ["'scenarios.smoke.repeat'", "'scenarios.smoke.repeats'"],
        ),
        ("scenarios:\n  smoke:\n    repeats: 0", 3, ["'scenarios.smoke.repeats'", "from 1 to"]),
        (
            "scenarios:\n  smoke:\n    set: {machine: {hart: 3}}",
            3,
            ["set.machine.hart'", "machine.harts'"],
        ),
        ("scenarios:\n  smoke:\n    set:\n      machine: {harts: 99}", 4, ["'99'", "from 1 to 8"]),
        ("scenarios:\n  smoke:\n    extends: quat", 3, ["quat: no such", "did you mean 'quad'?"]),
        ("scenarios: {smoke: {}}\nlimits: {}", 2, ["unknown key 'limits'"]),
        ("scenarios: {'a,b': {scenario: smoke}}", 1, ["'scenarios.a,b' is no name", "letters"]),
        ("scenarios: [smoke]", 1, ["'scenarios' is a mapping"]),
        ("scenarios: {smoke: {}, smoke: {}}", 1, ["'smoke' is given twice"]),
        ("scenarios: {smoke: null}", 1, ["'scenarios' is empty"]),
        ("format: 1", 1, ["lacks the key 'scenarios'"]),
        ("scenarios: {smoke: {}}\nformat: 9", 2, ["'format' 9 is from the future"]),
        ("scenarios: {smoke: {}", 2, ["not valid YAML"]),
        (
            f"{QUARANTINE}    reason: r\n    expires: 2026-07-01",
            3,
            ["'quarantine[0]' lacks the key 'url'"],
        ),
        (
            f"{QUARANTINE}    url: https://x/1\n    reason: r",
            3,
            ["lacks the key 'expires'", "YYYY-MM-DD"],
        ),
        (
            f"{QUARANTINE}    url: https://x/1\n    expires: 2026-07-01",
            3,
            ["lacks the key 'reason'"],
        ),
        (
            f"{QUARANTINE}    url: x\n    reason: r\n    expires: 2026-07-01",
            4,
            ["'quarantine[0].url'", "http(s)"],
        ),
        (
            f"{QUARANTINE}    url: https://x/1\n    reason: ''\n    expires: 2026-07-01",
            5,
            ["[0].reason'", "words"],
        ),
        (
            f"{QUARANTINE}    url: https://x/1\n    reason: r\n    expires: soon",
            6,
            ["[0].expires'", "YYYY-MM-DD"],
        ),
        (
            f"{QUARANTINE}    url: https://x/1\n    reason: r\n    expires: 2026-02-30",
            6,
            ["[0].expires'", "'2026-02-30'"],
        ),
        (
            f"{QUARANTINE}    url: https://x/1\n    reason: r\n    expires: 2026-05-31",
            6,
            ["ended on 2026-05-31", "https://x/1"],
        ),
        (
            QUARANTINE.replace("- scenario: smoke", "- scenario: smoek")
            + "    url: https://x/1\n    reason: r\n    expires: 2026-07-01",
            3,
            ["no entry 'smoek'", "did you mean 'smoke'?"],
        ),
    ],
)
def test_a_wrong_suite_names_file_line_key_and_remedy(
    tmp_path: Path, text: str, place: int, words: list[str]
) -> None:
    path = write(tmp_path, f"{text}\n")
    with pytest.raises(ConfigError) as caught:
        suite(path)
    told = f"{caught.value.message} {caught.value.remedy}"
    assert told.startswith(f"{path}:{place}: "), told
    for word in words:
        assert word in told
    assert caught.value.remedy or "not valid YAML" in told
    assert caught.value.exit_code == 2


def test_a_circle_of_suites(tmp_path: Path) -> None:
    write(tmp_path, "extends: b\nscenarios: {}\n", "a.yaml")
    path = write(tmp_path, "extends: a\nscenarios: {}\n", "b.yaml")
    with pytest.raises(ConfigError, match=r"a\.yaml:1: 'extends': b\.yaml extends itself"):
        suite(path)
