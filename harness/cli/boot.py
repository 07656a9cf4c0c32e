# SPDX-License-Identifier: Apache-2.0
"""Boot the machine and give its host's shell on this terminal (Ctrl-] leaves)."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from harness.build.builder import build_all
from harness.cli._json import Result, json_option
from harness.cli._options import Options, config_options
from harness.cli._running import show_command


@click.command()
@config_options
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the logs [default: a new one in the cache].",
)
@click.option(
    "--payload",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Boot S-mode code of yours in the host's place, without Linux: ELF or flat binary.",
)
@json_option("Write the folder of the logs and the seconds to FILE.")
@click.option(
    "--stopped",
    is_flag=True,
    help="Let the machine wait for `teecall gdb` before its first instruction.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Print the QEMU command, do not run it.")
def command(
    options: Options,
    run_dir: Path | None,
    payload: Path | None,
    result: Result,
    stopped: bool,
    dry_run: bool,
) -> int:
    """Boot and talk to the host over its UART.

    Everything typed goes to the machine, Ctrl-C too; Ctrl-] ends the machine and leaves. So does
    `poweroff -f` on the host. Lines from a pipe or a file are typed one by one, once there is a
    prompt; after the last one the machine is switched off.

    The TSM has a key of this boot; root.pem in the folder of the logs is what its evidence is
    verified with.

    With --payload the machine runs FILE instead of Linux, on the same firmware beside the same
    TSM: an ELF file where it is linked to, a flat binary at 0x80200000. It starts with a0 = hart
    id and a1 = device tree, has the UART that is shown here and SBI's console, and ends by SBI's
    system reset. From a pipe or a file it has timeouts.guest_s for that.

    \b
    teecall boot
    ~ # tvm run /payload/hello.elf --arg 42
    ~ # tvm call covh get_tsm_info 0x9ffff000 48
    \b
    echo 'tvm run /payload/hello.elf' | teecall boot
    teecall boot --payload payload.elf </dev/null
    """
    if payload is not None:
        return _boot_payload(payload, options, run_dir, result, stopped, dry_run)
    if dry_run:
        return show_command(options, result)
    from harness.attest.root import RootOfTrust
    from harness.host.boot import powered
    from harness.machine.rundir import new_run
    from harness.machine.terminal import interact, require_input

    require_input()
    config = options.config()
    with options.ui() as ui:
        artefacts = build_all(config, ui, offline=options.offline)
    run = replace(new_run(run_dir), stopped=stopped)
    begun = time.monotonic()
    hello = {"/payload/hello.elf": artefacts.hello_elf.read_bytes()}
    root = RootOfTrust(os.urandom(48))
    run.write("root.pem", root.public_pem())
    with powered(config, artefacts, run, hello, root=root) as machine:
        leave = "Ctrl-] leaves; " if sys.stdin.isatty() else ""
        click.echo(f"{leave}logs in {run.path}", err=True)
        interact(machine)
        machine.stop()
    seconds = round(time.monotonic() - begun, 3)
    result.give({"evidence_dir": run.path, "duration_s": seconds})
    return 0


def _boot_payload(
    payload: Path,
    options: Options,
    run_dir: Path | None,
    result: Result,
    stopped: bool,
    dry_run: bool,
) -> int:
    """Boot a payload in the host's place until it switches the machine off."""
    from harness.build.bare import BareBuilder
    from harness.cli._running import show_files
    from harness.machine.emulator import check_emulator
    from harness.machine.machine import start_machine
    from harness.machine.payload import flat_payload
    from harness.machine.prepare import PAYLOAD_OPTION, plan_boot, prepare_boot
    from harness.machine.rundir import new_run
    from harness.machine.terminal import attend, require_input

    config = options.config()
    # Before anything is built for it.
    flat = flat_payload(payload.absolute(), PAYLOAD_OPTION, config.machine.memory_mib)
    check_emulator(config)
    with options.ui() as ui:
        builder = BareBuilder(config, flat, ui, offline=options.offline)
        artefacts = builder.run().artefacts
    if dry_run:
        return show_files(config, plan_boot(config, artefacts, 0), result)
    require_input()
    run = replace(new_run(run_dir), stopped=stopped)
    begun = time.monotonic()
    files = prepare_boot(config, artefacts, run, {})
    with start_machine(config, files, run) as machine:
        leave = "Ctrl-] leaves; " if sys.stdin.isatty() else ""
        click.echo(f"{leave}logs in {run.path}", err=True)
        attend(machine)
        machine.stop()
    seconds = round(time.monotonic() - begun, 3)
    result.give({"evidence_dir": run.path, "duration_s": seconds})
    return 0
