# SPDX-License-Identifier: Apache-2.0
"""The signature of a failure: component, kind and place, and the key that groups failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.signature.text import normalised, shortened
from harness.verdict import Check, Verdict


@dataclass(frozen=True, slots=True)
class Signature:
    """What failures of the same kind have in common.

    Args:
        verdict: how the run ended.
        component: what broke: opensbi, tsm, linux, tvm, qemu or harness.
        kind: how: trap, panic, oops, BUG, stall, hang, timeout, `check NAME` and so on.
        function: where, as far as that is known; else empty.
        message: what it said, normalised; empty where the function says more than the message.
    """

    verdict: Verdict
    component: str
    kind: str
    function: str = ""
    message: str = ""

    @property
    def title(self) -> str:
        """One line for people, such as `tsm panic: asked for by the host`."""
        where = f" in {self.function}" if self.function else ""
        return shortened(
            f"{self.component} {self.kind}{where}" + (f": {self.message}" if self.message else "")
        )

    @property
    def key(self) -> str:
        """Equal for the same failure of any two runs, and for no other."""
        return f"{self.verdict} {self.title}"


# What was under test when a check failed. A check that is not here looks at the whole.
_OF_CHECK = {
    "tools": "harness",
    "sources": "harness",
    "boot": "linux",
    "tsm": "tsm",
    "launch": "tvm",
    "steps": "opensbi",
    "isolation": "opensbi",
    "teardown": "tsm",
    "relaunch": "tvm",
    "poweroff": "linux",
}


def first_bad(checks: Sequence[Check]) -> Check | None:
    """Return the first check that neither passed nor was skipped, or None."""
    return next((c for c in checks if c.verdict not in (Verdict.PASS, Verdict.SKIP)), None)


def signature_of(checks: Sequence[Check]) -> Signature | None:
    """Return the signature that follows from the checks alone; None when none is bad."""
    check = first_bad(checks)
    return None if check is None else of_check(check.verdict, check.name, check.detail)


def of_check(
    verdict: Verdict, name: str, message: str, function: str = "", component: str = ""
) -> Signature:
    """Return the signature of a check that ended badly without a death in any log.

    Args:
        verdict: of the check.
        name: of the check.
        message: what it said.
        function: where the machine was, if it hangs and that is known.
        component: what hangs, if that is known.
    """
    if verdict is Verdict.INFRA:
        return Signature(verdict, "harness", f"check {name}", "", normalised(message))
    component = component or _OF_CHECK.get(name, "tsm")
    kinds = {Verdict.HANG: "hang", Verdict.TIMEOUT: "timeout"}
    kind = kinds.get(verdict, f"check {name}")
    return Signature(verdict, component, kind, function, "" if function else normalised(message))
