# SPDX-License-Identifier: Apache-2.0
"""Options of `teecall bisect` that make no sense together are refused, not left out in silence."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli.bisect import command
from harness.errors import CallerError

_ENDS = ["--component", "timeouts.guest_s", "--values", "1,2,3", "--good", "1", "--bad", "3"]


def said(words: list[str]) -> str:
    """Return what a bisection with these words is refused for."""
    result = CliRunner().invoke(command, words, standalone_mode=False)
    assert isinstance(result.exception, CallerError), (result.output, result.exception)
    assert result.exception.remedy
    return result.exception.message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--reject", "x"], "--reject goes with --payload"),
        (["--lower-is-worse"], "--lower-is-worse goes with --metric"),
        (["--script", " "], "there is no command"),
        (["--script", "true", "--scenario", "smoke"], "--scenario says nothing to --script"),
        (["--script", "true", "--any-failure"], "--any-failure says nothing to --script"),
        (["--check", "tsm", "--any-failure"], "--any-failure says nothing to --check"),
        (["--check", "tsm", "--script", "true"], "two ways to judge"),
        (["--payload", "x"], "--payload and --expect go together"),
        (["--metric", "a", "--worse-by", "5%", "--failure-rate", "1"], "says nothing to --metric"),
        (["--also-good", "1"], "of a second tree"),
        (["--also", "machine.harts"], "needs --also-good"),
        (["--good", "2", "--find-fix"], "between one good and one bad"),
        (["--error", "60%"], "too much"),
    ],
)
def test_what_makes_no_sense_together(words: list[str], message: str) -> None:
    assert message in said([*_ENDS, "--dry-run", *words])


@pytest.mark.parametrize("words", [_ENDS, ["--set", "machine.harts=1"], ["--script", "true"]])
def test_a_resumed_search_takes_nothing_new(words: list[str]) -> None:
    assert "goes on with what the journal says, not with --" in said(["--resume", "x", *words])


def test_what_makes_sense_is_taken() -> None:
    result = CliRunner().invoke(command, [*_ENDS, "--dry-run"], standalone_mode=False)
    assert result.exception is None and "2 candidates" in result.output
