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
@json_option("Write the folder of the logs and the seconds to FILE.")
@click.option(
    "--stopped",
    is_flag=True,
    help="Let the machine wait for `teecall gdb` before its first instruction.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Print the QEMU command, do not run it.")
def command(
    options: Options, run_dir: Path | None, result: Result, stopped: bool, dry_run: bool
) -> int:
    """Boot and talk to the host over its UART.

    Everything typed goes to the machine, Ctrl-C too; Ctrl-] ends the machine and leaves. So does
    `poweroff -f` on the host. Lines from a pipe or a file are typed one by one, once there is a
    prompt; after the last one the machine is switched off.

    The TSM has a key of this boot; root.pem in the folder of the logs is what its evidence is
    verified with.

    \b
    teecall boot
    ~ # tvm run /payload/hello.elf --arg 42
    ~ # tvm call covh get_tsm_info 0x9ffff000 48
    \b
    echo 'tvm run /payload/hello.elf' | teecall boot
    """
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
