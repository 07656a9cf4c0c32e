# SPDX-License-Identifier: Apache-2.0
"""Cases by hand: each function with each error that the tables give it."""

from __future__ import annotations

from dataclasses import dataclass

from harness import abi
from harness.conformance import directed_host, directed_tvm
from harness.conformance.author import Author
from harness.conformance.calls import Call
from harness.conformance.capability import Capabilities, load
from harness.conformance.directed_states import MAKERS
from harness.conformance.model.machine import Machine, Model

_E = abi.Error


@dataclass(frozen=True, slots=True)
class Case:
    """A script in which `function` answers `error` at call `index`, and gives everything back."""

    function: str
    error: abi.Error
    calls: tuple[Call, ...]
    index: int

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.function} answers {self.error.name}"

    def missed(self, machine: Machine, can: Capabilities) -> str:
        """Return what the model says instead of the error; empty when it says so."""
        model = Model(machine, can)
        for index, call in enumerate(self.calls[: self.index + 1]):
            expected = model.predict(call)
            if index == self.index and expected.errors != {self.error}:
                return ", ".join(sorted(error.name for error in expected.errors))
            ok = expected.errors == {_E.SUCCESS}
            value = expected.value or 0
            if ok and call.function == "create_tvm" and expected.learn is not None:
                value = 1 + max(model.tvms, default=0)
                expected.learn(value)
            model.save(call, 0 if ok else -1, value)
        return ""


def cases(machine: Machine, can: Capabilities) -> list[Case]:
    """Return the cases for a TSM of these capabilities.

    What another TSM than teecall's does not support, no case asks of it: a state that cannot be
    reached without, say, pages of 2 MiB is left out with all that begins with it.
    """
    if not MAKERS:
        for add in (*directed_host.ALL, *directed_tvm.ALL):
            add()
    found, own = [], load()
    for function, error, make in MAKERS:
        if error is _E.OUT_OF_RANGES and can.isolation_entries is None:
            continue
        if error is not _E.NOT_SUPPORTED and function in can.unsupported:
            continue
        if function.startswith("covi") and can.aia:
            continue
        author = Author(machine, can)
        make(author)
        index = len(author.calls) - 1
        case = Case(function, error, tuple(author.finish()), index)
        if can == own or not case.missed(machine, can):
            found.append(case)
    return found
