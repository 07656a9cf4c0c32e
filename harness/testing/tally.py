# SPDX-License-Identifier: Apache-2.0
"""What became of all tests together: outcomes for `--json`, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from harness.errors import interrupted_code
from harness.testing.judging import PROPERTY
from harness.verdict import Verdict, worst

_USAGE = 2


@dataclass
class Tally:
    """A plugin of pytest's that listens.

    `tests` has for each test its outcome (passed, failed, error, skipped) and its properties.
    """

    tests: dict[str, dict[str, object]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    interrupted: int = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what one phase of a test has come to; a bad one decides."""
        known = self.tests.get(report.nodeid, {})
        if report.failed:
            given = dict(report.user_properties)
            verdict = Verdict(str(given.get(PROPERTY, Verdict.FAIL)))
            self.verdicts.append(verdict)
            outcome = "failed" if report.when == "call" else "error"
            told = {str(name): value for name, value in report.user_properties}
            self.tests[report.nodeid] = {"outcome": outcome, **told}
        elif not known and (report.skipped or report.when == "call"):
            self.tests[report.nodeid] = {"outcome": report.outcome}

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember the signal that has ended it."""
        # That is also what pytest calls it when a file of tests cannot be imported.
        if isinstance(excinfo.value, KeyboardInterrupt) and not isinstance(
            excinfo.value, pytest.Session.Interrupted
        ):
            self.interrupted = interrupted_code(excinfo.value)

    def exit_code(self, code: int) -> int:
        """Return teecall's exit code.

        Args:
            code: pytest's.
        """
        if self.interrupted:
            return self.interrupted
        if code == pytest.ExitCode.INTERNAL_ERROR:
            return Verdict.INFRA.exit_code
        if code in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED):
            return _USAGE
        if code == pytest.ExitCode.TESTS_FAILED and self.verdicts:
            return worst(self.verdicts).exit_code
        if code == pytest.ExitCode.OK and self.tests and not self._any_passed():
            return Verdict.SKIP.exit_code
        return code

    def _any_passed(self) -> bool:
        return any(test["outcome"] == "passed" for test in self.tests.values())

    def as_json(self) -> dict[str, object]:
        """Return what `--json` writes."""
        listed = [{"test": name, **told} for name, told in self.tests.items()]
        verdict = worst(self.verdicts) if self.verdicts else Verdict.PASS
        return {"verdict": str(verdict), "tests": listed}
