# SPDX-License-Identifier: Apache-2.0
"""`teecall bisect-step` speaks the exit codes of `git bisect run`."""

from __future__ import annotations

import pytest

from tests.system.conftest import teecall

_VALUE = ("--component", "tsm", "--rev", "HEAD")


@pytest.mark.parametrize(("script", "code"), [("true", 0), ("false", 1), ("exit 125", 125)])
def test_codes_of_a_verdict(script: str, code: int) -> None:
    done = teecall("bisect-step", *_VALUE, "--script", script)
    assert done.returncode == code, done.stdout


def test_what_cannot_be_judged_ends_git_bisect_run() -> None:
    for words in (("--script", "exit 130"), ("--rev", "no-such", "--script", "true")):
        done = teecall("bisect-step", *_VALUE, *words)
        assert done.returncode == 128, done.stdout
        assert "error: " in done.stdout and "remedy: " in done.stdout
