# SPDX-License-Identifier: Apache-2.0
"""The whole model: gives each line of a script the answers that are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness import abi
from harness.conformance.calls import MASK, Call, Slot
from harness.conformance.capability import Capabilities
from harness.conformance.model.guest import Nacl
from harness.conformance.model.outcome import Expected, Unpredictable, Wrong
from harness.conformance.model.pages import Fence, Pages, PageState
from harness.conformance.model.tvm import Tvm

PARAM, ADDRESS = abi.Error.INVALID_PARAM, abi.Error.INVALID_ADDRESS
Args = Sequence[int]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the model has to know: the pool, the harts, and what get_tsm_info says."""

    pool: range
    harts: int
    state_pages: int
    vcpu_pages: int
    max_vcpus: int


@dataclass
class Model:
    """The state of a TSM and of the host's memory, as the calls so far have left it.

    `beside` is a TVM of which another hart runs a vCPU while calls are made.
    """

    machine: Machine
    can: Capabilities
    pages: Pages = field(init=False)
    tvms: dict[int, Tvm] = field(default_factory=dict)
    slots: dict[int, int] = field(default_factory=dict)
    nacl: dict[int, tuple[int, Nacl]] = field(default_factory=dict)
    beside: int | None = None

    def __post_init__(self) -> None:
        fence = Fence(self.machine.harts, self.can.fence_counts_caller)
        self.pages = Pages(self.machine.pool, fence, self.can.isolation_entries)

    @property
    def fence(self) -> Fence:
        """The host's fence."""
        return self.pages.fence

    def resolve(self, call: Call) -> list[int]:
        """Return the arguments of a call, six of them, with what the slots hold."""
        values = [
            self.slots.get(arg.number, MASK) if isinstance(arg, Slot) else arg & MASK
            for arg in call.args
        ]
        return values + [0] * (6 - len(values))

    def predict(self, call: Call) -> Expected:
        """Return the answers that are right, and take the call's effect into the model.

        Raises:
            Unpredictable: the documents do not say what happens.
        """
        from harness.conformance.model import host, host_memory, together

        args = self.resolve(call)
        hart = call.cpu or 0
        if call.extension == "host":
            return host_memory.access(self, call.function, args)
        if call.extension == "nacl":
            return host_memory.nacl(self, call.function, args, hart)
        if call.extension == "covi" and not self.can.aia:
            return Expected(frozenset({abi.Error.NOT_SUPPORTED}))
        known = host.CALLS.get(call.function) if call.extension == "covh" else None
        if call.extension == "covh" and (known is None or call.function in self.can.unsupported):
            return Expected(frozenset({abi.Error.NOT_SUPPORTED}))
        if known is None:
            raise Unpredictable(f"{call.extension} {call.function}")
        if self.beside is not None:
            return together.beside(self, call.function, args)
        if call.flip is not None:
            return together.flipped(self, call, args)
        return known(self, args, hart)

    def save(self, call: Call, error: int, value: int) -> None:
        """Keep what a call has told in its slot, as `tvm batch` does."""
        if call.save is not None:
            self.slots[call.save] = MASK if error else value

    def tvm(self, wrong: Wrong, number: int, runnable: bool | None = None) -> Tvm | None:
        """Return a TVM; note what is wrong with its id or its state."""
        tvm = self.tvms.get(number)
        wrong.if_(tvm is None, PARAM)
        if tvm is not None and runnable is not None:
            wrong.if_(tvm.runnable is not runnable, PARAM)
        return tvm

    def host_memory(self, address: int, size: int) -> bool:
        """True when the bytes are the host's own."""
        return address + size <= 1 << 56 and self.pages.host_range(address, size)

    def created(self, taken: list[tuple[range, PageState]]) -> Callable[[int], str]:
        """Return what takes the id of a TVM that was created."""

        def learn(number: int) -> str:
            if number in self.tvms:
                return f"gives the id {number} of a TVM that lives"
            self.tvms[number] = Tvm()
            for pages, state in taken:
                self.pages.assign(pages, state, number)
            return ""

        return learn
