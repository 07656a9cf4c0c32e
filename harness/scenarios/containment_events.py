# SPDX-License-Identifier: Apache-2.0
"""What the host sets up in its own hart, and what must not reach the TSM: events, counters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness import abi
from harness.errors import MachineCrash, MachineError
from harness.host.host import Host
from harness.scenarios.containment_hostile import (
    UNKNOWN,
    all_calls,
    expect_refused,
    shell,
    succeed,
    words,
)
from harness.scenarios.runner import CheckFailed
from harness.scenarios.smoke import Smoke

_PARAMETERS = "/sys/module/covh/parameters"
# RISC-V SBI 3.0, chapter 17: the software event of a hart, and the functions.
_SSE, _SSE_LOCAL_SOFTWARE = "0x535345", 0xFFFF0000
_REGISTER, _UNREGISTER, _ENABLE, _DISABLE, _INJECT, _UNMASK, _MASK = 2, 3, 4, 5, 7, 8, 9
_EVENTS = 12
# The script ends it; the limit is for a script that does not get so far.
_GUEST = "taskset 1 tvm run /payload/spin.elf --timeout 60"
# Sends events from the second CPU while a guest has the first: a count of events and a hart id.
SCRIPT_PATH = "/payload/sse.sh"
SCRIPT = f"""state={_PARAMETERS}/hostile_sse
{_GUEST} --json >/tmp/spin &
guest=$!
trap 'kill $guest; wait' EXIT
until grep -q start /tmp/spin; do :; done
i=0
while [ $i -lt $1 ]; do
	read -r handler record address before rest <$state
	tvm call {_SSE} {_INJECT} {_SSE_LOCAL_SOFTWARE} $2 --json >/tmp/inject || exit 1
	count=$before
	while [ "$count" = "$before" ]; do
		read -r handler record address count rest <$state
	done
	cat $state
	i=$((i + 1))
done
""".encode()
# Chapter 11: the first programmable counter counts missing translations of stores, from now on.
_STORE_MISSES = 0x1001B
_COUNT_MISSES = words("0x504d55", 2, 3, 1, 0x2, _STORE_MISSES, 0)
_START_COUNTER = words("0x504d55", 3, 3, 1, 0, 0)
_STOP_COUNTER = words("0x504d55", 4, 3, 1, 1)
# Pages that the TSM stores to, each of which misses a translation. The host's own share of a
# call is that of some hundred pages: a process that starts, and its system calls.
_STORED_PAGES = 4096
# Chapter 18: features of FWFT that the host may change without harm to itself.
_FEATURES = {"misaligned delegation": (0, 1), "A/D updating": (4, 1), "pointer masking": (5, 7)}
_DBTR = "0x44425452"


def sse(smoke: Smoke) -> str:
    """Let events of the host come while the TSM has the hart: they arrive after the return."""
    host = smoke.need_host()
    if smoke.config.machine.harts == 1:
        return "nobody can send an event to the only hart while the TSM has it"
    handler, record = _sse_state(host)[:2]
    succeed(
        host,
        [
            words(_SSE, _REGISTER, _SSE_LOCAL_SOFTWARE, handler, record, "--cpu", 0),
            words(_SSE, _ENABLE, _SSE_LOCAL_SOFTWARE, "--cpu", 0),
            words(_SSE, _UNMASK, "--cpu", 0),
        ],
    )
    try:
        interrupted = _events_into_guest(host)
    except MachineCrash as crash:
        raise _blamed(crash, handler) from crash
    succeed(
        host,
        [
            words(_SSE, _DISABLE, _SSE_LOCAL_SOFTWARE, "--cpu", 0),
            words(_SSE, _UNREGISTER, _SSE_LOCAL_SOFTWARE, "--cpu", 0),
            words(_SSE, _MASK, "--cpu", 0),
        ],
    )
    return _judge_events(smoke, interrupted)


def _blamed(crash: MachineCrash, handler: int) -> MachineCrash:
    """Return what to say of a crash: the TSM that is at the host's handler did not go there."""
    if f"mtval={handler:#x}" not in crash.message:
        return crash
    return MachineCrash(
        f"an event of the host interrupted the TSM and sent it to the host's handler: {crash}",
        "tsmd_sse_hold() has to keep events out while the TSM is current",
        details=crash.details,
    )


def _sse_state(host: Host) -> tuple[int, int, int, int, int, int]:
    """Return handler, record, its physical address, count, interrupted pc, time."""
    text = shell(host, f"cat {_PARAMETERS}/hostile_sse")
    values = [int(word, 0) for word in text.split()]
    if len(values) != 6:
        raise MachineError(f"the driver says `{text.strip()}` of its SSE handler")
    return (values[0], values[1], values[2], values[3], values[4], values[5])


def _events_into_guest(host: Host) -> list[int]:
    """Send events from the second CPU while a guest runs on the first; return where they came."""
    hart = _hart_of_first_cpu(host)
    lines = shell(host, f"taskset 2 sh {SCRIPT_PATH} {_EVENTS} {hart}").splitlines()
    found = [line.split() for line in lines if line.startswith("0x")]
    counts = [int(line[3]) for line in found]
    if len(counts) != _EVENTS or counts != list(range(counts[0], counts[0] + _EVENTS)):
        raise CheckFailed(f"{_EVENTS} events were sent, the handler counts {counts}")
    return [int(line[4], 0) for line in found]


def _hart_of_first_cpu(host: Host) -> int:
    match = re.search(r"^hart\s*:\s*(\d+)", shell(host, "cat /proc/cpuinfo"), re.MULTILINE)
    if match is None:
        raise MachineError("/proc/cpuinfo of the host does not say which hart CPU 0 is")
    return int(match[1])


def _judge_events(smoke: Smoke, interrupted: list[int]) -> str:
    memory = smoke.config.memory
    ring = smoke.need_recorder().rings(smoke.need_host().machine.ram)
    returns = {
        event.aux + 4
        for part in ring
        for event in part.events
        if event.kind in (abi.Event.TEECALL, abi.Event.TEERESUME)
    }
    inside = [pc for pc in interrupted if memory.tsm_base <= pc < memory.tsm_base + memory.tsm_size]
    if inside:
        raise CheckFailed(
            f"an event of the host interrupted the TSM at {inside[0]:#x}",
            "mask_sse in tsmd_switch.h has to keep events out while the TSM is current",
        )
    late = sum(pc in returns for pc in interrupted)
    if not late:
        raise CheckFailed(
            "no event came while the TSM had the hart: this run proves nothing",
            details=[f"interrupted {pc:#x}" for pc in interrupted],
        )
    if not smoke.need_host().call("covh", "get_tsm_info", memory.pool_base, 48, cpu=0).ok:
        raise CheckFailed("the TSM does not answer after the events")
    return f"{len(interrupted)} events, {late} held back until the TSM had returned, none lost"


def triggers(smoke: Smoke) -> str:
    """Ask for debug triggers on every hart: they do not exist beside a TSM."""
    host = smoke.need_host()
    calls = [
        words(_DBTR, fid, 0, 1, smoke.config.memory.tsm_base, "--cpu", cpu)
        for cpu in range(smoke.config.machine.harts)
        for fid in range(8)
    ]
    if host.call("base", "probe_extension", int(_DBTR, 0)).value:
        raise CheckFailed("OpenSBI offers debug triggers to the host beside a TSM")
    return f"{expect_refused(all_calls(host, calls), UNKNOWN)} calls of SBI DBTR are unknown"


def counters(smoke: Smoke) -> str:
    """Let the host count on a programmable counter: it stands still while the TSM works."""
    host, base = smoke.need_host(), smoke.config.memory.pool_base
    result = all_calls(host, [f"{_COUNT_MISSES} --cpu 0"])[0]
    if not result.ok:
        return f"this hart has no programmable counter: {result.error_name}"
    succeed(host, [f"{_START_COUNTER} --cpu 0"])
    idle = _misses(host, [words("covh get_tsm_info", base, 48, "--cpu", 0)])
    succeed(host, [words("covh convert_pages", base, _STORED_PAGES), "covh global_fence"])
    succeed(host, [f"covh local_fence --cpu {cpu}" for cpu in range(smoke.config.machine.harts)])
    busy = _misses(host, [words("covh reclaim_pages", base, _STORED_PAGES, "--cpu", 0)])
    succeed(host, [f"{_STOP_COUNTER} --cpu 0"])
    if idle <= 0:
        raise CheckFailed("the counter of the host does not count: this run proves nothing")
    if busy - idle > _STORED_PAGES // 2:
        raise CheckFailed(
            f"the host's counter sees {busy - idle} stores of the TSM",
            "mcountinhibit in tsmd_csrs.h has to stop it while the TSM is current",
        )
    return f"{idle} around an empty call, {busy} around one that stores to {_STORED_PAGES} pages"


def _misses(host: Host, calls: Sequence[str]) -> int:
    """Return what the first CPU's counter counts around calls."""
    read = f"taskset 1 cat {_PARAMETERS}/hostile_counter"
    made = "; ".join(f"tvm call {call} --json" for call in calls)
    lines = shell(host, f"{read}; {made}; {read}").splitlines()
    before, after = (int(lines[at].split()[1]) for at in (0, -1))
    return after - before


def fwft(smoke: Smoke) -> str:
    """Change every firmware feature on every hart: the TSM works on, the host keeps its own."""
    host, memory = smoke.need_host(), smoke.config.memory
    taken = [
        (name, feature, value, cpu)
        for name, (feature, value) in _FEATURES.items()
        for cpu in range(smoke.config.machine.harts)
        if all_calls(host, [words("0x46574654", 0, feature, value, 0, "--cpu", cpu)])[0].ok
    ]
    guest = host.run_guest("/payload/hello.elf")
    if guest.trouble:
        raise CheckFailed(guest.trouble, "see tsm.log", details=guest.lines[-5:])
    for name, feature, value, cpu in taken:
        if not host.call("covh", "get_tsm_info", memory.pool_base, 48, cpu=cpu).ok:
            raise CheckFailed(f"the TSM does not answer on hart {cpu} after FWFT {name}")
        found = all_calls(host, [words("0x46574654", 1, feature, "--cpu", cpu)])[0].value
        if found != value:
            raise CheckFailed(f"FWFT {name} of the host is {found} after a TEECALL, not {value}")
    names = sorted({name for name, *_ in taken})
    return f"{', '.join(names) or 'no feature'} changed, TSM and TVM work, the host keeps it"
