# SPDX-License-Identifier: Apache-2.0
"""Measure teecall itself."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

import click

from harness.build.builder import build_all
from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options
from harness.errors import BuildError, MachineError

if TYPE_CHECKING:
    from harness.bench.samples import ContextCost
    from harness.bench.smoke import SmokeTimes
    from harness.bench.switch import SwitchBench
    from harness.config.schema import Config


@click.group()
def command() -> None:
    """Measure teecall itself. The numbers are printed, never judged.

    \b
    teecall bench smoke --runs 9
    teecall bench switch --json switch.json
    teecall bench tsm --max-mib 16
    """


@command.command()
@config_options
@click.option("--runs", default=5, show_default=True, type=click.IntRange(min=1), metavar="N")
@json_option("Write the times to FILE too.")
def smoke(options: Options, runs: int, result: Result) -> int:
    """Time the smoke against a bare boot of QEMU.

    The bare boot is that of QEMU with the same images and init script, to power-off, and nothing
    on its consoles. The smoke is the whole process, everything built. Wall time of both, in
    turns; the line at the end has the medians and their ratio.
    """
    from harness.bench.smoke import measure

    config = options.load().value
    with options.ui() as ui:
        artefacts = build_all(config, ui, offline=options.offline)
    times = measure(config, artefacts, _same(options), runs)
    for line in _table(times):
        click.echo(line)
    found = {"bare_s": times.bare_s, "smoke_s": times.smoke_s, "ratio": times.ratio}
    result.give(found)
    return 0


def _same(options: Options) -> list[str]:
    """Return the options that give another `teecall` the same configuration."""
    files = [word for file in options.files for word in ("-c", str(file))]
    return files + [word for setting in options.sets for word in ("--set", setting)]


def _table(times: SmokeTimes) -> list[str]:
    rows = [("bare boot", times.bare_s), ("teecall smoke", times.smoke_s)]
    lines = [
        f"{name:<14} {'  '.join(f'{s:.3f}' for s in found)}  median {median(found):.3f} s"
        for name, found in rows
    ]
    return [*lines, f"ratio of the medians {times.ratio:.2f}"]


@command.command()
@config_options
@json_option("Write the numbers to FILE too.")
def switch(options: Options, result: Result) -> int:
    """Count instructions of a domain switch under -icount.

    A bare payload runs in the host kernel's place and calls the TSM with a function that it does
    not have; the round trip is from the host's ECALL to its next instruction. A TSM that answers
    at once tells M-mode's part from the TSM's. The payload also runs a TVM: into it, out of it,
    and the way of a tick to the host. The same build gives the same numbers, so a change of one
    instruction shows. Measured with and without vectors, AIA and H (which the TSM needs: without
    H only M-mode is measured), for each number of confidential ranges, with 1 to 8 harts, and
    beside OpenSBI's own switch between domains.
    """
    from harness.bench.switch import HARTS, SwitchBench, variants
    from harness.bench.table import switch_table
    from harness.machine.rundir import new_run

    machines = variants(options.load().value)
    with options.ui() as ui:
        bench = SwitchBench(new_run(), ui, offline=options.offline)
        costs = [bench.switch(name, config) for name, config in machines.items()]
        own = next(iter(machines.values()))
        harts = {count: bench.harts(own, count) for count in HARTS}
        context, why = _context(bench, own)
    for line in switch_table(costs, harts, context, why):
        click.echo(line)
    found = {
        "switch": [cost.as_json() for cost in costs],
        "harts": {count: asdict(cost) for count, cost in harts.items()},
        "sbi_domain_context": asdict(context) if context else None,
    }
    result.give(found)
    return 0


def _context(bench: SwitchBench, config: Config) -> tuple[ContextCost | None, str]:
    """Measure OpenSBI's own switch, or say why that cannot be done: some releases die of it."""
    try:
        return bench.context(config), ""
    except (BuildError, MachineError) as error:
        return None, error.message


@command.command()
@config_options
@click.option(
    "--max-mib",
    default=256,
    show_default=True,
    type=click.IntRange(min=2, max=256),
    metavar="N",
    help="Largest TVM; smaller ones have half as much, down to 1 MiB.",
)
@json_option("Write the numbers to FILE too.")
def tsm(options: Options, max_mib: int, result: Result) -> int:
    """Count instructions of the TSM for the memory of TVMs, under -icount.

    A bare payload in the host kernel's place launches TVMs with measured pages and with zero
    pages. A page must cost no more than 1.1 times what its bytes cost by themselves (copy and
    SHA-384, or zeroing) and the bookkeeping of a page of the other kind, and a TVM's cost must
    grow with its size in a straight line. Small TVMs must cost the same beside 0, 7 and 63
    others. The same build gives the same numbers. A number over its limit is marked, no error.
    """
    from harness.bench.tsm import measure as measure_tsm
    from harness.bench.tsm_table import tsm_table
    from harness.machine.rundir import new_run

    config = options.load().value
    with options.ui() as ui:
        found = measure_tsm(config, new_run(), ui, offline=options.offline, max_mib=max_mib)
    for line in tsm_table(found):
        click.echo(line)
    result.give(found.as_json())
    return 0


@command.command()
@config_options
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), metavar="N")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=2),
    metavar="N",
    help="Runs at once [default: the number of cores].",
)
@json_option("Write the times to FILE too.")
def harness(options: Options, rounds: int, jobs: int | None, result: Result) -> int:
    """Measure what the harness costs, beside the bare equivalent and the limit of each number.

    Smoke against a bare boot, round trip of a command on both channels against a socket with a
    plain shell behind it, 10 MB of output, the time until Python code runs, a build with nothing
    to do. Last, what running side by side gains, for smoke runs and for bare boots. What has a
    bare equivalent is measured in turns with it. A number over its limit is marked, no error.
    """
    from harness.bench.limits import measure as measure_harness
    from harness.cells.room import cores

    config = options.load().value
    with options.ui() as ui:
        artefacts = build_all(config, ui, offline=options.offline)
    found = measure_harness(config, artefacts, _same(options), rounds, jobs or max(2, cores()))
    for line in found.lines():
        click.echo(line)
    result.give(found.as_json())
    return 0


@command.command()
@config_options
@click.option(
    "--commits",
    default=200,
    show_default=True,
    type=click.IntRange(min=4),
    metavar="N",
    help="Length of the history.",
)
@click.option("--seed", type=int, metavar="N", help="Of the history [default: one not used yet].")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="As of the bisection.")
@json_option("Write the times to FILE too.")
def bisect(
    options: Options, commits: int, seed: int | None, jobs: int | None, result: Result
) -> int:
    """Time a bisection against `git bisect run` with make, QEMU and grep.

    All ways search the same history, made from OpenSBI with one regression, on this machine. The
    history is new, so that the store has none of its commits; what the store always has (kernel,
    initramfs, TSM) all use, and each has built once before. The plain script waits for a timeout
    where the machine hangs; a second one ends QEMU as soon as the console has said enough. Then
    teecall searches again, with everything in the store.
    """
    import secrets
    import tempfile
    from pathlib import Path

    from harness.bench.bisect import REGRESSION, Ground, measure
    from harness.bench.history import Recipe
    from harness.sources.resolve import Sources

    config = options.load().value
    with options.ui() as ui:
        artefacts = build_all(config, ui, offline=options.offline)
        sources = Sources(config, ui, offline=options.offline)
        overlay = [sources.materialise("overlay"), sources.materialise("overlay-abi")]
        opensbi = sources.materialise("opensbi")
    number = secrets.randbits(32) if seed is None else seed
    # Two thirds up: neither half is searched by luck.
    recipe = Recipe(commits, commits * 2 // 3, [REGRESSION], seed=number)
    with tempfile.TemporaryDirectory(prefix="teecall-bench-") as folder:
        words = [*_same(options), *(["--jobs", str(jobs)] if jobs else [])]
        ground = Ground(config, artefacts, opensbi, overlay, words, Path(folder))
        found = measure(ground, recipe)
    for line in found.lines():
        click.echo(line)
    result.give({**found.as_json(), "seed": number})
    return 0


@command.command("linux")
@config_options
@json_option("Write the numbers to FILE too.")
def linux(options: Options, result: Result) -> int:
    """Count what Linux costs as a TVM, beside a KVM guest and the host, under -icount.

    The same workloads (integer, memory, page faults, system calls, context switches) on the host
    on stock OpenSBI, on the host with the TSM, in a KVM guest and in a TVM with the same kernel
    and initramfs; and each guest from its launch to its power off. Round trips: the first touch of
    memory, and reads of a sector by virtio-blk, with exits and domain switches of each. A number
    over its limit is marked, no error.
    """
    from harness.bench.linux import measure as measure_linux
    from harness.machine.rundir import new_run

    with options.ui() as ui:
        found = measure_linux(options.load().value, new_run(), ui, offline=options.offline)
    for line in found.lines():
        click.echo(line)
    result.give(found.as_json())
    return 0
