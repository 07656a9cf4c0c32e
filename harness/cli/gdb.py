# SPDX-License-Identifier: Apache-2.0
"""Debug the machine of a run with gdb: symbols loaded, both domains known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli._json import Result, json_option
from harness.cli._options import Options, complete_runs, config_options
from harness.errors import UsageError

_REST = "teecall.gdb.arguments"


class _WithRest(click.Command):
    """A command that leaves what stands behind `--` to another program."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own, rest = args, []
        if "--" in args:
            at = args.index("--")
            own, rest = args[:at], args[at + 1 :]
        ctx.meta[_REST] = rest
        return super().parse_args(ctx, own)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- GDB ARGUMENTS]"]


def _scenarios(ctx: click.Context, option: click.Parameter, incomplete: str) -> list[str]:
    """Complete the name of a scenario."""
    from harness.scenarios.session import SCENARIOS

    return [name for name in sorted(SCENARIOS) if name.startswith(incomplete)]


@click.command(cls=_WithRest)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option(
    "--scenario",
    metavar="NAME",
    shell_complete=_scenarios,
    help="Run this scenario under gdb, from the first instruction of its machine on.",
)
@click.option(
    "--deterministic", is_flag=True, help="Run it without a dialogue, by a clock of instructions."
)
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the evidence of --scenario [default: a new one in the cache].",
)
@config_options
@json_option("Write the run's folder, gdb's exit status and the run's to FILE.")
@click.pass_context
def command(
    ctx: click.Context,
    run: str | None,
    scenario: str | None,
    deterministic: bool,
    run_dir: Path | None,
    options: Options,
    result: Result,
) -> int:
    """Attach gdb to the machine of RUN, a run's folder or its name in the cache [default: latest].

    The machine must run, or be held: `teecall boot`, any `teecall run`, or one that has failed
    under `teecall run SCENARIO --on-failure gdb`. It stops when gdb connects and goes on when gdb
    ends; meanwhile no time limit of the run expires. Symbols of OpenSBI, TSM, Linux and TVM are
    loaded where they run; a thread is a hart. In gdb, `info domains` shows which domain has each
    hart and what is confidential, `tee-trace` the last crossings, `tee-log` the TSMs' messages.

    With --scenario nothing has run yet when gdb is there: set breakpoints (hardware ones, `hbreak`,
    where the code is loaded later) and `continue`. What the scenario prints stands behind gdb's
    end, and its exit status is that of the command. The other options are for such a run. With
    `teecall boot --stopped` on another terminal, gdb has an interactive machine in the same way.

    \b
    teecall gdb
    teecall gdb my-run -- --batch -ex 'info domains' -ex 'thread apply all backtrace'
    teecall gdb --scenario audit --set machine.harts=4 -- -ex 'hbreak audit_tsm_call'
    """
    from harness.gdb.start import run_gdb
    from harness.trace.saved import run_folder

    if scenario is not None:
        if run is not None:
            raise UsageError("RUN is one that runs, --scenario a new one", "leave out one of them")
        return _new(scenario, deterministic, run_dir, options, ctx.meta[_REST], result)
    if deterministic or run_dir or options != Options():
        raise UsageError(
            "these options are for a new machine, and RUN has its own",
            "add --scenario NAME, or leave them out",
        )
    folder = run_folder(run)
    status = run_gdb(folder, ctx.meta[_REST])
    result.give({"run": folder, "exit_code": status})
    return status


def _new(
    scenario: str,
    deterministic: bool,
    run_dir: Path | None,
    options: Options,
    gdb: Sequence[str],
    result: Result,
) -> int:
    """Run a scenario under gdb."""
    from harness.gdb.launch import debug_scenario
    from harness.machine.rundir import new_run

    fresh = new_run(run_dir)
    assert fresh.lock is not None
    # From here on the folder is the run's.
    os.close(fresh.lock)
    switches = {
        "--deterministic": deterministic,
        "--offline": options.offline,
        "--verbose": options.verbose,
        "--quiet": options.quiet,
    }
    arguments = [
        scenario,
        *(word for file in options.files for word in ("-c", str(file))),
        *(word for key in options.sets for word in ("--set", key)),
        *(name for name, given in switches.items() if given),
    ]
    status, code = debug_scenario(fresh.path, arguments, gdb)
    result.give({"run": fresh.path, "exit_code": status, "run_exit_code": code})
    return status or code
