# SPDX-License-Identifier: Apache-2.0
"""Debug the machine of a run with gdb: symbols loaded, both domains known."""

from __future__ import annotations

import click

from harness.cli._json import Result, json_option
from harness.cli._options import complete_runs

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


@click.command(cls=_WithRest)
@click.argument("run", required=False, shell_complete=complete_runs)
@json_option("Write the run's folder and gdb's exit status to FILE.")
@click.pass_context
def command(ctx: click.Context, run: str | None, result: Result) -> int:
    """Attach gdb to the machine of RUN, a run's folder or its name in the cache [default: latest].

    The machine must run, or be held: `teecall boot`, any `teecall run`, or one that has failed
    under `teecall run SCENARIO --on-failure gdb`. It stops when gdb connects and goes on when gdb
    ends; meanwhile no time limit of the run expires. Symbols of OpenSBI, TSM, Linux and TVM are
    loaded where they run; a thread is a hart. In gdb, `info domains` shows which domain has each
    hart and what is confidential, `tee-trace` the last crossings, `tee-log` the TSM's messages.

    \b
    teecall gdb
    teecall gdb my-run -- --batch -ex 'info domains' -ex 'thread apply all backtrace'
    """
    from harness.gdb.start import run_gdb
    from harness.trace.saved import run_folder

    folder = run_folder(run)
    status = run_gdb(folder, ctx.meta[_REST])
    result.give({"run": folder, "exit_code": status})
    return status
