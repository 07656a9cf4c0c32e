# SPDX-License-Identifier: Apache-2.0
"""Calls beside which another hart does something: either of two orders may be seen.

The answer tells which it was, so what the call has done is known afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import abi
from harness.conformance.calls import PAGE, Call
from harness.conformance.model import host
from harness.conformance.model.outcome import Expected, Unpredictable

if TYPE_CHECKING:
    from harness.conformance.model.machine import Model

# What a TSM answers while a vCPU of the TVM runs (cove.md 3.3 and 3.5, rules.md).
_BUSY = {
    "destroy_tvm": abi.Error.FAILED,
    "tvm_fence": abi.Error.ALREADY_STARTED,
    "promote_page": abi.Error.BUSY,
}


def beside(model: Model, function: str, args: Sequence[int]) -> Expected:
    """Return what a call on a TVM answers while a vCPU of it runs.

    Between two runs it is not on its hart for a moment, so the call may succeed as well. A fence
    goes on only when there was one before that the vCPU has not heard of, and one call tells
    nothing of that: both are right.
    """
    if function not in _BUSY or args[0] != model.beside:
        raise Unpredictable(f"{function} beside a vCPU that runs")

    def learn(value: int) -> str:
        return _again(host.CALLS[function](model, args, 0))

    return Expected(frozenset({abi.Error.SUCCESS, _BUSY[function]}), 0, learn=learn)


def _again(expected: Expected) -> str:
    names = " or ".join(sorted(error.name for error in expected.errors))
    return "" if expected.errors == {abi.Error.SUCCESS} else f"answers SUCCESS, not {names}"


def flipped(model: Model, call: Call, args: Sequence[int]) -> Expected:
    """Return what create_tvm answers while another hart writes its parameters.

    The parameters are those of one moment, so one of the two that were there is what counts.
    """
    if call.function != "create_tvm" or call.flip is None:
        raise Unpredictable(f"{call.function} while its parameters change")
    address, value = call.flip
    words = model.pages.words.get(address & ~(PAGE - 1), {})
    before = words.get(address)
    if before is None:
        raise Unpredictable("what is changed is not known")
    here = host.create_tvm(model, args, 0)
    words[address] = value
    there = host.create_tvm(model, args, 0)
    words[address] = before
    if abi.Error.SUCCESS in there.errors:
        raise Unpredictable("both parameters are right, and the answer does not tell which were")
    return replace(here, errors=here.errors | there.errors)
