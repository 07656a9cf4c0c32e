# SPDX-License-Identifier: Apache-2.0
"""Runs scripts on a host, as many in one batch as there are."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness import abi
from harness.conformance.batch import Told, pack
from harness.conformance.calls import PAGE, Answer, Call, parse_answers
from harness.conformance.capability import Capabilities
from harness.conformance.ground import Ground
from harness.conformance.judge import Divergence, judge
from harness.conformance.model.machine import Machine
from harness.errors import MachineError
from harness.host.host import Host

_PATH = "/tmp/conformance.gz"
# Characters of a command that the host's agent takes whole.
_COMMAND = 96 << 10
# Seconds for a call at worst, and for a batch beside its calls.
_CALL_S, _BATCH_S = 0.01, 20.0


@dataclass
class Bench:
    """A host on which scripts are run and judged.

    `seconds` are those in which the machine made calls, the transfer of scripts and answers among
    them; `told` is what it answered.
    """

    host: Host
    machine: Machine
    can: Capabilities
    seconds: float = 0.0
    scripts: int = 0
    told: Told = field(default_factory=Told)

    @property
    def ground(self) -> Ground:
        """Where the scripts play."""
        return Ground(self.machine)

    @property
    def calls(self) -> int:
        """Calls of the TSM and its driver that were made."""
        return self.told.calls

    @property
    def rate(self) -> float:
        """Calls in a second of the machine, with the transfer of scripts and answers."""
        return self.calls / self.seconds if self.seconds else 0.0

    def answers(self, calls: Sequence[Call]) -> list[Answer]:
        """Make the calls and return the answers."""
        answers = parse_answers(self.printed(pack(calls), len(calls)))
        self.told.take(calls, answers)
        return answers

    def printed(self, packed: bytes, lines: int) -> str:
        """Make the calls of a batch that is packed already, and return what the machine prints.

        Args:
            packed: see `pack`.
            lines: how many there are, of which the time it may take depends.
        """
        started = time.monotonic()
        limit = _BATCH_S + _CALL_S * lines
        source = self._sent(packed)
        result = self.host.shell.run(f"{source} | zcat | tvm batch --short -", limit)
        self.seconds += time.monotonic() - started
        return result.output

    def _sent(self, packed: bytes) -> str:
        """Return a command that prints these bytes; its packing has a checksum."""
        text = base64.b64encode(packed).decode()
        if self.host.shell.framed and len(text) < _COMMAND:
            return f"echo {text} | base64 -d"
        self.host.put(_PATH, packed)
        return f"cat {_PATH}"

    def run(self, scripts: Sequence[Sequence[Call]]) -> Divergence | None:
        """Run scripts one after the other in one batch; return the first difference."""
        answers = self.answers([call for calls in scripts for call in calls])
        at = 0
        for calls in scripts:
            found = judge(self.machine, self.can, calls, answers[at : at + len(calls)])
            if found is not None:
                return found
            at += len(calls)
            self.scripts += 1
        return None


def machine_of(host: Host, pool: range, harts: int) -> Machine:
    """Ask the TSM what it needs for a TVM (cove.md 2.6, tsm_info).

    Raises:
        MachineError: it does not answer.
    """
    page = pool[-1]
    if not host.call("covh", "get_tsm_info", page, 48).ok:
        raise MachineError("get_tsm_info fails", "see tsm.log")
    data = host.peek(page, 48).data
    state, vcpus, vcpu = (int.from_bytes(data[at : at + 8], "little") for at in (24, 32, 40))
    if int.from_bytes(data[:4], "little") != abi.TSM_STATE_READY:
        raise MachineError("the TSM is not ready", "see tsm.log")
    return Machine(range(pool[0], pool[-1] + PAGE, PAGE), harts, state, vcpu, vcpus)
