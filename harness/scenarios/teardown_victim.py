# SPDX-License-Identifier: Apache-2.0
"""A VMM that is ended in a known state, and what may not be left of its TVM."""

from __future__ import annotations

import time
from dataclasses import dataclass

from harness.host.host import Host
from harness.host.results import GuestRun, JsonObject, error_name, number, parse_answer
from harness.machine.deadline import slowness
from harness.scenarios import smoke_checks
from harness.scenarios.linux_tvm import CONSOLE_LOG, NIGHTLY
from harness.scenarios.payload import GUEST_PATH, PAGE
from harness.scenarios.runner import CheckFailed, Skipped
from harness.scenarios.smoke import Smoke
from harness.trace.tsm import TsmStats

_OUTPUT = "/tmp/victim"
# The shell looks at the process so often, every 5 ms, before Python looks at its clock.
_TRIES = 2000
# The process has to come to its end by itself within so many seconds of guest time.
_END_S = 20.0
_SMALL = 8 << 20
# As the tool prints a value and scause of 0
_ZEROS = ("0", "0")
# A guest may be on its way for so many seconds before it is killed.
_START_S = 60.0
_AWAY = '[ -z "$victim" ] || { kill -9 $victim; wait $victim; victim=; }'
KILL, IN_ORDER = "killed", "in order"
WAYS = (KILL, IN_ORDER)


@dataclass(frozen=True, slots=True)
class Victim:
    """A `tvm` in the background of the host's shell; its process id is in $victim there."""

    host: Host

    @classmethod
    def start(
        cls,
        host: Host,
        words: str,
        stop_after: str = "",
        then: str = ":",
        takes_s: float = 0.0,
    ) -> Victim:
        """Start the tool.

        Args:
            host: where.
            words: the command, quoted for the shell, without `--json`.
            stop_after: COVH function, with `:N` its Nth call, behind which it stops itself.
            then: what the shell does next, without a word to the harness in between.
            takes_s: seconds of silence that this is meant to take.
        """
        where = f"TVM_STOP_AFTER={stop_after} " if stop_after else ""
        # What a check that failed has left behind is not to spoil the next one.
        host.shell.run(_AWAY)
        command = f"{where}{words} --json >{_OUTPUT} 2>&1 & victim=$!; {then}"
        host.shell.run(command, _START_S + takes_s)
        return cls(host)

    @property
    def alive(self) -> bool:
        """Whether the process is there and not a zombie."""
        text = self.host.shell.run("cat /proc/$victim/stat 2>/dev/null").output.split()
        return len(text) > 2 and text[2] not in "ZX"

    def await_stopped(self) -> None:
        """Wait until the process has stopped itself.

        Raises:
            CheckFailed: it ended instead, or does not get there.
        """
        look = (
            f"tries={_TRIES}; state=; while read -r _ _ state _ </proc/$victim/stat"
            ' && [ "$state" != T ] && [ "$state" != Z ] && [ $tries -gt 0 ];'
            ' do usleep 5000; tries=$((tries - 1)); done 2>/dev/null; [ "$state" = T ]'
        )
        if not self.host.shell.run(look, _TRIES / 100).ok:
            self._lost("stopped")

    def await_console(self, text: str) -> None:
        """Wait until the guest's console has said this, among the tool's events."""
        look = (
            f"tries={_TRIES}; until grep -q '{text}' {_OUTPUT}; do"
            " kill -0 $victim 2>/dev/null && [ $tries -gt 0 ] || break;"
            f" usleep 5000; tries=$((tries - 1)); done; grep -q '{text}' {_OUTPUT}"
        )
        if not self.host.shell.run(look, _TRIES / 100).ok:
            self._lost(f"saying `{text}`")

    def await_event(self, kind: str) -> None:
        """Wait until the tool has told of this kind of event."""
        self.await_console(f'"event":"{kind}"')

    def await_idle(self) -> None:
        """Wait until each thread of the VMM waits for its condition: all vCPUs are in WFI."""
        end = time.monotonic() + _END_S * slowness()
        look = "for task in /proc/$victim/task/*; do cat $task/wchan; echo; done 2>/dev/null"
        while time.monotonic() < end:
            places = self.host.shell.run(look).output.split()
            # The main thread waits for the others, and each vCPU has one.
            if len(places) > 1 and all("futex" in place for place in places):
                return
            if not self.alive:
                break
        self._lost("waiting")

    @property
    def launched(self) -> bool:
        """Whether the launch was done up to finalize_tvm."""
        return self.host.shell.run(f'grep -q \'"event":"launch"\' {_OUTPUT}').ok

    def run(self) -> GuestRun:
        """Return what the tool has said so far, while it says nothing more."""
        answer = parse_answer(self.host.get(_OUTPUT).decode(errors="replace"))
        return GuestRun(answer.objects, answer.messages, 0)

    def end(self, way: str, seconds: float) -> None:
        """End the process and wait for its end; by then the kernel has closed its files.

        Raises:
            CheckFailed: it was to end in order, and could not undo what it had done.
        """
        if way == KILL:
            self.host.shell.run(_AWAY, seconds)
            return
        self.host.shell.run(
            "kill -TERM $victim; kill -CONT $victim; wait $victim; victim=", seconds
        )
        for event in self.run().events:
            kind, error = event.get("event"), number(event, "error")
            if kind in ("destroy", "reclaim") and error:
                raise CheckFailed(f"{kind}: {error_name(error)}", "see tsm.log, events.json")

    def _lost(self, what: str) -> None:
        tail = self.host.shell.run(f"tail -n 3 {_OUTPUT} | cut -c 1-200").output.splitlines()
        raise CheckFailed(f"the VMM did not get to where it is {what}", details=tail)


def await_console(smoke: Smoke, victim: Victim, start: int, text: str) -> None:
    """Wait until a Linux guest has said this on its console, behind the byte `start` of its log."""
    end = time.monotonic() + smoke.config.timeouts.guest_s * slowness()
    log = smoke.run.file(CONSOLE_LOG)
    while text.encode() not in log.read_bytes()[start:]:
        if time.monotonic() > end or not victim.alive:
            raise CheckFailed(f"the guest did not say `{text}`", f"see {CONSOLE_LOG}")


def counts(smoke: Smoke) -> TsmStats:
    """Return what the TSM counts."""
    return smoke.need_recorder().stats(smoke.need_host().machine.ram)


def pool(host: Host) -> JsonObject:
    """Return the state of the pool."""
    return host.tvm_json("pool").objects[0]


def nothing_left(smoke: Smoke, state: str, used: int) -> None:
    """Check that nothing is left of a TVM, and that the next launch works.

    Args:
        smoke: the run.
        state: in which the TVM was ended, for people.
        used: bytes from the pool's bottom on that the TVM may have had.

    Raises:
        CheckFailed: says what is left.
    """
    host, memory = smoke.need_host(), smoke.config.memory
    if smoke.before is None:
        raise Skipped("the TSM does not answer")
    pages = memory.pool_size // PAGE
    found = pool(host)
    if number(found, "free") != pages or number(found, "confidential"):
        raise CheckFailed(
            f"{state}: {number(found, 'free')} of {pages} pages are free,"
            f" {number(found, 'confidential')} are confidential",
            "covh.ko has to clean up when the file is closed; see uart.log, tsm.log",
        )
    difference = smoke.before.difference(counts(smoke))
    if difference:
        raise CheckFailed(f"{state}: the TSM's counts differ: {difference}", "see tsm.log")
    _check_empty(host, state, memory.pool_base, used)
    _check_next(smoke, state)


def _check_empty(host: Host, state: str, base: int, size: int) -> None:
    """Let the host read all of it, and look at the memory itself too."""
    # Each page at night; isolation has blocks of 2 MiB here, so that one in 64 tells much.
    step = PAGE if NIGHTLY or size <= _SMALL else 64 * PAGE
    lines = f"seq {base} {step} {base + size - PAGE} | sed 's/.*/host nonzero & {PAGE}/'"
    answer = host.shell.run(f"{lines} | tvm batch --short - | sort | uniq -c")
    # Count, error, words that are not zero, scause
    if answer.output.split() != [str(len(range(0, size, step))), "0", *_ZEROS]:
        raise CheckFailed(
            f"{state}: the host does not find the {size >> 12} pages that the TVM had readable"
            " and zero",
            "the firmware did not give one back, or not scrubbed",
            details=answer.output.splitlines()[-3:],
        )
    content = host.machine.ram.read(base, size)
    left = size - content.count(0)
    if left:
        raise CheckFailed(f"{state}: {left} bytes of what the TVM had are not zero")


def _check_next(smoke: Smoke, state: str) -> None:
    """Launch another TVM, which answers its nonce and leaves nothing either."""
    host, payload = smoke.need_host(), smoke.need_payload()
    asked = smoke.nonce(f"next {state}")
    before = counts(smoke)
    guest = host.run_guest(GUEST_PATH, nonce=asked, seconds=smoke.config.timeouts.guest_s)
    try:
        smoke_checks.check_answer(guest, payload, asked)
        smoke_checks.check_teardown(host, guest, guest, before, counts(smoke))
    except CheckFailed as error:
        raise CheckFailed(f"{state}: the next launch: {error.message}", error.remedy) from error
