# SPDX-License-Identifier: Apache-2.0
"""Boot the machine, launch a TVM, check it and its isolation, tear it down, launch again."""

from __future__ import annotations

import click

from harness.cli._options import Options, config_options
from harness.cli._running import Running, run_and_show, running_options


@click.command()
@config_options
@running_options
def command(options: Options, running: Running) -> int:
    """Show that everything works, in about a second once it is built.

    One line is printed for each check, in this order: tools, sources, build, boot, tsm (READY and
    capabilities), launch (measurement and answer of a TVM), steps (the six steps of a TVM's run,
    from the event ring and from QEMU's own log), isolation, teardown, relaunch, poweroff.

    The run's folder keeps every console's log, QEMU's messages, the command to repeat the boot by
    hand, the event rings and run.json; `latest` beside it is the newest.

    \b
    teecall smoke
    teecall smoke --verbose --json result.json
    teecall smoke --repeat 200 -j 2
    teecall smoke --set console.mode=serial --set opensbi.version=1.8.1
    """
    return run_and_show("smoke", options, running)
